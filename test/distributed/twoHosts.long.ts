import { afterAll, expect, test } from "vitest";
import { launchers, runRanks } from "./mpiRun.ts";
import { twoHosts } from "./twoHosts.ts";

// Needs root, iproute2 and util-linux. All traffic stays in two namespaces, which are removed afterwards.
const hosts = launchers.openMpi === undefined ? undefined : twoHosts();
afterAll(() => hosts?.remove());

const between = test.skipIf(hosts === undefined);

between(
  "ranks on two hosts exchange over the cable between them, with the bits of two ranks on one host",
  async () => {
    const before = hosts!.sentBytes();
    const exchanged = await runRanks("exchanges", { ranks: 2, hosts: hosts! });
    expect(exchanged).toMatchObject({ code: 0, stderr: "" });
    const last = JSON.parse(exchanged.stdout.trim().split("\n").at(-1)!) as { wrong: number };
    expect(last.wrong).toBe(0);
    // Its arrays of a million entries and more.
    expect(hosts!.sentBytes() - before).toBeGreaterThan(8 * 2 ** 20);
    const args = ["one number a row;even"];
    const [apart, together] = [
      await runRanks("numbers", { ranks: 2, args, hosts: hosts! }),
      await runRanks("numbers", { ranks: 2, args }),
    ];
    expect(apart).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(apart.stdout)).toMatchObject({ size: 2, differing: [] });
    expect(apart.stdout).toBe(together.stdout);
  },
  300_000,
);

between(
  "a rank that is killed on the second host ends that of the first",
  async () => {
    const { code, seconds } = await runRanks("failures", { ranks: 2, args: ["SIGKILL"], hosts: hosts! });
    expect(code).toBe(137);
    expect(seconds).toBeLessThan(60);
  },
  150_000,
);

between(
  "a cable that is cut is noticed by the watchdog, and the job ends once mpirun reaches the second host again",
  async () => {
    let reached = 0;
    let noticed = false;
    const { code, stderr } = await runRanks("failures", {
      ranks: 2,
      args: ["nothing", "3000"],
      hosts: hosts!,
      onLine: (line) => {
        if (line === "reached" && ++reached === 2) hosts!.cable("down");
      },
      onError: (text) => {
        if (noticed || !text.includes("waited 3000 ms")) return;
        noticed = true;
        hosts!.cable("up");
      },
    });
    expect(stderr).toMatch(/rank \d of 2: waited 3000 ms in MPI_All\w+: some rank hangs/);
    expect(code).toBe(75);
  },
  150_000,
);
