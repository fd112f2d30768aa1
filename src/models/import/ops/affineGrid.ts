import { constant, type Value } from "../../../graph/index.ts";
import { matmul, reshape, swapLastAxes } from "../../../primitives/index.ts";
import { sizeOf } from "../../../tensors/index.ts";
import { type ImportedNode, int, knownNumbers, operand, unsupported } from "./importedNode.ts";

/**
 * The places of a regular grid under the affine maps theta, [n, 2, 3] or [n, 3, 4], for GridSample: -1 and 1 are the edges of an image (or,
 * with align_corners, the middles of the outermost elements), the last axis first.
 */
export function AffineGrid(node: ImportedNode): Value {
  const theta = operand(node, 0);
  const size = knownNumbers(node, 1);
  if (size === undefined) throw unsupported(node, "lacks the size of its grid");
  const [rows, , ...spatial] = size;
  const aligned = int(node, "align_corners", 0) !== 0;
  const regular = constant({ data: regularGrid(spatial, aligned), dims: [sizeOf(spatial), spatial.length + 1] });
  return reshape(matmul(regular, swapLastAxes(theta)), [rows, ...spatial, spatial.length]);
}

/** Homogeneous coordinates of all elements, row-major: those of the last axis first, then 1. */
function regularGrid(spatial: readonly number[], aligned: boolean): Float64Array {
  const columns = spatial.length + 1;
  const grid = new Float64Array(sizeOf(spatial) * columns);
  for (let i = 0; i < grid.length / columns; i++) {
    let rest = i;
    for (let component = 0; component < spatial.length; component++) {
      const size = spatial[spatial.length - 1 - component];
      const at = rest % size;
      rest = Math.floor(rest / size);
      grid[i * columns + component] = aligned ? (size === 1 ? 0 : (2 * at) / (size - 1) - 1) : (2 * at + 1) / size - 1;
    }
    grid[(i + 1) * columns - 1] = 1;
  }
  return grid;
}
