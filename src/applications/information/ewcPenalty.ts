import { CurvatureError, checkObject } from "../../errors/index.ts";
import { diagonal, type LinearOperator, scale } from "../../linalg/index.ts";
import { checkNonnegative, checkOperator } from "../../linalg/operator/checks.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import { dot } from "../../linalg/vectors/vector.ts";
import { fisher, ggn, type Risk } from "../../operators/index.ts";
import type { Vector } from "../../tensors/index.ts";
import type { Penalty } from "../penalty.ts";

/** Options of `ewcPenalty`. */
export interface EwcPenaltyOptions {
  /** Strength lambda; 1 by default. */
  readonly strength?: number;
  /**
   * The matrix F of the *mean* loss of the earlier task: any symmetric operator, or its diagonal `[size]`. Default: the Fisher matrix of type 2, or the Gauss-Newton matrix
   * for a loss without a likelihood, by products over the rows of the earlier task.
   */
  readonly matrix?: LinearOperator | Vector;
}

/** The penalty of elastic weight consolidation. */
export interface EwcPenalty extends Penalty {
  readonly strength: number;
  /** Weights after the earlier task, `[size]`. */
  readonly anchor: Vector;
  /** Rows of the earlier task: a strength for the summed loss is this many times one for the mean. */
  readonly rows: number;
}

const NAME = "ewcPenalty";

/**
 * Penalty of elastic weight consolidation (Kirkpatrick et al., 2017, equation 3): `strength / 2 (theta - anchor)' F (theta - anchor)`, F the Fisher matrix of the mean loss at the weights of a
 * risk on the earlier task's rows, which are the anchor. Give it to a method of training as one of `penalties`. With a diagonal, rows must be squared before they are averaged:
 * `hutchinsonDiagonal` of the Fisher matrix, or a structured one, has it so. Value and gradient take one product each.
 *
 * @throws CurvatureError "argument" or "shape" for a matrix or strength it cannot take
 */
export function ewcPenalty(risk: Risk, options: EwcPenaltyOptions = {}): EwcPenalty {
  checkObject(risk, `${NAME} expects a risk made by empiricalRisk`, ["model", "parameters", "engine"]);
  checkOptions(NAME, options, "strength matrix");
  const { strength = 1, matrix = usualMatrix(risk) } = options;
  checkNonnegative(NAME, "strength", strength);
  const F = ArrayBuffer.isView(matrix) ? diagonal(checkedDiagonal(matrix, risk.size)) : matrix;
  checkOperator(NAME, F);
  if (F.shape[0] !== risk.size || F.shape[1] !== risk.size) {
    throw new CurvatureError(
      "shape",
      `${NAME} expects a matrix of ${risk.size} weights, got one of ${F.shape[0]} rows`,
    );
  }
  const anchor = risk.theta();
  const away = (theta: Vector) => theta.map((weight, i) => weight - anchor[i]!);
  const scaledMatrix = scale(F, strength);
  return {
    strength,
    anchor,
    rows: risk.shard.rows,
    matrix: scaledMatrix,
    async value(theta) {
      const d = away(theta);
      return dot(d, await scaledMatrix.matvec(d)) / 2;
    },
    gradient: (theta) => scaledMatrix.matvec(away(theta)),
  };
}

function usualMatrix(risk: Risk): LinearOperator {
  return risk.lossFunction.likelihood === undefined ? ggn(risk) : fisher(risk, { type: 2 });
}

function checkedDiagonal(values: Vector, size: number): Vector {
  if (values.length !== size) {
    throw new CurvatureError("shape", `${NAME} expects a diagonal of ${size} entries, got ${values.length}`);
  }
  if (values.every((value) => value >= 0 && value < Number.POSITIVE_INFINITY)) return values;
  throw new CurvatureError("argument", `${NAME} expects a diagonal of finite numbers, not negative`);
}
