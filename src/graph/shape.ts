import { CurvatureError } from "../errors/index.ts";
import { formatDims } from "../tensors/index.ts";
import type { Shape } from "./primitive.ts";

/** Whether two shapes agree. */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, axis) => dim === b[axis]);
}

/**
 * Shape of an elementwise result by NumPy's broadcasting: shapes are aligned at the right, sizes must agree or be 1.
 *
 * @throws CurvatureError "shape"
 */
export function broadcastShapes(operation: string, shapes: readonly Shape[]): Shape {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    let size = 1;
    for (const shape of shapes) {
      const dim = shape[axis - rank + shape.length] ?? 1;
      if (dim !== 1 && size !== 1 && dim !== size) {
        throw new CurvatureError(
          "shape",
          `${operation}: shapes ${shapes.map((s) => formatDims(s)).join(" and ")} do not broadcast`,
        );
      }
      if (dim !== 1) size = dim;
    }
    return size;
  });
}

/**
 * An axis counted from the front.
 *
 * @throws CurvatureError "shape" for an axis outside -rank, ..., rank - 1
 */
export function normalizeAxis(operation: string, axis: number, rank: number): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    throw new CurvatureError("shape", `${operation}: axis ${axis} is outside a tensor of rank ${rank}`);
  }
  return axis < 0 ? axis + rank : axis;
}
