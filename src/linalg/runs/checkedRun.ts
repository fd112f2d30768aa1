import { checkCount, checkNonnegative, defaultTolerance } from "../operator/checks.ts";
import type { LinearOperator, RunOptions } from "../operator/operator.ts";
import { type Products, products } from "./products.ts";

/** Options of methods that go on until a tolerance is met or the products are used up. */
export interface TolerantOptions extends RunOptions {
  readonly tolerance?: number | undefined;
  readonly matvecs?: number | undefined;
  readonly state?: { readonly matvecs: number } | undefined;
}

/** A method and what its options default to. */
interface Defaults {
  readonly name: string;
  readonly tolerance?: number;
  readonly matvecs?: number;
}

/** The checked tolerance of a method, `defaultTolerance(A)` unless it has its own, its budget, 1000 by default, and its products. */
export function checkedRun(
  A: LinearOperator,
  options: TolerantOptions,
  { name, tolerance: usual = defaultTolerance(A), matvecs: most = 1000 }: Defaults,
): { readonly tolerance: number; readonly matvecs: number; readonly run: Products } {
  const { tolerance = usual, matvecs = most, state } = options;
  checkNonnegative(name, "tolerance", tolerance);
  checkCount(name, "matvecs", matvecs);
  return { tolerance, matvecs, run: products(A, { ...options, name, matvecs, used: state?.matvecs ?? 0 }) };
}
