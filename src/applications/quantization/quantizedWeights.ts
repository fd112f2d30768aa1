import { CurvatureError } from "../../errors/index.ts";
import type { RunOptions } from "../../linalg/index.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import type { Risk, RiskParameter } from "../../operators/index.ts";
import type { StructuredOperator } from "../../structured/structuredOperator.ts";
import type { Vector } from "../../tensors/index.ts";
import { type CompensatedLayer, type CompensationOrder, compensatedTensors } from "./compensatedTensors.ts";
import type { PlannedTensor, QuantizationPlan } from "./quantizationPlan.ts";
import { type QuantizedTensor, quantizeTensor } from "./quantizeTensor.ts";

/** Options of `quantizedWeights`. */
export interface QuantizedWeightsOptions extends RunOptions {
  /**
   * Rounds entry after entry and lets the entries that are still free make up for the error (Frantar et al., 2023), by the inverse of these blocks:
   * input second moments as `kfac(risk, { of: "inputs" })` has them, factors of another matrix, or `blockDiagonal(risk, { by: "parameter" })`.
   * Default: each weight is rounded to its nearest point.
   */
  readonly compensation?: StructuredOperator | undefined;
  /** Damping of these blocks as a share of their mean diagonal; default 0.01. */
  readonly damping?: number | undefined;
  /** Order in which entries are rounded: as stored (default), or by falling diagonal of the block, most used inputs first. */
  readonly order?: CompensationOrder | undefined;
}

/** The weights of a network with some tensors on grids. */
export interface QuantizedWeights {
  /** All weights of the risk, [size]: those of the plan rounded, the others as they were. */
  readonly theta: Vector;
  /** The tensors of the plan, in its order. */
  readonly tensors: readonly (QuantizedTensor & { readonly name: string })[];
  /** The tensors that were rounded with compensation, and those that could not be; absent without `compensation`. */
  readonly compensated?: readonly CompensatedLayer[];
}

const NAME = "quantizedWeights";

/**
 * Rounds the tensors of a plan, at the weights of a risk. Steps are those of the weights before rounding, with and without compensation. No pass
 * over the data.
 *
 * With compensation a tensor of n outputs and m inputs takes m^3 + m^2 n operations, an exact block of d weights d^3.
 *
 * @throws CurvatureError "argument" for tensors that the risk does not have, bits or axes out of range, and blocks of several tensors
 */
export async function quantizedWeights(
  risk: Risk,
  plan: QuantizationPlan,
  options: QuantizedWeightsOptions = {},
): Promise<QuantizedWeights> {
  checkOptions(NAME, options, "compensation damping order signal onProgress");
  const theta = risk.theta();
  const parameters = plan.tensors.map(({ name }) => parameterNamed(NAME, risk, name));
  const rounded = plan.tensors.map((planned, i) => roundedTensor(theta, { parameter: parameters[i]!, planned, plan }));
  const { compensation } = options;
  if (compensation === undefined) return { theta: withTensors(theta, parameters, rounded), tensors: rounded };
  const { tensors, layers } = await compensatedTensors(theta, { ...options, compensation, plan, parameters, rounded });
  return { theta: withTensors(theta, parameters, tensors), tensors, compensated: layers };
}

/**
 * The parameter of a risk of some name.
 *
 * @throws CurvatureError "argument"
 */
export function parameterNamed(caller: string, risk: Risk, name: string): RiskParameter {
  const found = risk.parameters.find((each) => each.name === name);
  if (found !== undefined) return found;
  const known = risk.parameters.map((each) => each.name).slice(0, 10);
  throw new CurvatureError(
    "argument",
    `${caller} finds no parameter "${name}" in the risk; it has ${known.join(", ")}${risk.parameters.length > 10 ? ", ..." : ""}`,
  );
}

function roundedTensor(
  theta: Vector,
  {
    parameter,
    planned,
    plan,
  }: { readonly parameter: RiskParameter; readonly planned: PlannedTensor; readonly plan: QuantizationPlan },
): QuantizedTensor & { readonly name: string } {
  const { name, dims, offset, size } = parameter;
  const { bits, axis } = planned;
  const { scheme, scale } = plan;
  const own = theta.subarray(offset, offset + size);
  return { name, ...quantizeTensor(own, { dims, bits, scheme, scale, ...(axis !== undefined && { axis }) }) };
}

function withTensors(theta: Vector, parameters: readonly RiskParameter[], tensors: readonly QuantizedTensor[]): Vector {
  const moved = theta.slice();
  parameters.forEach(({ offset }, i) => {
    moved.set(tensors[i]!.values, offset);
  });
  return moved;
}
