import { CurvatureError } from "../../errors/index.ts";
import type { LinearOperator, RunOptions } from "../../linalg/index.ts";
import { checkSquare } from "../../linalg/operator/checks.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import { callQuadraticForms } from "../../linalg/operator/quadraticForms.ts";
import { runToEnd } from "../../linalg/runs/runToEnd.ts";
import { combination, dot } from "../../linalg/vectors/vector.ts";
import type { Pattern } from "../../models/index.ts";
import { ggn, type Risk, type RiskParameter } from "../../operators/index.ts";
import type { Vector } from "../../tensors/index.ts";
import { evaluations } from "../evaluations.ts";
import { checkRiskFor } from "../sharpness/sharpnessRun.ts";
import { type ChannelAxis, outputAxes } from "./channelAxis.ts";
import { chosenTensors } from "./chosenTensors.ts";
import { predictedChange } from "./quadraticRange.ts";
import { type QuantizedWeightsOptions, quantizedWeights } from "./quantizedWeights.ts";
import { checkQuantizer, type QuantizerOptions } from "./quantizeTensor.ts";
import type { BitChoice, QuantizationSensitivity, TensorSensitivity } from "./sensitivity.ts";
import { sensitivityWarnings } from "./sensitivityWarnings.ts";
import { type BlockCurvature, type BlockCurvatureState, blockCurvatureSteps } from "./tensorCurvature.ts";

/** Options of `quantizationSensitivity`. */
export interface QuantizationSensitivityOptions extends QuantizerOptions, RunOptions {
  /** Bits to try for each tensor: 2 to 8, or 16 for float16; default 2, 4, 8. */
  readonly bits?: readonly number[] | undefined;
  /** Names or patterns of the tensors to quantize; default: weights and tables of two axes or more, not biases and scales. */
  readonly tensors?: Pattern | readonly Pattern[] | undefined;
  /**
   * "tensor", the default: one step a tensor. "output": a step for each output channel, along the axis that the layers show; the result says which. Or the axis of
   * each tensor by name; tensors that are not named have one step.
   */
  readonly channels?: "tensor" | "output" | { readonly [tensor: string]: number } | undefined;
  /** The curvature matrix of the mean loss, [size, size]; default `ggn(risk)`. */
  readonly matrix?: LinearOperator | undefined;
  /** The diagonal of that matrix, [size], where it is known: traces are then exact and cost nothing. */
  readonly diagonal?: Vector | undefined;
  /** Products for the traces, of all tensors at once; 100 by default. Exact from `risk.size` on. */
  readonly matvecs?: number | undefined;
  /** Seed of the random vectors. */
  readonly seed: number;
  /** Whether the largest eigenvalue of each block is computed; default true. Some tens of products a tensor. */
  readonly eigenvalues?: boolean | undefined;
  /**
   * Options of `quantizedWeights`, such as compensation: errors are then those of weights rounded so, as the plan's will be. Omega, which knows the size of errors
   * alone, says little of compensated ones: plan by "predicted" or "measured".
   */
  readonly rounding?: QuantizedWeightsOptions | undefined;
  /** Where an earlier run with the same options stopped. */
  readonly state?: QuantizationSensitivityState | undefined;
}

/** What is computed after some tensors. Plain data. */
export interface QuantizationSensitivityState {
  readonly method: "quantizationSensitivity";
  readonly columns: number;
  readonly matvecs: number;
  readonly curvature: BlockCurvatureState;
  /** Choices of the tensors that are done, in order. */
  readonly choices: readonly (readonly BitChoice[])[];
}

const NAME = "quantizationSensitivity";

/**
 * Sensitivity of the loss to rounding the weights of each tensor, others kept: HAWQ's largest eigenvalue and HAWQ-V2's trace of the tensor's block of a
 * curvature matrix A, the change to second order `g'd + d'A d / 2` for the rounding errors d themselves, and the measured change, for each number of bits.
 *
 * Costs one gradient, `matvecs` products for all traces together (none with `diagonal`), some tens of products a tensor for eigenvalues, and for each tensor and number of
 * bits one quadratic form (half a product or one) and one value of the loss.
 *
 * @throws CurvatureError "argument" for options out of range and patterns without a match, "shape" for a matrix of another size, "aborted"
 *   when the signal fires, with `state`
 */
export async function quantizationSensitivity(
  risk: Risk,
  options: QuantizationSensitivityOptions,
): Promise<QuantizationSensitivity> {
  return runToEnd(quantizationSensitivitySteps(risk, options));
}

/** The run of `quantizationSensitivity`; yields a state after each block of products and each tensor, from which `state` resumes it. */
export async function* quantizationSensitivitySteps(
  risk: Risk,
  options: QuantizationSensitivityOptions,
): AsyncGenerator<QuantizationSensitivityState, QuantizationSensitivity, void> {
  const setup = await checkedSetup(risk, options);
  const { tensors, bits, scheme, scale } = setup;
  const restored = options.state;
  checkResumed(restored, tensors.length);
  let choices = restored?.choices ?? [];
  const stateOf = (curvature: BlockCurvatureState): QuantizationSensitivityState => ({
    method: NAME,
    columns: risk.size,
    matvecs: curvature.matvecs + choices.length * bits.length,
    curvature,
    choices,
  });
  const curvatures = blockCurvatureSteps(setup.matrix, { ...options, tensors, state: restored?.curvature });
  let next = await curvatures.next();
  for (; next.done !== true; next = await curvatures.next()) yield stateOf(next.value);
  const { blocks, state: curvature } = next.value;
  const evaluate = evaluations(risk, options);
  const theta = risk.theta();
  const run = options.signal ? { signal: options.signal } : {};
  const [loss, gradient] = [await evaluate.loss(theta), await risk.gradient(run)];
  for (let i = choices.length; i < tensors.length; i++) {
    options.onProgress?.({ stage: "rounding of tensors", done: i, total: tensors.length });
    const state = stateOf(curvature);
    const found = choicesOf(setup, {
      tensor: tensors[i]!,
      axis: setup.axes[i]!,
      block: blocks[i]!,
      theta,
      gradient,
      loss,
      evaluate,
      run,
    });
    choices = [...choices, await withState(found, { state, signal: options.signal })];
    yield stateOf(curvature);
  }
  const sensitivities = tensors.map((tensor, i) =>
    tensorOf(tensor, { axis: setup.axes[i]!, block: blocks[i]!, choices: choices[i]! }),
  );
  return {
    loss,
    bits,
    scheme,
    scale,
    tensors: sensitivities,
    warnings: sensitivityWarnings(sensitivities),
    losses: 1 + tensors.length * bits.length,
    gradients: 1,
    matvecs: stateOf(curvature).matvecs,
  };
}

interface Setup extends Required<Pick<QuantizationSensitivity, "bits" | "scheme" | "scale">> {
  readonly risk: Risk;
  readonly matrix: LinearOperator;
  readonly rounding: QuantizedWeightsOptions;
  readonly tensors: readonly RiskParameter[];
  readonly axes: readonly ChannelAxis[];
}

async function checkedSetup(risk: Risk, options: QuantizationSensitivityOptions): Promise<Setup> {
  checkRiskFor(NAME, risk);
  checkOptions(
    NAME,
    options,
    "bits tensors channels matrix diagonal matvecs seed eigenvalues rounding scheme scale state signal onProgress",
  );
  const { bits = [2, 4, 8], scheme = "symmetric", scale = "max", matrix = ggn(risk) } = options;
  if (!Array.isArray(bits) || bits.length === 0 || new Set(bits).size < bits.length) {
    throw new CurvatureError("argument", `${NAME} expects bits to be a list of different numbers, got ${String(bits)}`);
  }
  checkQuantizer(NAME, { bits, scheme, scale });
  checkSquare(NAME, matrix);
  if (matrix.shape[0] !== risk.size) {
    throw new CurvatureError(
      "shape",
      `${NAME} expects a matrix of ${risk.size} rows for the parameters of the risk, got ${matrix.shape[0]}`,
    );
  }
  const tensors = chosenTensors(NAME, risk, options.tensors);
  return {
    risk,
    matrix,
    rounding: options.rounding ?? {},
    bits: [...bits].sort((a, b) => a - b),
    scheme,
    scale,
    tensors,
    axes: await axesOf(risk, tensors, options),
  };
}

async function axesOf(
  risk: Risk,
  tensors: readonly RiskParameter[],
  { channels = "tensor" }: QuantizationSensitivityOptions,
): Promise<readonly ChannelAxis[]> {
  if (channels === "tensor") return tensors.map(() => ({ reason: "one step: as asked" }));
  if (channels === "output") {
    const axes = await outputAxes(risk);
    return tensors.map((tensor) => axes[risk.parameters.indexOf(tensor)]!);
  }
  if (typeof channels !== "object" || channels === null) {
    throw new CurvatureError(
      "argument",
      `${NAME} expects channels "tensor", "output" or axes by tensor name, got ${String(channels)}`,
    );
  }
  const unknown = Object.keys(channels).find((name) => !tensors.some((tensor) => tensor.name === name));
  if (unknown !== undefined) {
    const known = tensors.map(({ name }) => name).join(", ");
    throw new CurvatureError("argument", `${NAME} quantizes no tensor "${unknown}" of channels; it has ${known}`);
  }
  return tensors.map(({ name }) =>
    Object.hasOwn(channels, name)
      ? { axis: channels[name]!, reason: `axis ${channels[name]}: as asked` }
      : { reason: "one step: as asked" },
  );
}

function checkResumed(state: QuantizationSensitivityState | undefined, tensors: number): void {
  if (state === undefined || (state.method === NAME && state.choices.length <= tensors)) return;
  throw new CurvatureError(
    "argument",
    `${NAME} expects the state of a run on ${tensors} tensors, got one of ${String(state.method)} on ${state.choices?.length}`,
  );
}

async function withState<T>(
  work: Promise<T>,
  { state, signal }: { readonly state: QuantizationSensitivityState; readonly signal: AbortSignal | undefined },
): Promise<T> {
  return work.catch((cause: unknown) => {
    if (!signal?.aborted) throw cause;
    const message = `${NAME} was aborted after ${state.choices.length} tensors`;
    throw new CurvatureError("aborted", message, { state, cause });
  });
}

interface ChoiceRequest {
  readonly tensor: RiskParameter;
  readonly axis: ChannelAxis;
  readonly block: BlockCurvature;
  readonly theta: Vector;
  readonly gradient: Vector;
  readonly loss: number;
  readonly evaluate: ReturnType<typeof evaluations>;
  readonly run: Pick<RunOptions, "signal">;
}

async function choicesOf(setup: Setup, request: ChoiceRequest): Promise<readonly BitChoice[]> {
  const { risk, bits, scheme, scale, matrix, rounding } = setup;
  const { tensor, axis, block, theta, gradient, loss, evaluate, run } = request;
  const { name, size } = tensor;
  const choices: BitChoice[] = [];
  for (const each of bits) {
    const planned = { name, bits: each, ...(axis.axis !== undefined && { axis: axis.axis }) };
    const moved = await quantizedWeights(risk, { scheme, scale, tensors: [planned] }, { ...rounding, ...run });
    const d = combination([1, moved.theta], [-1, theta], { dtype: risk.dtype });
    const { squaredError } = moved.tensors[0]!;
    const column = { rows: d.length, columns: 1, data: d };
    const [form] = await callQuadraticForms(matrix, column, { name: NAME, options: run });
    const measured = (await evaluate.loss(moved.theta)) - loss;
    const change = predictedChange({ linear: dot(gradient, d), halfQuadratic: form! / 2, measured, loss });
    const factor = squaredError / size;
    const omega = { value: factor * block.trace.value, standardError: factor * block.trace.standardError };
    choices.push({ bits: each, squaredError, omega, ...change });
  }
  return choices;
}

function tensorOf(
  { name, dims, size }: RiskParameter,
  {
    axis,
    block,
    choices,
  }: { readonly axis: ChannelAxis; readonly block: BlockCurvature; readonly choices: readonly BitChoice[] },
): TensorSensitivity {
  const { trace, largestEigenvalue } = block;
  return {
    name,
    dims,
    size,
    ...axis,
    trace,
    ...(largestEigenvalue && { largestEigenvalue, hawq: largestEigenvalue.value / size }),
    choices,
  };
}
