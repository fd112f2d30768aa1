import type { Value } from "../../../graph/index.ts";
import { fold, reshape } from "../../../primitives/index.ts";
import { sizeOf } from "../../../tensors/index.ts";
import { type ImportedNode, ints, knownNumbers, operand, unsupported } from "./importedNode.ts";

/** Blocks [n, c p, l] added to the places of an image [n, c, ...] from which they would be cut: the transpose of im2col. */
export function Col2Im(node: ImportedNode): Value {
  const x = operand(node, 0);
  const spatial = knownNumbers(node, 1);
  const kernel = knownNumbers(node, 2);
  if (spatial === undefined || kernel === undefined) throw unsupported(node, "lacks the shape of its image or blocks");
  const each = spatial.map(() => 1);
  const strides = ints(node, "strides") ?? each;
  const dilations = ints(node, "dilations") ?? each;
  const pads = ints(node, "pads") ?? [...each, ...each].map(() => 0);
  const [padsBefore, padsAfter] = [pads.slice(0, spatial.length), pads.slice(spatial.length)];
  const counts = spatial.map((size, axis) => {
    const extent = (kernel[axis] - 1) * dilations[axis] + 1;
    return Math.floor((size + padsBefore[axis] + padsAfter[axis] - extent) / strides[axis]) + 1;
  });
  const [rows, columns] = x.shape;
  const positions = sizeOf(kernel);
  const blocks = reshape(x, [rows, columns / positions, positions, ...counts]);
  return fold(blocks, { kernel, strides, dilations, padsBefore, padsAfter, spatial });
}
