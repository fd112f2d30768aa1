import type { Value } from "../../graph/index.ts";
import { reshapedFrom } from "../../primitives/index.ts";
import { sizeOf } from "../../tensors/index.ts";

/**
 * Strides of the batch's rows in each value: element e belongs to row floor(e / stride) mod rows. Values without an entry do not depend on
 * the inputs, or their rows cannot be determined.
 *
 * Strides are propagated from the inputs, whose first axis is the rows, through the operations. Reshapes keep the order of elements; other
 * operations declare how their axes map.
 *
 * @param order topological
 */
export function rowStrides(
  order: readonly Value[],
  { inputs, rows }: { readonly inputs: readonly Value[]; readonly rows: number },
): ReadonlyMap<Value, number> {
  const strides = new Map<Value, number>();
  for (const input of inputs) if (input.shape[0] === rows) strides.set(input, sizeOf(input.shape.slice(1)));
  for (const value of order) {
    if (strides.has(value)) continue;
    const found = new Set(
      value.inputs.flatMap((_, operand) => throughOperand(value, operand, { strides, rows }) ?? []),
    );
    const [stride] = found;
    if (found.size === 1) strides.set(value, stride);
  }
  return strides;
}

interface Known {
  readonly strides: ReadonlyMap<Value, number>;
  readonly rows: number;
}

/** The stride of a result, derived from that of one operand. */
function throughOperand(value: Value, operand: number, { strides, rows }: Known): number | undefined {
  const x = value.inputs[operand];
  const stride = strides.get(x);
  if (stride === undefined) return undefined;
  if (reshapedFrom(value) !== undefined) return stride;
  const axis = axisOfRows(x.shape, { stride, rows });
  if (axis === undefined) return undefined;
  const to = axisInResult(value, operand, axis);
  if (to === undefined || value.shape[to] !== x.shape[axis]) return undefined;
  return (stride / inner(x.shape, axis)) * inner(value.shape, to);
}

/** The axis along which rows change; it may also hold other elements. */
export function axisOfRows(
  shape: readonly number[],
  { stride, rows }: { readonly stride: number; readonly rows: number },
): number | undefined {
  const axis = shape.findIndex((dim, i) => {
    const within = stride / inner(shape, i);
    return Number.isInteger(within) && dim % (within * rows) === 0;
  });
  return axis < 0 ? undefined : axis;
}

function inner(shape: readonly number[], axis: number): number {
  return sizeOf(shape.slice(axis + 1));
}

function axisInResult(value: Value, operand: number, axis: number): number | undefined {
  const { primitive, shape, inputs } = value;
  const declared = primitive.axes?.(value)[operand];
  if (declared !== undefined) return declared[axis] ?? undefined;
  const offset = shape.length - inputs[operand].shape.length;
  if (primitive.elementwise || primitive.sums) return axis + offset;
  return offset === 0 || axis === 0 ? axis : undefined;
}
