import type { Risk, RiskParameter } from "../../operators/index.ts";
import { layerPlan, type ParameterPlan, type PlannedMatrix } from "../../structured/plan/layerPlan.ts";
import { sizeOf } from "../../tensors/index.ts";

/** The axis of a tensor each of whose indices has a step of its own. */
export interface ChannelAxis {
  /** Absent where one step serves the whole tensor. */
  readonly axis?: number;
  /** Why it is that axis, or none. */
  readonly reason: string;
}

/**
 * The axis of output channels of each parameter of a risk, read off the layers that use it: axis 0 of a convolution's kernel [out, in, ...] and of a
 * Gemm's transposed weight [out, in], axis 1 of a matrix [in, out] and of a transposed convolution [in, out, ...], axis 0, the entries, of a table of
 * embeddings. A parameter that enters in another way, or with outputs along several axes, has none; the reason says so. No pass over the data.
 */
export async function outputAxes(risk: Risk): Promise<readonly ChannelAxis[]> {
  const { parameters } = await layerPlan(risk);
  return risk.parameters.map((parameter, index) => axisOf(parameter, parameters[index]!));
}

function axisOf(parameter: RiskParameter, plan: ParameterPlan): ChannelAxis {
  const { dims } = parameter;
  if (plan.form !== "matrices") return { reason: `one step: ${REASONS[plan.form]}` };
  if (dims.length < 2) return { reason: "one step: a tensor of one axis" };
  if (plan.matrices.some(({ isTable }) => isTable))
    return { axis: 0, reason: "axis 0: entries of a table of embeddings" };
  if (plan.matrices.every(({ sizes, groups }) => sizes[1] * groups === 1)) return { reason: "one step: one output" };
  const axes = new Set(plan.matrices.map((matrix) => outputAxis(matrix, parameter)));
  const [axis] = axes;
  if (axes.size !== 1 || axis === undefined) return { reason: "one step: its outputs lie along several axes" };
  return { axis, reason: `axis ${axis}: outputs of its layer` };
}

const REASONS = {
  layers: "a scale or shift, or a matrix used in several orientations",
  outside: "it enters outside of layers",
  unused: "the outputs do not depend on it",
} as const;

/** The axis along which the output of a matrix of the plan changes alone; undefined if there is none. */
function outputAxis({ sizes, groups, indices }: PlannedMatrix, { dims }: RiskParameter): number | undefined {
  const [inputs, outputs] = sizes;
  // Entries (group, in, out): neighbours in `out`, or, where a group has one output only, in `group`.
  const [next, count] = outputs > 1 ? [1, outputs] : [inputs * outputs, groups];
  if (count < 2) return undefined;
  const stride = indices[next]! - indices[0]!;
  const axis = dims.findIndex((size, k) => size > 1 && sizeOf(dims.slice(k + 1)) === stride);
  if (axis < 0) return undefined;
  const position = (entry: number) => Math.floor(indices[entry]! / stride) % dims[axis]!;
  const first = position(0);
  const steady = (k: number) => (position(k * next) - first + dims[axis]!) % dims[axis]! === k;
  return Array.from({ length: count }, (_, k) => k).every(steady) ? axis : undefined;
}
