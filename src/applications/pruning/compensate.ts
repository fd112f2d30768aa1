import { CurvatureError } from "../../errors/index.ts";
import type { RunOptions } from "../../linalg/index.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import type { Risk } from "../../operators/index.ts";
import { toPrecision, type Vector } from "../../tensors/index.ts";
import { checkPrunedRisk } from "./checkPrunedRisk.ts";
import type { CurvatureModel, InverseOptions } from "./curvatureModel.ts";
import { gathered } from "./denseBlocks.ts";
import { matrixOf, type PruningMatrix } from "./matrixChoice.ts";
import { modelOfMatrix } from "./modelOfMatrix.ts";

/** Options of `compensate`. */
export interface CompensateOptions extends InverseOptions, RunOptions {
  /** Weights to set to zero, by position in the flat vector. */
  readonly indices: ArrayLike<number>;
  /** Matrix of the mean loss; default `ggn(risk)`. */
  readonly matrix?: PruningMatrix;
  /** Whether the gradient of the loss is part of the model, for weights that are no minimum; default false. */
  readonly gradient?: boolean;
}

/** Weights without some of them, the others adapted. */
export interface Compensation {
  /** `[size]`, exactly zero at the removed weights. */
  readonly theta: Vector;
  /** `[size]`, the change of the weights. */
  readonly change: Float64Array;
  /** Increase of the loss that the damped model predicts, `d'(A + damping I) d / 2`, with `gradient` plus `g'd`. */
  readonly increase: number;
  readonly route: CurvatureModel["route"];
  readonly damping: number;
  /** Residual of the system over its right-hand side; 0 where it was solved by a factorization. */
  readonly residual: number;
  readonly matvecs: number;
}

const NAME = "compensate";

/**
 * Removes weights Q and adapts all others, so that the quadratic model with A plus damping rises least: `d = -C E_Q (C_QQ)^-1 w_Q` with C its inverse (Hassibi and Stork, 1993), or the same
 * from `A_RR d_R = A_RQ w_Q` over the kept weights R, by a factorization or by conjugate gradients, which need no inverse at all.
 *
 * @throws CurvatureError "argument" for weights that there are not, "numeric" for a matrix that is not positive definite with its damping, "aborted" when the signal fires
 */
export async function compensate(risk: Risk, options: CompensateOptions): Promise<Compensation> {
  checkPrunedRisk(NAME, risk);
  checkOptions(
    NAME,
    options,
    "indices matrix gradient damping inverse denseLimit probes seed solveTolerance solveMatvecs signal onProgress",
  );
  const { gradient = false, signal } = options;
  const indices = checkedIndices(options.indices, risk.size);
  const theta = risk.theta();
  const { A, release } = await matrixOf(NAME, { risk, matrix: options.matrix });
  try {
    const model = await modelOfMatrix(A, { ...options, name: NAME });
    const g = gradient ? await risk.gradient(signal ? { signal } : {}) : undefined;
    const targets = gathered(theta, indices).map((w) => -w);
    const { change, increase, residual } = await model.constrained({ indices, targets, gradient: g });
    const { route, damping, matvecs } = model;
    return {
      theta: changedTheta(theta, { change, removed: indices }),
      change,
      increase,
      route,
      damping,
      residual,
      matvecs: matvecs(),
    };
  } finally {
    await release();
  }
}

function checkedIndices(given: ArrayLike<number>, size: number): Int32Array {
  const list = Array.from(given ?? []);
  const wrong = list.find((index) => !(Number.isInteger(index) && index >= 0 && index < size));
  if (list.length > 0 && wrong === undefined) return Int32Array.from(new Set(list));
  const got = list.length === 0 ? "none" : String(wrong);
  throw new CurvatureError(
    "argument",
    `${NAME} expects indices of weights to remove, whole numbers from 0 to ${size - 1}, got ${got}`,
  );
}

/** `theta + change` in the precision of theta, with removed weights exactly zero. */
export function changedTheta(
  theta: Vector,
  { change, removed }: { readonly change: Float64Array; readonly removed: ArrayLike<number> },
): Vector {
  const moved = Float64Array.from(theta, (w, i) => w + change[i]!);
  for (let k = 0; k < removed.length; k++) moved[removed[k]!] = 0;
  return toPrecision(moved, theta instanceof Float32Array ? "float32" : "float64");
}
