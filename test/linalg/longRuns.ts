import {
  arnoldiSteps,
  cgSteps,
  lanczosQuadratureSteps,
  lanczosSteps,
  lobpcgSteps,
  lsmrSteps,
  minresSteps,
  type Outcome,
  stateStore,
} from "../../src/linalg/index.ts";
import { geometric, randomVector, range, rotated } from "./knownOperators.ts";

const definite = rotated(geometric(80, 0.9));
const indefinite = rotated(range(80, (i) => (i % 2 ? 1 : -1) * (1 + i / 9)));
const twice = rotated(range(80, () => 2));
const b = randomVector(80, 3);

type Run = (more: { readonly state?: never }) => AsyncGenerator<unknown, Outcome, void>;

/** Runs of some forty steps, each resumed from the state that it is given. */
export const longRuns: Readonly<Record<string, Run>> = {
  cg: (more) => cgSteps(definite, b, { tolerance: 1e-10, recompute: 7, ...more }),
  minres: (more) => minresSteps(indefinite, b, { tolerance: 1e-10, ...more }),
  lanczos: (more) => lanczosSteps(definite, { steps: 40, seed: 0, ...more }),
  arnoldi: (more) => arnoldiSteps(indefinite, { steps: 40, seed: 0, ...more }),
  lsmr: (more) => lsmrSteps(definite, b, { tolerance: 1e-10, damping: 1e-5, preconditioner: twice, ...more }),
  "lobpcg, generalized": (more) => lobpcgSteps(definite, { k: 2, seed: 0, tolerance: 1e-10, B: twice, ...more }),
  lobpcg: (more) => lobpcgSteps(definite, { k: 2, seed: 0, tolerance: 1e-10, ...more }),
  lanczosQuadrature: (more) => lanczosQuadratureSteps(definite, { steps: 12, probes: 4, seed: 0, ...more }),
};

/** Makes a step of each run in turn and saves all states, until the process is killed; says so after each round. */
export async function runAndSave(folder: string): Promise<void> {
  const runs = Object.entries(longRuns).map(([name, run]) => ({
    steps: run({}),
    store: stateStore(`${folder}/${name}`),
  }));
  for (let round = 1; ; round++) {
    for (const { steps, store } of runs) {
      const next = await steps.next();
      if (!next.done) await store.save(next.value);
    }
    process.stdout.write(`round ${round}\n`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const folder = process.argv[2];
if (process.argv[1]?.endsWith("longRuns.ts") && folder) await runAndSave(folder);
