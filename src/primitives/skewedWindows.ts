import type { Shape, Value } from "../graph/index.ts";
import { broadcast, reduceSum } from "./broadcast.ts";
import { moveAxis, permute, reshape } from "./movement.ts";
import { pad, slice } from "./slice.ts";

/*
 * Windows along one axis by repeating it. Copies of a line of S elements, one behind the other and cut again into lines of S + dilation,
 * shift by one dilation a line: line k begins with element k dilation, so that column j holds position k of the window that
 * begins at j. The number of operations does not depend on the number of positions, as it does with a slice for each.
 */

/** Windows along one axis of a padded line. */
export interface LineWindows {
  /** Elements of the line. */
  readonly length: number;
  /** Positions in a window. */
  readonly positions: number;
  readonly dilation: number;
  readonly stride: number;
  /** Number of windows. */
  readonly count: number;
}

/** Elements of the copies of a line, and of the lines into which they are cut. */
function skew({ length, positions, dilation }: LineWindows) {
  const copies = Math.ceil((positions * (length + dilation)) / length);
  return { copies, cut: positions * (length + dilation) };
}

/** Contents of every window along the axis: [..., S, ...] becomes [..., positions, count, ...]. */
export function unfoldAxis(x: Value, axis: number, line: LineWindows): Value {
  if (line.stride > 1 && line.dilation === 1) return unfoldPhases(x, axis, line);
  const { length, positions, dilation, count } = line;
  const [before, after] = [x.shape.slice(0, axis), x.shape.slice(axis + 1)];
  const { copies, cut } = skew(line);
  const repeated = broadcast(reshape(x, [...before, 1, length, ...after]), [...before, copies, length, ...after]);
  const flat = slice(reshape(repeated, [...before, copies * length, ...after]), { axis, start: 0, limit: cut });
  const lines = reshape(flat, [...before, positions, length + dilation, ...after]);
  return everyStride(lines, axis + 1, line, [...before, positions, count, ...after]);
}

/** Elements 0, stride, 2 stride, ...: slices by steps are slow, so that the steps become an axis of which the first element is taken. */
function everyStride(lines: Value, axis: number, { stride, count }: LineWindows, shape: Shape): Value {
  const begun = resized(lines, axis, count * stride);
  if (stride === 1) return begun;
  const steps = reshape(begun, [...shape.slice(0, axis), count, stride, ...shape.slice(axis + 1)]);
  return reshape(slice(steps, { axis: axis + 1, start: 0, limit: 1 }), shape);
}

/** The transpose of `unfoldAxis`: windows [..., positions, count, ...] added back to the line. */
export function foldAxis(c: Value, axis: number, line: LineWindows): Value {
  if (line.stride > 1 && line.dilation === 1) return foldPhases(c, axis, line);
  const { length, positions, dilation, stride, count } = line;
  const [before, after] = [c.shape.slice(0, axis), c.shape.slice(axis + 2)];
  const { copies, cut } = skew(line);
  const steps = resized(reshape(c, [...before, positions, count, 1, ...after]), axis + 2, stride);
  const begun = reshape(steps, [...before, positions, count * stride, ...after]);
  const lines = resized(begun, axis + 1, length + dilation);
  const whole = resized(reshape(lines, [...before, cut, ...after]), axis, copies * length);
  return reduceSum(reshape(whole, [...before, copies, length, ...after]), [axis]);
}

/*
 * With strides, the elements r, r + stride, ... of the line lie side by side, one such phase behind the other, and windows slide by one
 * over all phases at once: position q stride + r begins with element q of phase r.
 */

/** Elements of a phase, rounds of positions, and the line of all phases, which is one element short so that skewing restores it. */
function phasesOf({ positions, stride, count }: LineWindows) {
  const rounds = Math.ceil(positions / stride);
  const size = count + rounds;
  const whole = stride * size;
  const slid = { length: whole - 1, positions: rounds, dilation: 1, stride: 1, count: whole };
  return { rounds, size, whole, slid };
}

function unfoldPhases(x: Value, axis: number, line: LineWindows): Value {
  const { positions, stride, count } = line;
  const [before, after] = [x.shape.slice(0, axis), x.shape.slice(axis + 1)];
  const { rounds, size, whole, slid } = phasesOf(line);
  const steps = reshape(resized(x, axis, whole), [...before, size, stride, ...after]);
  const phases = reshape(moveAxis(steps, axis + 1, axis), [...before, whole, ...after]);
  const seen = unfoldAxis(resized(phases, axis, whole - 1), axis, slid);
  const begun = resized(reshape(seen, [...before, rounds * stride, size, ...after]), axis + 1, count);
  return resized(begun, axis, positions);
}

/** The transpose of `unfoldPhases`. */
function foldPhases(c: Value, axis: number, line: LineWindows): Value {
  const [before, after] = [c.shape.slice(0, axis), c.shape.slice(axis + 2)];
  const { rounds, size, whole, slid } = phasesOf(line);
  const padded = resized(resized(c, axis, rounds * line.stride), axis + 1, size);
  const phases = foldAxis(reshape(padded, [...before, rounds, whole, ...after]), axis, slid);
  const apart = reshape(resized(phases, axis, whole), [...before, line.stride, size, ...after]);
  const steps = reshape(moveAxis(apart, axis, axis + 1), [...before, whole, ...after]);
  return resized(steps, axis, line.length);
}

/** x cut, or followed by zeros, to this size along an axis. */
function resized(x: Value, axis: number, size: number): Value {
  const missing = size - x.shape[axis];
  if (missing <= 0) return slice(x, { axis, start: 0, limit: size });
  return pad(x, { before: x.shape.map(() => 0), after: x.shape.map((_, i) => (i === axis ? missing : 0)) });
}

/** [N, C, P0, L0, P1, L1, ...] as [N, C, P0, P1, ..., L0, L1, ...]. */
export function positionsFirst(x: Value, spatialRank: number): Value {
  const axes = Array.from({ length: spatialRank }, (_, axis) => 2 + 2 * axis);
  return permute(x, [0, 1, ...axes, ...axes.map((axis) => axis + 1)]);
}

/** Undoes `positionsFirst`. */
export function positionsBesideCounts(x: Value, spatialRank: number): Value {
  const axes = Array.from({ length: spatialRank }, (_, axis) => [2 + axis, 2 + spatialRank + axis]);
  return permute(x, [0, 1, ...axes.flat()]);
}
