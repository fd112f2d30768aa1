import type { AffineForm, Value } from "../../graph/index.ts";
import { reshape, swapLastAxes } from "../../primitives/index.ts";
import { isArrangeable, type RowArrangement, rowsFirst } from "./arrange.ts";
import type { LinearLayer } from "./batchLayer.ts";
import type { FoundLayer, Place } from "./place.ts";

/** Recognizes a matrix product with a parameter. A parameter on the left is handled by transposition: (W X)' = X' W'. */
export function linear(
  { value, operand, strides, rows }: Place,
  { transposed }: AffineForm & { readonly kind: "product" },
): FoundLayer | undefined {
  const [weight, x] = [asMatrix(value.inputs[operand]), value.inputs[1 - operand]];
  const isLeft = operand === 0;
  if (weight.shape.length !== 2 || (isLeft && value.shape.length !== x.shape.length)) return undefined;
  const matrix = transposed[operand] === isLeft ? weight : swapLastAxes(weight);
  const [inputs, outputs] = matrix.shape;
  const input = transposed[1 - operand] === isLeft ? x : swapLastAxes(x);
  // Strides are counted in the layout where the vectors of a position lie along the last axis.
  const stride = positionStride(value, { isLeft, strides, rows });
  if (stride === undefined) return undefined;
  const of = (size: number): RowArrangement => ({ rows, stride: stride * size, size });
  if (!isArrangeable(of(outputs))) return undefined;
  const layer: Pick<LinearLayer, "kind" | "input" | "arrange"> = {
    kind: "linear",
    input: rowsFirst(input, of(inputs)),
    arrange: (result) => rowsFirst(isLeft ? swapLastAxes(result) : result, of(outputs)),
  };
  return { layer, weight: matrix };
}

/** The weight without leading axes of size 1. */
function asMatrix(weight: Value): Value {
  const { shape } = weight;
  return shape.slice(0, -2).every((dim) => dim === 1) ? reshape(weight, shape.slice(-2)) : weight;
}

/** Number of positions from one row to the next. */
function positionStride(
  value: Value,
  { isLeft, strides, rows }: Pick<Place, "strides" | "rows"> & { readonly isLeft: boolean },
): number | undefined {
  const stride = strides.get(value);
  const [outputs, positions] = isLeft ? value.shape.slice(-2) : [value.shape[value.shape.length - 1], 0];
  if (rows === 1) return 1;
  if (stride === undefined) return undefined;
  if (!isLeft) return stride % outputs === 0 ? stride / outputs : undefined;
  // [..., outputs, positions]: rows lie along the positions, or outside of the matrices.
  if (stride < positions) return stride;
  return stride % (outputs * positions) === 0 ? (stride / (outputs * positions)) * positions : undefined;
}
