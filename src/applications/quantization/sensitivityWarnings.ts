import type { TensorSensitivity } from "./sensitivity.ts";

/** Standard error over trace beyond which a trace says little. */
const VAGUE = 0.5;

/** What a reader of sensitivities should know before a plan is made of them. */
export function sensitivityWarnings(tensors: readonly TensorSensitivity[]): readonly string[] {
  return [...negativeTraces(tensors), ...vagueTraces(tensors), ...outsideRange(tensors)];
}

function negativeTraces(tensors: readonly TensorSensitivity[]): readonly string[] {
  const negative = tensors.filter(({ trace }) => trace.value < 0);
  if (negative.length === 0) return [];
  const listed = negative.map(({ name, trace }) => `"${name}" (${trace.value.toPrecision(3)})`).join(", ");
  return [
    `the matrix has a negative trace on ${listed}: omega then falls with the error and a plan by it rewards coarse rounding; take the Gauss-Newton matrix, or plan by "measured" changes`,
  ];
}

function vagueTraces(tensors: readonly TensorSensitivity[]): readonly string[] {
  const vague = tensors.filter(({ trace }) => trace.standardError > VAGUE * Math.abs(trace.value));
  if (vague.length === 0) return [];
  const listed = vague.map(({ name }) => `"${name}"`).join(", ");
  return [`the traces on ${listed} have standard errors above half their size; raise matvecs, or give the diagonal`];
}

function outsideRange(tensors: readonly TensorSensitivity[]): readonly string[] {
  return tensors.flatMap(({ name, choices }) => {
    const outside = choices.filter(({ isQuadratic }) => !isQuadratic);
    if (outside.length === 0) return [];
    const listed = outside.map(
      ({ bits, predicted, measured }) =>
        `${bits} bits (${predicted.toPrecision(3)} predicted, ${measured.toPrecision(3)} measured)`,
    );
    return [`"${name}" lies outside the range of the quadratic model at ${listed.join(", ")}`];
  });
}
