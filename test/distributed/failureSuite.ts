import { describe, expect } from "vitest";
import { type Job, launchers, runRanks, testWith } from "./mpiRun.ts";

interface Expected {
  readonly code: number;
  readonly says?: RegExp;
  readonly timeoutMs?: number;
}

/** What happens on rank 1 -> how the job ends. */
export const events: { readonly [event: string]: Expected | { readonly [name in "openMpi" | "mpich"]: Expected } } = {
  SIGKILL: { openMpi: { code: 137 }, mpich: { code: 9 } },
  SIGTERM: { openMpi: { code: 143 }, mpich: { code: 15 } },
  exception: { code: 1, says: /rank 1 of 2: Error: an exception of rank 1\n {4}at / },
  rejection: { code: 1, says: /rank 1 of 2: Error: a rejection of rank 1/ },
  "exit 0": { code: 1, says: /rank 1 of 2: ended without closing its communicator/ },
  "exit 3": { code: 3 },
  abort: { code: 7, says: /rank 1 of 2: rank 1 gives up/ },
  hang: { code: 75, says: /rank 0 of 2: waited 1500 ms in MPI_All\w+: some rank hangs/, timeoutMs: 1500 },
  "missing file": { code: 1, says: /rank 1 of 2: .*\/nowhere\/model.onnx/ },
};

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function expectEnd({ code, stdout, stderr, seconds }: Job, expected: Expected): Promise<void> {
  expect({ code, stderr }).toEqual({ code: expected.code, stderr: expect.any(String) });
  if (expected.says) expect(stderr).toMatch(expected.says);
  expect(seconds).toBeLessThan(20);
  const pids = [...stdout.matchAll(/^pid (\d+)$/gm)].map(([, pid]) => Number(pid));
  expect(pids).toHaveLength(2);
  // The launcher may return a moment before the system has removed what it killed.
  for (let i = 0; i < 20 && pids.some(isAlive); i++) await new Promise((resolve) => setTimeout(resolve, 100));
  expect(pids.filter(isAlive)).toEqual([]);
}

/** Tests of what some events on rank 1 do to a job of two ranks. */
export function failureTests(launcher: "openMpi" | "mpich", names: readonly string[]): void {
  describe(`what happens on one rank ends the job: ${launchers[launcher] ?? launcher}`, () => {
    for (const event of names) {
      const ends = events[event]!;
      const expected = launcher in ends ? (ends as { [name: string]: Expected })[launcher]! : (ends as Expected);
      testWith(launcher)(`${event}`, async () => {
        const args = [event, ...(expected.timeoutMs === undefined ? [] : [String(expected.timeoutMs)])];
        await expectEnd(await runRanks("failures", { ranks: 2, launcher, args }), expected);
      });
    }
  });
}

/** What MPICH ends otherwise than Open MPI, or by a way of its own. */
export const OWN_WAYS = ["SIGKILL", "exit 0", "hang"];
