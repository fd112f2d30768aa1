import type { LinearOperator, RunOptions } from "../linalg/index.ts";
import { stream } from "../random/index.ts";
import type { Vector } from "../tensors/index.ts";
import { normOf } from "./exactSpectrum.ts";
import type { MatrixName } from "./reportedMatrices.ts";
import { seedFor } from "./seedFor.ts";

/** A matrix with its name. */
export interface NamedOperator {
  readonly name: MatrixName;
  readonly title: string;
  readonly operator: LinearOperator;
}

/** A matrix that equals an earlier one up to rounding. */
export interface EqualMatrix {
  readonly name: MatrixName;
  readonly title: string;
  /** The matrix that it equals. */
  readonly equals: MatrixName;
  /** `|A v - B v| / |B v|` for a random vector v. */
  readonly difference: number;
}

/** Largest relative difference of two products with the same matrix, from the rounding of its products. */
const ROUNDING = { float32: 2e-5, float64: 1e-9 } as const;

/**
 * Finds the matrices that equal the first one, by one product of each with the same Gaussian vector v. If A and B differ, then A v = B v
 * holds with probability 0, since it restricts v to a subspace. Differences within the rounding of products are not noticed.
 *
 * @throws CurvatureError "aborted" when the signal stops it
 */
export async function equalMatrices(
  [first, ...others]: readonly NamedOperator[],
  { seed, signal }: RunOptions & { readonly seed: number },
): Promise<readonly EqualMatrix[]> {
  if (first === undefined || others.length === 0) return [];
  const run = signal ? { signal } : {};
  const v = gaussian(first.operator, seed);
  const product = await first.operator.matvec(v, run);
  const equal: EqualMatrix[] = [];
  for (const { name, title, operator } of others) {
    const difference = relativeDifference(await operator.matvec(v, run), product);
    if (difference <= ROUNDING[operator.dtype]) equal.push({ name, title, equals: first.name, difference });
  }
  return equal;
}

function gaussian({ shape, dtype }: LinearOperator, seed: number): Vector {
  const random = stream(seedFor(seed, "equality"), "gaussian");
  const v = dtype === "float64" ? new Float64Array(shape[1]) : new Float32Array(shape[1]);
  for (let i = 0; i < v.length; i++) v[i] = random.normal();
  return v;
}

function relativeDifference(a: Vector, b: Vector): number {
  const difference = normOf(Float64Array.from(a, (x, i) => x - b[i]!));
  return difference === 0 ? 0 : difference / normOf(b);
}
