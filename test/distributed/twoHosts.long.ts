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
    const args = ["one number a row", "even"];
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
  "a killed rank, and a cable that is cut, end the ranks of both hosts",
  async () => {
    const killed = await runRanks("failures", { ranks: 2, args: ["SIGKILL"], hosts: hosts! });
    expect(killed.code).toBe(137);
    let started = 0;
    const cut = await runRanks("failures", {
      ranks: 2,
      args: ["never", "3000"],
      hosts: hosts!,
      onLine: (line) => {
        if (line === "reached" && ++started === 2) hosts!.cut();
      },
    });
    expect(cut.code).not.toBe(0);
    expect(cut.stderr).toMatch(/waited 3000 ms in MPI_All\w+: some rank hangs|lost connection|Connection/i);
  },
  300_000,
);
