import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { launcherOf } from "../../src/distributed/mpi/launcher.ts";
import * as root from "../../src/index.ts";

const read = (path: string) => readFileSync(path, "utf8");

test("docs/cluster.md shows examples/cluster/study.mjs as it is, and names exports only", () => {
  const page = read("docs/cluster.md");
  const [, program] = /```js\n(.*?)```/s.exec(page) ?? [];
  expect(program).toBe(read("examples/cluster/study.mjs"));
  const named = [...page.matchAll(/^\| `(\w+)\(/gm)].map(([, name]) => name!);
  expect(named.filter((name) => name !== "mpiCommunicator" && !(name in root))).toEqual([]);
  expect(named).toContain("shardOf");
  for (const [, link] of page.matchAll(/\]\((?:\.\.\/)?([\w./]+)\)/g)) {
    expect([link, existsSync(link!) || existsSync(`docs/${link}`)]).toEqual([link, true]);
  }
});

test("the files of examples/cluster run a program that exists, with state that outlives the job", () => {
  for (const name of ["Dockerfile", "mpijob.yaml", "job.sbatch"]) {
    const text = read(`examples/cluster/${name}`);
    const programs = [...text.matchAll(/node,?\s+(examples\/\S+\.mjs)/g)].map(([, path]) => path!);
    expect(programs.length).toBeGreaterThan(0);
    expect(programs.filter((path) => !existsSync(path))).toEqual([]);
  }
  expect(spawnSync("bash", ["-n", "examples/cluster/job.sbatch"]).status).toBe(0);
  // The number of ranks that srun gives by this file.
  expect(launcherOf({ SLURM_STEP_NUM_TASKS: "4" })).toMatchObject({ size: 4 });
});
