import {
  effectiveDimension,
  hutchPlusPlus,
  type LinearOperator,
  logDeterminant,
  type Outcome,
  schattenNorm,
  spectralMass,
  spectralSum,
  xdiag,
  xnysdiag,
  xnystrace,
  xtrace,
} from "../../src/linalg/index.ts";
import { haarMatrix } from "./haar.ts";
import { counted, geometric, operatorOf, range } from "./knownOperators.ts";

// Runs that end by their tolerance: what share of their intervals holds the truth.

/** Options of a run; `tolerance` is absent for one of fixed length. */
export interface Run {
  readonly seed: number;
  readonly tolerance?: number;
  readonly confidence?: number;
}

/** A result as its interval, with half of that over the size of the estimate. */
interface Stated extends Outcome {
  readonly value: number;
  readonly interval: { readonly lower: number; readonly upper: number; readonly probes: number };
  readonly size: number;
}

export interface Method {
  /** Most products of a run. */
  readonly budget: number;
  readonly truth: (values: Float64Array) => number;
  readonly run: (A: LinearOperator, options: Run) => Promise<Stated>;
}

const total = (values: Float64Array, f: (x: number) => number) => values.reduce((so, x) => so + f(x), 0);
const slq = { steps: 7, probes: 110 };

const sums: Readonly<Record<string, Method>> = {
  spectralSum: {
    budget: 770,
    truth: (values) => total(values, (x) => 1 / (1 + x)),
    async run(A, o) {
      const result = await spectralSum(A, (x) => 1 / (1 + x), { ...o, ...slq });
      return { ...result, size: Math.abs(result.value) };
    },
  },
  logDeterminant: {
    budget: 770,
    truth: (values) => total(values, (x) => Math.log(x + 2)),
    async run(A, o) {
      const { logdet: value, ...rest } = await logDeterminant(A, { ...o, ...slq, damping: 2 });
      return { value, ...rest, size: Math.abs(value) };
    },
  },
  effectiveDimension: {
    budget: 770,
    truth: (values) => total(values, (x) => x / (x + 0.5)),
    async run(A, o) {
      const { dimension: value, ...rest } = await effectiveDimension(A, { ...o, ...slq, damping: 0.5 });
      return { value, ...rest, size: value };
    },
  },
  spectralMass: {
    budget: 770,
    truth: (values) => total(values, (x) => normal((0.9 - x) / 0.3)) / values.length,
    async run(A, o) {
      const result = await spectralMass(A, { ...o, ...slq, to: 0.9, width: 0.3 });
      return { ...result, size: 1 };
    },
  },
  schattenNorm: {
    budget: 770,
    truth: (values) => total(values, (x) => Math.abs(x) ** 3) ** (1 / 3),
    async run(A, o) {
      const { norm: value, ...rest } = await schattenNorm(A, { ...o, ...slq, p: 3 });
      return { value, ...rest, size: value };
    },
  },
};

const traced = async (result: ReturnType<typeof xtrace>): Promise<Stated> => {
  const { trace: value, ...rest } = await result;
  return { value, ...rest, size: Math.abs(value) };
};
const trace = (values: Float64Array) => total(values, (x) => x);

const traces: Readonly<Record<string, Method>> = {
  xtrace: { budget: 70, truth: trace, run: (A, o) => traced(xtrace(A, { ...o, matvecs: 70 })) },
  xnystrace: { budget: 40, truth: trace, run: (A, o) => traced(xnystrace(A, { ...o, matvecs: 40 })) },
  hutchPlusPlus: { budget: 75, truth: trace, run: (A, o) => traced(hutchPlusPlus(A, { ...o, matvecs: 75 })) },
};

/** Functions whose tolerance is about one number. */
export const methods: Readonly<Record<string, Method>> = { ...sums, ...traces };

/** Functions whose tolerance is about a diagonal. */
export const diagonals = { xdiag: { method: xdiag, matvecs: 70 }, xnysdiag: { method: xnysdiag, matvecs: 40 } };

/** Distribution function of the standard normal distribution, by Simpson's rule. */
export function normal(x: number): number {
  const [steps, z] = [400, Math.max(-8, Math.min(8, x))];
  const phi = (t: number) => Math.exp(-0.5 * t * t) / Math.sqrt(2 * Math.PI);
  const h = z / steps;
  let sum = 0;
  for (let i = 0; i < steps; i++) sum += (h / 6) * (phi(i * h) + 4 * phi((i + 0.5) * h) + phi((i + 1) * h));
  return 0.5 + sum;
}

/** Flat, geometric, and one eigenvalue that outweighs all others together; each in a random basis. */
export const matrices = Object.fromEntries(
  Object.entries({
    flat: range(80, (i) => 0.5 + i / 79),
    geometric: geometric(80, 0.01 ** (1 / 80)),
    outlier: range(80, (i) => (i === 0 ? 160 : 0.5 + (i % 5) / 5)),
  }).map(([name, values]) => {
    const dense = haarMatrix(values);
    return [name, { values, dense, A: operatorOf(dense) }];
  }),
) as Record<"flat" | "geometric" | "outlier", { values: Float64Array; dense: Float64Array; A: LinearOperator }>;

/** Whether the interval would hold the truth if it were 0.6 times as wide, about the estimate. */
const isInNarrow = ({ value, interval: { lower, upper } }: Stated, truth: number) =>
  truth >= value - 0.6 * (value - lower) && truth <= value + 0.6 * (upper - value);

/** Shares of runs whose interval held, whose interval would have held 0.6 times as wide, and that ended before their budget. */
export async function sequentialCoverage(
  { run, truth, budget }: Method,
  { matrix, tolerance, runs }: { matrix: { values: Float64Array; A: LinearOperator }; tolerance: number; runs: number },
) {
  const value = truth(matrix.values);
  const shares = { inside: 0, insideNarrow: 0, early: 0, converged: 0 };
  const looks = new Set<number>();
  let worst = 0;
  for (let seed = 0; seed < runs; seed++) {
    const A = counted(matrix.A);
    const result = await run(A, { seed, tolerance });
    const { lower, upper, probes } = result.interval;
    if (A.count() !== result.matvecs || result.matvecs > budget) throw new Error(`${A.count()} products of ${budget}`);
    shares.inside += Number(lower <= value && value <= upper) / runs;
    shares.insideNarrow += Number(isInNarrow(result, value)) / runs;
    shares.early += Number(result.matvecs < 0.9 * budget) / runs;
    shares.converged += Number(result.status === "converged") / runs;
    looks.add(probes);
    if (result.status === "converged") {
      worst = Math.max(worst, Math.max(upper - result.value, result.value - lower) / result.size / tolerance);
    }
  }
  return { ...shares, looks: [...looks].sort((x, y) => x - y), worst };
}
