import { constant, type Value } from "../../../graph/index.ts";
import { broadcast, cast, permute, reshape, where } from "../../../primitives/index.ts";
import { sizeOf } from "../../../tensors/index.ts";
import { type ImportedNode, int, ints, operand, outputShape, string, unsupported } from "./importedNode.ts";
import type { OperatorTraits } from "./traits.ts";

/** ONNX codes of element types that are floats here: float, float16, double, bfloat16. */
const FLOAT_CODES: ReadonlySet<number> = new Set([1, 10, 11, 16]);

/** The input itself. */
export function Identity(node: ImportedNode): Value {
  return operand(node, 0);
}
Identity.traits = { passes: "unchanged" } satisfies OperatorTraits;

/** The input itself: dropout in inference. Its mask, if asked for, keeps everything. */
export function Dropout(node: ImportedNode): readonly (Value | undefined)[] {
  const x = operand(node, 0);
  const shape = node.outputShapes[1];
  if (shape === undefined) return [x];
  const kept = constant({ data: new Uint8Array(sizeOf(shape)).fill(1), dims: shape, dtype: "bool" });
  return [x, node.opset < 10 ? cast(kept, "float") : kept];
}
Dropout.traits = { withoutDerivative: [1, 2], formSince: 12 } satisfies OperatorTraits;

/** Conversion to a float: the identity for floats, since the precision is the graph's. */
export function Cast(node: ImportedNode): Value {
  const to = int(node, "to", 1);
  if (!FLOAT_CODES.has(to)) throw unsupported(node, `converts to type ${to}, which has no derivative`);
  return cast(operand(node, 0), "float");
}
Cast.traits = {
  passes: "unchanged",
  nonDifferentiable: ({ attributes: { to } }) => to !== undefined && "int" in to && !FLOAT_CODES.has(to.int),
} satisfies OperatorTraits;

/** Conversion to the type of another tensor. */
export function CastLike(node: ImportedNode): Value {
  return cast(operand(node, 0), operand(node, 1).type);
}

/** a where the condition holds, else b; what is not taken gets derivative 0. */
export function Where(node: ImportedNode): Value {
  return where(operand(node, 0), operand(node, 1), operand(node, 2));
}

/** A matrix: axes before `axis` in one, the others in the other. */
export function Flatten(node: ImportedNode): Value {
  return reshaped(node);
}
Flatten.traits = { passes: "rearranged" } satisfies OperatorTraits;

/** The same elements in another shape. */
export function Reshape(node: ImportedNode): Value {
  return reshaped(node);
}
Reshape.traits = { passes: "rearranged" } satisfies OperatorTraits;

/** Without some axes of size 1. */
export function Squeeze(node: ImportedNode): Value {
  return reshaped(node);
}
Squeeze.traits = { passes: "rearranged", axesOperandSince: 13 } satisfies OperatorTraits;

/** With new axes of size 1. */
export function Unsqueeze(node: ImportedNode): Value {
  return reshaped(node);
}
Unsqueeze.traits = { passes: "rearranged", axesOperandSince: 13 } satisfies OperatorTraits;

/** The shape comes from ONNX Runtime, whichever form the operator set gives it in. */
function reshaped(node: ImportedNode): Value {
  return reshape(operand(node, 0), outputShape(node));
}

/** Axes in another order; reversed by default. */
export function Transpose(node: ImportedNode): Value {
  const x = operand(node, 0);
  return permute(x, ints(node, "perm") ?? x.shape.map((_, axis) => x.shape.length - 1 - axis));
}
Transpose.traits = { passes: "rearranged" } satisfies OperatorTraits;

/** Repeated along axes of size 1 and new leading axes. */
export function Expand(node: ImportedNode): Value {
  return broadcast(operand(node, 0), outputShape(node));
}
Expand.traits = {
  passes: "selected",
  sizedBy: [{ position: 1, kind: "sizes", type: "int64" }],
} satisfies OperatorTraits;

/** The whole tensor repeated along each axis. */
export function Tile(node: ImportedNode): Value {
  const x = operand(node, 0);
  const shape = outputShape(node);
  const repeats = shape.map((dim, axis) => (x.shape[axis] === 0 ? 1 : dim / x.shape[axis]));
  const split = reshape(
    x,
    x.shape.flatMap((dim) => [1, dim]),
  );
  const repeated = broadcast(
    split,
    x.shape.flatMap((dim, axis) => [repeats[axis], dim]),
  );
  return reshape(repeated, shape);
}
Tile.traits = {
  passes: "selected",
  sizedBy: [{ position: 1, kind: "factors", type: "int64" }],
} satisfies OperatorTraits;

/** Channels to blocks of pixels: `[n, c b b, h, w] -> [n, c, h b, w b]`, the block before (DCR) or behind (CRD) the channels. */
export function DepthToSpace(node: ImportedNode): Value {
  const x = operand(node, 0);
  const [n, depth, height, width] = x.shape;
  const block = int(node, "blocksize", 1);
  const channels = depth / block ** 2;
  const mode = string(node, "mode", "DCR");
  const ordered =
    mode === "CRD"
      ? permute(reshape(x, [n, channels, block, block, height, width]), [0, 1, 4, 2, 5, 3])
      : permute(reshape(x, [n, block, block, channels, height, width]), [0, 3, 4, 1, 5, 2]);
  return reshape(ordered, outputShape(node));
}

/** Blocks of pixels to channels: `[n, c, h b, w b] -> [n, b b c, h, w]`. */
export function SpaceToDepth(node: ImportedNode): Value {
  const x = operand(node, 0);
  const [n, channels, height, width] = x.shape;
  const block = int(node, "blocksize", 1);
  const blocks = reshape(x, [n, channels, height / block, block, width / block, block]);
  return reshape(permute(blocks, [0, 3, 5, 1, 2, 4]), outputShape(node));
}
