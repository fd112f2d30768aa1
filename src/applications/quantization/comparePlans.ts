import type { LinearOperator, RunOptions } from "../../linalg/index.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import type { Risk } from "../../operators/index.ts";
import { type BitPlan, bitPlan, type PlanObjective, uniformPlan } from "./bitPlan.ts";
import { measurePlan, type PlanLoss } from "./measurePlan.ts";
import type { QuantizationPlan } from "./quantizationPlan.ts";
import { type QuantizedWeightsOptions, quantizedWeights } from "./quantizedWeights.ts";
import type { QuantizationSensitivity } from "./sensitivity.ts";

/** Options of `comparePlans`. */
export interface ComparePlansOptions extends RunOptions {
  /** Bits of the uniform quantizations to compare with; default: those of the sensitivity. */
  readonly bits?: readonly number[] | undefined;
  /** The objective of the plans; default "omega". */
  readonly objective?: PlanObjective | undefined;
  /** The curvature matrix of the predictions; default `ggn(risk)`. */
  readonly matrix?: LinearOperator | undefined;
  /** The same model on test rows. */
  readonly test?: Risk | undefined;
  /** Options of `quantizedWeights`, for both. */
  readonly rounding?: QuantizedWeightsOptions | undefined;
}

/** A uniform quantization and the plan of at most its size. */
export interface PlanComparison {
  /** Bits of all tensors in the uniform quantization. */
  readonly bits: number;
  readonly uniform: PlanLoss;
  readonly plan: BitPlan;
  readonly planned: PlanLoss;
}

const NAME = "comparePlans";

/**
 * Plans against uniform bits at equal size: for each number of bits the loss with all tensors at these bits, and with the plan of `bitPlan` of at most that
 * size, both predicted and measured. Two `measurePlan` a number of bits.
 *
 * @throws CurvatureError "argument" for options out of range, "aborted" when the signal fires
 */
export async function comparePlans(
  risk: Risk,
  sensitivity: QuantizationSensitivity,
  options: ComparePlansOptions = {},
): Promise<readonly PlanComparison[]> {
  checkOptions(NAME, options, "bits objective matrix test rounding signal onProgress");
  const { bits = sensitivity.bits, objective = "omega", matrix, test, rounding = {}, signal, onProgress } = options;
  const run = signal ? { signal } : {};
  const lossOf = async (plan: QuantizationPlan) => {
    const weights = await quantizedWeights(risk, plan, { ...rounding, ...run });
    return measurePlan(risk, { weights, ...(matrix && { matrix }), ...(test && { test }), ...run });
  };
  const comparisons: PlanComparison[] = [];
  for (const each of bits) {
    onProgress?.({ stage: "plans against uniform bits", done: comparisons.length, total: bits.length });
    const plan = bitPlan(sensitivity, { budget: { averageBits: each }, objective, resamples: 0, frontPoints: 2 });
    const uniform = await lossOf(uniformPlan(sensitivity, each));
    const isUniform = plan.tensors.every((tensor) => tensor.bits === each);
    comparisons.push({ bits: each, uniform, plan, planned: isUniform ? uniform : await lossOf(plan) });
  }
  return comparisons;
}
