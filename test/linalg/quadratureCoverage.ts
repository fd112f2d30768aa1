import { eigh } from "../../src/linalg/dense/index.ts";
import {
  cumulativeDensity,
  effectiveDimension,
  type LanczosQuadratureState,
  type LinearOperator,
  lanczosQuadrature,
  logDeterminant,
  spectralDensity,
  spectralMass,
} from "../../src/linalg/index.ts";
import { probe } from "../../src/linalg/vectors/index.ts";
import { stream } from "../../src/random/index.ts";
import { normal } from "./coverageTolerance.ts";
import { haarMatrix } from "./haar.ts";
import { geometric, operatorOf, range } from "./knownOperators.ts";

// Whether the intervals of what averages over Lanczos quadratures hold the truth, and how far the quadrature of the probes that were drawn is
// from the exact v' f(A) v of the same probes.

/** A matrix with these eigenvalues in a random basis, and its eigenvectors by a dense solver. */
export interface Decomposed {
  readonly values: Float64Array;
  readonly vectors: Float64Array;
  readonly A: LinearOperator;
  /** Lanczos steps that make the quadrature error negligible. */
  readonly steps: number;
  /** Of eigenvalue zero, or of where a density is asked for: in a gap of the spectrum. */
  readonly damping: number;
}

async function decomposed(values: Float64Array, { steps, damping }: Pick<Decomposed, "steps" | "damping">) {
  const n = values.length;
  const dense = haarMatrix(values);
  const { values: found, vectors } = await eigh({ rows: n, columns: n, data: dense });
  return { values: found, vectors: vectors.data as Float64Array, A: operatorOf(dense), steps, damping };
}

/** Flat but for a gap at zero, geometric, and one eigenvalue that outweighs the others; each shifted such that some are negative. */
export const shiftedSpectra: Readonly<Record<"flat" | "geometric" | "outlier", (n: number) => Promise<Decomposed>>> = {
  flat: (n) =>
    decomposed(
      range(n, (i) => (i < n / 3 ? -1.2 : 0.4) + (0.8 * i) / n),
      { steps: 10, damping: 1.5 },
    ),
  geometric: (n) =>
    decomposed(
      geometric(n, 0.01 ** (1 / n)).map((x, _, all) => x - (all[5]! + all[6]!) / 2),
      { steps: 19, damping: 1 },
    ),
  outlier: (n) =>
    decomposed(
      range(n, (i) => (i === 0 ? 4 * n : -0.5 + (i % 5) / 5)),
      { steps: 7, damping: 1 },
    ),
};

const WIDTH = 0.3;

/** A public result, and of which function of an eigenvalue it states the sum over eigenvalues, times `scale`. */
interface Stated {
  readonly f: (x: number) => number;
  readonly scale: number;
  readonly value: number;
  readonly standardError: number;
  readonly interval: { readonly lower: number; readonly upper: number };
  readonly fewProbes: boolean;
  readonly message: string;
}

/** Options of a run whose products are all made. */
export interface Finished {
  readonly steps: number;
  readonly probes: number;
  readonly seed: number;
  readonly state: LanczosQuadratureState;
}

const around = (value: number, half: number) => ({ lower: value - half, upper: value + half });
const negative = (x: number) => (x < 0 ? 1 : 0);

/** The public results, each with the interval that it states. */
export const statements: Readonly<Record<string, (matrix: Decomposed, options: Finished) => Promise<Stated>>> = {
  async "log-determinant"({ A, damping }, options) {
    const { logdet: value, interval, ...rest } = await logDeterminant(A, { ...options, damping });
    return { f: (x) => Math.log(x + damping), scale: 1, value, ...rest, interval, fewProbes: interval.fewProbes };
  },
  async "effective dimension"({ A, damping }, options) {
    const shift = 2 * damping;
    const { dimension: value, interval, ...rest } = await effectiveDimension(A, { ...options, damping: shift });
    return { f: (x) => x / (x + shift), scale: 1, value, ...rest, interval, fewProbes: interval.fewProbes };
  },
  async "negative mass of the density"({ A, values }, options) {
    const { negativeMass, message } = await spectralDensity(A, { ...options, points: 32 });
    const { fewProbes } = negativeMass.interval;
    return { f: negative, scale: 1 / values.length, ...negativeMass, fewProbes, message };
  },
  async "negative mass"({ A, values }, options) {
    const mass = await spectralMass(A, options);
    return { f: negative, scale: 1 / values.length, ...mass, fewProbes: mass.interval.fewProbes };
  },
  async "mass of the density between two points"({ A, values }, options) {
    const mass = await spectralMass(A, { ...options, from: -0.3, to: 0.5, width: WIDTH });
    const f = (x: number) => normal((0.5 - x) / WIDTH) - normal((-0.3 - x) / WIDTH);
    return { f, scale: 1 / values.length, ...mass, fewProbes: mass.interval.fewProbes };
  },
  async "density at a point"({ A, values }, options) {
    const { grid, density, width, certainty, message, ...rest } = await spectralDensity(A, {
      ...options,
      width: WIDTH,
      points: 32,
    });
    const at = grid.findIndex((x) => x >= 0);
    const [value, standardError] = [density[at]!, rest.standardErrors[at]!];
    const f = (x: number) => Math.exp(-0.5 * ((x - grid[at]!) / width) ** 2) / (width * Math.sqrt(2 * Math.PI));
    const interval = around(value, certainty.quantile * standardError);
    return { f, scale: 1 / values.length, value, standardError, interval, fewProbes: certainty.fewProbes, message };
  },
  async "cumulative density"({ A, values }, options) {
    const run = await lanczosQuadrature(A, options);
    const { cumulative, certainty, ...rest } = cumulativeDensity(run, { at: Float64Array.of(0) });
    const [value, standardError] = [cumulative[0]!, rest.standardErrors[0]!];
    const interval = around(value, certainty.quantile * standardError);
    const { message } = run;
    return {
      ...{ f: (x) => (x <= 0 ? 1 : 0), scale: 1 / values.length, value, standardError, interval, message },
      fewProbes: certainty.fewProbes,
    };
  },
};

/** `v' f(A) v` of the probes 0, 1, ... of a seed as weights on the eigenvalues, by their dense eigenvectors. */
function exactWeights({ values, vectors }: Decomposed, { probes, seed }: Pick<Finished, "probes" | "seed">) {
  const n = values.length;
  return Array.from({ length: probes }, (_, i) => {
    const v = probe(n, { distribution: "signs", stream: stream(seed, "probe", i), dtype: "float64" });
    return values.map((_value, k) => {
      let inner = 0;
      for (let j = 0; j < n; j++) inner += vectors[k * n + j]! * v[j]!;
      return inner * inner;
    });
  });
}

/** Of one statement: the share of runs whose interval held, that of intervals 0.6 times as wide, and the largest quadrature error over the standard error. */
export interface Coverage {
  inside: number;
  insideNarrow: number;
  quadratureError: number;
  fewProbes: boolean;
  message: string;
}

/**
 * Coverage over seeds 0, 1, ... with each number of probes. Every run of fewer probes is the beginning of the run of most of them, which is
 * continued from its state without a product.
 */
export async function quadratureCoverage(
  matrix: Decomposed,
  { runs, probes: counts }: { readonly runs: number; readonly probes: readonly number[] },
): Promise<Readonly<Record<string, Readonly<Record<number, Coverage>>>>> {
  const { A, values, steps } = matrix;
  const most = Math.max(...counts);
  const none = (): Coverage => ({ inside: 0, insideNarrow: 0, quadratureError: 0, fewProbes: false, message: "" });
  const found = Object.fromEntries(
    Object.keys(statements).map((name) => [name, Object.fromEntries(counts.map((count) => [count, none()]))]),
  ) as Record<string, Record<number, Coverage>>;
  for (let seed = 0; seed < runs; seed++) {
    const { quadrature } = await lanczosQuadrature(A, { steps, probes: most, seed });
    const weights = exactWeights(matrix, { probes: most, seed });
    for (const probes of counts) {
      const part = quadrature.slice(0, probes);
      const matvecs = part.reduce((so, { nodes }) => so + nodes.length, 0);
      const state = { method: "lanczosQuadrature", columns: values.length, matvecs, seed, quadrature: part } as const;
      for (const [name, state_] of Object.entries(statements)) {
        const stated = await state_(matrix, { steps, probes, seed, state });
        const at = values.map(stated.f);
        const truth = stated.scale * at.reduce((so, x) => so + x, 0);
        const exact = weights.slice(0, probes).reduce((so, w) => so + w.reduce((sum, x, k) => sum + x * at[k]!, 0), 0);
        const sample = found[name]![probes]!;
        const error = Math.abs(stated.value - (stated.scale * exact) / probes) / stated.standardError;
        sample.inside += Number(stated.interval.lower <= truth && truth <= stated.interval.upper) / runs;
        const off = 0.6 * (stated.interval.upper - stated.interval.lower) > 2 * Math.abs(truth - stated.value);
        sample.insideNarrow += Number(off) / runs;
        sample.quadratureError = Math.max(sample.quadratureError, error);
        Object.assign(sample, { fewProbes: stated.fewProbes, message: stated.message });
      }
    }
  }
  return found;
}
