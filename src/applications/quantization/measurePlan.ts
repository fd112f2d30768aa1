import type { LinearOperator, RunOptions } from "../../linalg/index.ts";
import { checkSquare } from "../../linalg/operator/checks.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import { callQuadraticForms } from "../../linalg/operator/quadraticForms.ts";
import { combination, dot } from "../../linalg/vectors/vector.ts";
import { ggn, type Risk } from "../../operators/index.ts";
import { accuracy } from "../accuracy.ts";
import type { EvaluationCost } from "../evaluations.ts";
import { checkRiskFor } from "../sharpness/sharpnessRun.ts";
import { type PredictedChange, predictedChange } from "./quadraticRange.ts";
import type { QuantizedWeights } from "./quantizedWeights.ts";

/** Options of `measurePlan`. */
export interface MeasurePlanOptions extends RunOptions {
  readonly weights: QuantizedWeights;
  /** The curvature matrix of the prediction, [size, size]; default `ggn(risk)`. */
  readonly matrix?: LinearOperator | undefined;
  /** The same model on test rows, as `risk.on(data)` gives it. */
  readonly test?: Risk | undefined;
}

/** Loss and accuracy before and after quantization. */
export interface MeasuredLoss {
  readonly lossBefore: number;
  readonly loss: number;
  /** Share of rows whose largest output is the label; absent without class labels. */
  readonly accuracyBefore?: number;
  readonly accuracy?: number;
}

/** A plan's change of the loss, predicted with all cross terms between tensors, and measured. */
export interface PlanLoss extends MeasuredLoss, PredictedChange, EvaluationCost {
  readonly test?: MeasuredLoss;
  /** One sentence each; empty if there is nothing to say. */
  readonly warnings: readonly string[];
}

const NAME = "measurePlan";

/**
 * Change of the loss with quantized weights: to second order, `g'd + d'A d / 2` for the errors d of all tensors together, so with the cross terms between
 * tensors that sums of single tensors lack, and measured. One gradient, one quadratic form, two values of the loss, and two forward passes for accuracies; four more
 * forward passes for test rows.
 *
 * @throws CurvatureError "argument" or "shape" for options it cannot take, "aborted" when the signal fires
 */
export async function measurePlan(risk: Risk, options: MeasurePlanOptions): Promise<PlanLoss> {
  checkRiskFor(NAME, risk);
  checkOptions(NAME, options, "weights matrix test signal onProgress");
  const { weights, matrix = ggn(risk), test, signal } = options;
  checkSquare(NAME, matrix);
  const run = signal ? { signal } : {};
  const d = combination([1, weights.theta], [-1, risk.theta()], { dtype: risk.dtype });
  const [form] = await callQuadraticForms(
    matrix,
    { rows: d.length, columns: 1, data: d },
    { name: NAME, options: run },
  );
  const linear = dot(await risk.gradient(run), d);
  const own = await measured(risk, weights, run);
  const change = predictedChange({
    linear,
    halfQuadratic: form! / 2,
    measured: own.loss - own.lossBefore,
    loss: own.lossBefore,
  });
  return {
    ...own,
    ...change,
    ...(test && { test: await measured(test, weights, run) }),
    warnings: change.isQuadratic
      ? []
      : [
          `the plan lies outside the range of the quadratic model: it predicts a change of ${change.predicted.toPrecision(3)}, measured is ${change.measured.toPrecision(3)}`,
        ],
    losses: 2,
    gradients: 1,
    matvecs: 1,
  };
}

/** Loss and accuracy of a risk before and with quantized weights. */
async function measured(
  risk: Risk,
  { theta }: QuantizedWeights,
  run: Pick<RunOptions, "signal">,
): Promise<MeasuredLoss> {
  const moved = risk.at(theta);
  try {
    const [accuracyBefore, share] = [await accuracy(risk, run), await accuracy(moved, run)];
    return {
      lossBefore: await risk.loss(run),
      loss: await moved.loss(run),
      ...(accuracyBefore !== undefined && { accuracyBefore }),
      ...(share !== undefined && { accuracy: share }),
    };
  } finally {
    await moved.dispose();
  }
}
