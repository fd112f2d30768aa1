import { CurvatureError } from "../errors/index.ts";
import { formatDims } from "../tensors/index.ts";
import type { Shape } from "./primitive.ts";

/** Whether two shapes agree. */
export function sameShape(a: Shape, b: Shape): boolean {
  for (let axis = 0; axis < a.length; axis++) if (a[axis] !== b[axis]) return false;
  return a.length === b.length;
}

/**
 * Shape of an elementwise result by NumPy's broadcasting: shapes are aligned at the right, sizes must agree or be 1.
 *
 * @throws CurvatureError "shape"
 */
export function broadcastShapes(operation: string, shapes: readonly Shape[]): Shape {
  let rank = 0;
  for (const { length } of shapes) rank = Math.max(rank, length);
  const result = new Array<number>(rank).fill(1);
  for (const shape of shapes) {
    const first = rank - shape.length;
    for (let axis = first; axis < rank; axis++) {
      const dim = shape[axis - first];
      if (dim === 1) continue;
      if (result[axis] !== 1 && result[axis] !== dim) {
        throw new CurvatureError(
          "shape",
          `${operation}: shapes ${shapes.map((s) => formatDims(s)).join(" and ")} do not broadcast`,
        );
      }
      result[axis] = dim;
    }
  }
  return result;
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
