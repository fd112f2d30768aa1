import { column, precisionOf, type Vector } from "../../tensors/index.ts";
import { meanOf } from "../statistics/sampleMean.ts";
import type { DiagonalEstimate } from "../traces/hutchinsonMoments.ts";
import { leadingColumns } from "../vectors/basis.ts";
import { multiply } from "../vectors/vector.ts";
import { type SketchState, testVector } from "./sketch.ts";

/** Mean and standard error, entry by entry, of samples that are added one by one (Welford, 1962). */
export function entrySamples(n: number): {
  /** One more sample, entry by entry. */
  add(sample: (i: number) => number): void;
  /** Mean and its standard error, as for independent samples. */
  result(): DiagonalEstimate;
} {
  const [means, squares] = [new Float64Array(n), new Float64Array(n)];
  let count = 0;
  return {
    add(sample) {
      count++;
      for (let i = 0; i < n; i++) {
        const deviation = sample(i) - means[i];
        means[i] = means[i] + deviation / count;
        squares[i] = squares[i] + (deviation * deviation * (count - 1)) / count;
      }
    },
    result() {
      const estimates = Array.from(means, (mean, i) => meanOf({ sum: mean * count, squares: squares[i] }, { count }));
      return {
        values: Float64Array.from(estimates, ({ value }) => value),
        standardErrors: Float64Array.from(estimates, ({ standardError }) => standardError),
      };
    },
  };
}

/** `A omega_i` of a sketch, as its decomposition has it. */
export function sketchedProduct({ range }: SketchState, i: number): Vector {
  const c = range.coefficients[i];
  if (c.length === 0) return new Float64Array(range.basis.rows);
  return column(multiply(leadingColumns(range.basis, c.length), { rows: c.length, columns: 1, data: c }), 0);
}

/** Diagonal from the products of a sketch alone, by Hutchinson's samples `omega * A omega`. */
export function sketchedDiagonal(state: SketchState): DiagonalEstimate {
  const samples = entrySamples(state.columns);
  for (let i = 0; i < state.sketched; i++) {
    const y = sketchedProduct(state, i);
    const omega = testVector(state, i, precisionOf(y));
    samples.add((j) => omega[j] * y[j]);
  }
  return samples.result();
}
