import type { Value } from "../../graph/index.ts";
import { permute, reshape } from "../../primitives/index.ts";
import { sizeOf } from "../../tensors/index.ts";
import type { FoundLayer, Place } from "./place.ts";
import { axisOfRows } from "./rowStrides.ts";

/** Recognizes an elementwise product with a parameter that all rows share. */
export function scaling({ value, operand, strides, rows }: Place): FoundLayer | undefined {
  const [weight, input] = [value.inputs[operand], value.inputs[1 - operand]];
  const split = splitRows(value, { strides, rows });
  const splitInput = splitRows(input, { strides, rows });
  if (split === undefined || splitInput === undefined) return undefined;
  const shared = split.shared(weight);
  // The input must have its rows on the same axis as the result, counted from the last.
  const isAligned = splitInput.fromLast === split.fromLast && splitInput.within === split.within;
  if (shared === undefined || !isAligned) return undefined;
  return { weight: shared, layer: { kind: "affine", input: splitInput.arrange(input), arrange: split.arrange } };
}

/** Recognizes a sum with a parameter that all rows share. */
export function shifting({ value, operand, strides, rows }: Place): FoundLayer | undefined {
  const split = splitRows(value, { strides, rows });
  const bias = split?.shared(value.inputs[operand]);
  return split && bias && { bias, layer: { kind: "affine", arrange: split.arrange } };
}

/** A value whose axis of rows is split into three: outside of the rows, the rows, and within the rows. */
interface SplitRows {
  /** The axis, counted from the last as 1. */
  readonly fromLast: number;
  /** Elements of the axis within a row. */
  readonly within: number;
  /** The value with the rows as first axis: [rows, ...before, outer, within, ...after]. */
  readonly arrange: (value: Value) => Value;
  /** An operand of the same layout without the rows, [..., 1, 1, ...after]; undefined if it differs along the rows. */
  readonly shared: (operand: Value) => Value | undefined;
}

function splitRows(value: Value, { strides, rows }: Pick<Place, "strides" | "rows">): SplitRows | undefined {
  const { shape } = value;
  const stride = strides.get(value);
  if (stride === undefined) return undefined;
  const axis = rows === 1 ? 0 : axisOfRows(shape, { stride, rows });
  if (axis === undefined || shape.length === 0) return undefined;
  const within = rows === 1 ? shape[0] : stride / sizeOf(shape.slice(axis + 1));
  const outer = shape[axis] / (rows * within);
  const [before, after] = [shape.slice(0, axis), shape.slice(axis + 1)];
  const order = [axis + 1, ...before.map((_, i) => i), axis, ...[...after, 0].map((_, i) => axis + 2 + i)];
  return {
    fromLast: shape.length - axis,
    within,
    arrange: (x) => permute(reshape(x, [...before, outer, rows, within, ...after]), order),
    shared(operand) {
      const at = operand.shape.length - (shape.length - axis);
      if (at < 0) return operand;
      const dim = operand.shape[at];
      if (dim !== 1 && rows > 1) return undefined;
      return reshape(operand, [...operand.shape.slice(0, at), 1, dim, ...operand.shape.slice(at + 1)]);
    },
  };
}
