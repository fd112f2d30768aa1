import { hutchinsonMoments, hutchinsonTrace, type LinearOperator, logDeterminant } from "../../src/linalg/index.ts";
import { haarMatrix } from "./haar.ts";
import { geometric, operatorOf, range } from "./knownOperators.ts";

// Share of seeded runs whose interval holds the truth, for matrices whose truths are known by construction.

/** A matrix with these eigenvalues in a random basis. */
export interface Known {
  readonly values: Float64Array;
  readonly dense: Float64Array;
  readonly A: LinearOperator;
}

const known = (values: Float64Array): Known => {
  const dense = haarMatrix(values);
  return { values, dense, A: operatorOf(dense) };
};

/** Flat, geometric, and one eigenvalue that outweighs all others together. */
export const spectra = (n: number): Readonly<Record<"flat" | "geometric" | "outlier", Known>> => ({
  flat: known(range(n, (i) => 1 + (2 * i) / (n - 1))),
  geometric: known(geometric(n, 0.01 ** (1 / n))),
  outlier: known(range(n, (i) => (i === 0 ? 4 * n : 1 + (i % 5) / 5))),
});

export interface Run {
  readonly probes: number;
  readonly seed: number;
  /** Lanczos steps: enough that the quadrature is far more accurate than the probes. */
  readonly steps: number;
}

const inside = (truth: number, { lower, upper }: { lower: number; upper: number }) => lower <= truth && truth <= upper;
const total = (values: Float64Array, f: (x: number) => number) => values.reduce((so, x) => so + f(x), 0);

/** Whether the intervals of the trace and of a diagonal entry, from the same probes, hold the truth. */
export async function traceAndEntry({ A, dense, values }: Known, { probes, seed }: Pick<Run, "probes" | "seed">) {
  const { trace, diagonal, certainty } = await hutchinsonMoments(A, { matvecs: probes, seed });
  const truth = total(values, (x) => x);
  const miss = Math.abs(diagonal.values[3]! - dense[3 * (values.length + 1)]!);
  return {
    trace: Math.abs(trace.value - truth) <= certainty.quantile * trace.standardError,
    entry: miss <= certainty.quantile * diagonal.standardErrors[3]!,
  };
}

/** Whether the interval of one run holds the truth. */
export const quantities = {
  async trace({ A, values }: Known, { probes, seed }: Run): Promise<boolean> {
    return inside(
      total(values, (x) => x),
      (await hutchinsonTrace(A, { matvecs: probes, seed })).interval,
    );
  },
  async "diagonal entry"(matrix: Known, run: Run): Promise<boolean> {
    return (await traceAndEntry(matrix, run)).entry;
  },
  async "log-determinant"({ A, values }: Known, { probes, seed, steps }: Run): Promise<boolean> {
    const { interval } = await logDeterminant(A, { steps, probes, seed, damping: 0.1 });
    return inside(
      total(values, (x) => Math.log(x + 0.1)),
      interval,
    );
  },
};

/** Share of the seeds 0, 1, ... for which the interval holds. */
export async function coverage(
  quantity: keyof typeof quantities,
  matrix: Known,
  { runs, probes, steps = 14 }: { runs: number; probes: number; steps?: number },
): Promise<number> {
  let count = 0;
  for (let seed = 0; seed < runs; seed++) if (await quantities[quantity](matrix, { probes, seed, steps })) count++;
  return count / runs;
}
