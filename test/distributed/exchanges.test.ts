import { describe, expect } from "vitest";
import { type LauncherName, launchers, runRanks, testWith } from "./mpiRun.ts";

interface Found {
  readonly wrong: number;
  readonly library: { readonly file: string; readonly abi: string; readonly version: string };
  readonly notices: readonly string[];
  readonly processors: number;
}

const abis: { readonly [name in LauncherName]: readonly [abi: string, version: RegExp] } = {
  openMpi: ["Open MPI", /^Open MPI v/],
  mpich: ["MPICH", /MPICH/],
  standard: ["the standard ABI of MPI 5", /MPICH|Open MPI/],
};

async function exchanges(
  launcher: LauncherName,
  ranks: number,
  env: { readonly [name: string]: string } = {},
): Promise<Found> {
  const { code, stdout, stderr } = await runRanks("exchanges", { ranks, launcher, env });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const lines = stdout.trim().split("\n");
  expect(lines.slice(0, -1)).toEqual([
    expect.stringMatching(
      /^second call: mpiCommunicator was called before in this process,.* pass its communicator on$/,
    ),
    `root: broadcast expects a root from 0 to ${ranks - 1}, got ${ranks}`,
    `lengths: allGather expects an array of the same kind for ${ranks} times 2 entries, got a Float64Array of 1`,
  ]);
  const found = JSON.parse(lines.at(-1)!) as Found;
  expect(found).toMatchObject({ wrong: 0, library: { abi: abis[launcher][0] } });
  expect(found.library.version).toMatch(abis[launcher][1]);
  return found;
}

for (const launcher of Object.keys(abis) as LauncherName[]) {
  describe(`exchanges: ${launchers[launcher] ?? launcher}`, () => {
    testWith(launcher)(
      "sums, gathers and broadcasts of any length arrive whole and in order, and traps are errors",
      async () => {
        await exchanges(launcher, 1);
        await exchanges(launcher, launcher === "openMpi" ? 3 : 2);
      },
    );
  });
}

testWith("openMpi")("ranks that exchange over TCP, as those of several machines do, end as well", async () => {
  await exchanges("openMpi", 2, { OMPI_MCA_btl: "tcp,self" });
});

testWith("openMpi")("a rank that is bound to one of several processors says so", async () => {
  const { stdout } = await runRanks("exchanges", { ranks: 2, args: [], binding: "core" });
  const { notices, processors } = JSON.parse(stdout.trim().split("\n").at(-1)!) as Found;
  expect(processors).toBe(1);
  expect(notices).toEqual([
    expect.stringMatching(/^This rank may use one of \d+ processors, .* start them with --bind-to none/),
  ]);
});

/** What ends each rank when the library is not the launcher's, or none. */
for (const [launcher, library, message] of [
  [
    "openMpi",
    "libmpich.so.12",
    /Open MPI's mpirun started 2 processes, but libmpich.so.12 \(MPICH\) finds only this one; .* by MPI_LIBRARY/,
  ],
  [
    "mpich",
    "libmpi.so.40",
    /a launcher with PMI, as MPICH's mpirun started 2 processes, but libmpi.so.40 \(Open MPI\) finds only this one;/,
  ],
  [
    "openMpi",
    "libnowhere.so",
    /mpiCommunicator expects an MPI library, and cannot load libnowhere.so \(.*\); install openmpi-bin or mpich, or name/,
  ],
] as const) {
  testWith(launcher)(`${launcher} with ${library} is refused`, async () => {
    const { code, stderr } = await runRanks("exchanges", { ranks: 2, launcher, env: { MPI_LIBRARY: library } });
    expect(code).not.toBe(0);
    expect(stderr).toMatch(message);
  });
}
