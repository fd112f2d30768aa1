import type { Value } from "../../graph/index.ts";
import type { BatchLayer } from "../../operators/layers/batchLayer.ts";
import { mul, reduceSum, reshape } from "../../primitives/index.ts";

/** What the rows contribute to the gradient of a scale: the sum over positions of input times cotangent, [rows, ...shape as it enters]. */
export function scalePieces(layer: BatchLayer & { readonly kind: "affine" }, cotangent: Value): Value {
  const c = layer.arrange(cotangent);
  return summedTo(mul(c, layer.input!), layer.weight!.value);
}

/** What the rows contribute to the gradient of a shift or bias: the sum of the cotangent over positions, [rows, ...shape as it enters]. */
export function shiftPieces(layer: BatchLayer, cotangent: Value): Value {
  const c = layer.arrange(cotangent);
  const { value } = layer.bias!;
  return layer.kind === "affine" ? summedTo(c, value) : reshape(reduceSum(c, [1]), [c.shape[0], ...value.shape]);
}

/** Row by row, the sum over the axes along which a parameter is repeated. */
function summedTo(x: Value, { shape }: Value): Value {
  const [rows] = x.shape;
  const wide = [...new Array<number>(x.shape.length - shape.length).fill(1), ...shape];
  const repeated = wide.flatMap((dim, axis) => (axis > 0 && dim === 1 ? [axis] : []));
  return reshape(reduceSum(x, repeated), [rows, ...shape]);
}
