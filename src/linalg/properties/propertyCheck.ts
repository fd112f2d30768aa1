import { stream } from "../../random/index.ts";
import { column, type Matrix, type Precision, zeros } from "../../tensors/index.ts";
import { checkArgument, checkCount, checkNonnegative, checkSeed, precision } from "../operator/checks.ts";
import type { LinearOperator, RunOptions } from "../operator/operator.ts";
import { maxAbs, norm } from "../vectors/vector.ts";

/** Options of the checks by random probes. */
export interface PropertyCheckOptions extends RunOptions {
  readonly seed: number;
  /** Products to spend, at least 2. */
  readonly matvecs?: number | undefined;
  /** Largest relative violation that passes; default 1e-9 in float64, 1e-4 in float32. */
  readonly tolerance?: number | undefined;
}

/** Result of a check by random probes: a violation disproves the property, a pass makes it likely. */
export interface PropertyCheck {
  readonly passed: boolean;
  /** Largest relative violation found; 0 where there is none, NaN where a product is not finite. */
  readonly worst: number;
  /** One sentence with the numbers. */
  readonly message: string;
  /** Products that were spent. */
  readonly matvecs: number;
}

/** Relative difference of two inner products that should agree: float64 and float32 products of some million terms stay below. */
const TOLERANCE: Readonly<Record<Precision, number>> = { float64: 1e-9, float32: 1e-4 };

/** Checked options of a probe check with their defaults. `needs` says why a check of pairs takes two products at least. */
export function propertyCheckPlan(
  A: LinearOperator,
  options: PropertyCheckOptions,
  { name, matvecs: usual = 8, needs }: { readonly name: string; readonly matvecs?: number; readonly needs?: string },
) {
  const dtype = precision(A);
  const { seed, matvecs = usual, tolerance = TOLERANCE[dtype], signal, onProgress } = options;
  checkSeed(name, seed);
  checkCount(name, "matvecs", matvecs);
  checkNonnegative(name, "tolerance", tolerance);
  const enough = needs === undefined || matvecs >= 2;
  checkArgument(enough, `${name} ${needs} and expects matvecs of at least 2, got ${matvecs}`);
  return { seed, matvecs, tolerance, dtype, call: { name, options: { signal, onProgress } } };
}

/** Standard normal vectors as columns `[rows, columns]`, from streams of their own by name and column. */
export function gaussianProbes(
  { rows, columns, dtype }: { readonly rows: number; readonly columns: number; readonly dtype: Precision },
  { seed, name }: { readonly seed: number; readonly name: string },
): Matrix {
  const data = zeros(rows * columns, dtype);
  for (let k = 0; k < columns; k++) {
    const draws = stream(seed, name, k);
    for (let i = 0; i < rows; i++) data[k * rows + i] = draws.normal();
  }
  return { rows, columns, data };
}

/** Euclidean norms of the columns. */
export function columnNorms(X: Matrix): Float64Array {
  return Float64Array.from({ length: X.columns }, (_, k) => norm(column(X, k)));
}

/** `difference / size`, where nothing differs from nothing by 0. */
export function relative(difference: number, size: number): number {
  return difference === 0 ? 0 : Math.abs(difference) / size;
}

/** Verdict on the largest of these relative violations of a law such as `u' A v = v' A u`. */
export function verdict(
  violations: readonly number[],
  { law, tolerance, matvecs }: { readonly law: string; readonly tolerance: number; readonly matvecs: number },
): PropertyCheck {
  const worst = maxAbs(Float64Array.from(violations));
  const passed = worst <= tolerance;
  const found = Number.isNaN(worst)
    ? "a product has entries that are infinite or NaN"
    : `the largest relative difference is ${worst.toPrecision(3)}`;
  const pairs = `${violations.length} pairs of random vectors`;
  const message = `${law} ${passed ? "holds" : "fails"} for ${pairs}: ${found}, tolerance ${tolerance}`;
  return { passed, worst, message, matvecs };
}
