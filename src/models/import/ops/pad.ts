import { normalizeAxis, scalar, type Value } from "../../../graph/index.ts";
import { broadcast, concat, pad, reshape, reverse, slice } from "../../../primitives/index.ts";
import { valueNamed } from "../../../tensors/index.ts";
import { bound, type ImportedNode, knownNumbers, listed, operand, string, unsupported } from "./importedNode.ts";
import type { OperatorTraits } from "./traits.ts";

/** Padding before and after x along an axis. */
type Margin = (x: Value, amount: { readonly axis: number; readonly before: number; readonly after: number }) => Value;

/** Margins around a tensor: a constant, its edge, its mirror image, or its other end; negative amounts cut off. */
export function Pad(node: ImportedNode): Value {
  const x = operand(node, 0);
  const pads = listed(node, "pads", 1);
  if (pads === undefined) throw unsupported(node, "lacks its amounts");
  const mode = string(node, "mode", "constant");
  const axes = (knownNumbers(node, 3) ?? x.shape.map((_, axis) => axis)).map((axis) =>
    normalizeAxis("Pad", axis, x.shape.length),
  );
  const margins = axes.map((axis, i) => ({ axis, before: pads[i], after: pads[i + axes.length] }));
  const cut = margins.reduce(cutOff, x);
  const around: Margin | undefined = mode === "constant" ? constantMargin(filler(node)) : valueNamed(MARGINS, mode);
  if (around === undefined) throw unsupported(node, `pads in mode "${mode}"`);
  return margins.reduce((result, { axis, before, after }) => {
    const amount = { axis, before: Math.max(before, 0), after: Math.max(after, 0) };
    const largest = Math.max(amount.before, amount.after);
    if (largest === 0) return result;
    const available = result.shape[axis] - (mode === "reflect" ? 1 : 0);
    if (mode !== "constant" && mode !== "edge" && largest > available) {
      throw unsupported(node, `pads by ${largest} in mode "${mode}", more than the ${available} elements there are`);
    }
    return around(result, amount);
  }, cut);
}
Pad.traits = { sizedBy: [{ position: 1, kind: "margins", type: "int64" }], formSince: 11 } satisfies OperatorTraits;

function cutOff(
  x: Value,
  { axis, before, after }: { readonly axis: number; readonly before: number; readonly after: number },
): Value {
  return slice(x, { axis, start: Math.max(-before, 0), limit: x.shape[axis] + Math.min(after, 0) });
}

const MARGINS: Readonly<Record<string, Margin>> = {
  edge(x, { axis, before, after }) {
    const dim = x.shape[axis];
    const repeated = (at: number, amount: number) =>
      broadcast(slice(x, { axis, start: at, limit: at + 1 }), sized(x, axis, amount));
    return joined([repeated(0, before), x, repeated(dim - 1, after)], axis);
  },
  reflect(x, { axis, before, after }) {
    const dim = x.shape[axis];
    const front = reverse(slice(x, { axis, start: 1, limit: 1 + before }), [axis]);
    const back = reverse(slice(x, { axis, start: dim - 1 - after, limit: dim - 1 }), [axis]);
    return joined([front, x, back], axis);
  },
  wrap(x, { axis, before, after }) {
    const dim = x.shape[axis];
    const front = slice(x, { axis, start: dim - before, limit: dim });
    return joined([front, x, slice(x, { axis, start: 0, limit: after })], axis);
  },
};

/** Value in the margin: one number, which may be a parameter. */
function filler(node: ImportedNode): Value {
  const value = node.inputs[2];
  return value === undefined ? scalar(bound(node, "value", 2) ?? 0) : reshape(value, []);
}

function constantMargin(value: Value): Margin {
  return (x, { axis, before, after }) => {
    if (value.uniform === 0) {
      const along = (amount: number) => x.shape.map((_, i) => (i === axis ? amount : 0));
      return pad(x, { before: along(before), after: along(after) });
    }
    return joined([broadcast(value, sized(x, axis, before)), x, broadcast(value, sized(x, axis, after))], axis);
  };
}

function sized(x: Value, axis: number, size: number): number[] {
  return x.shape.map((dim, i) => (i === axis ? size : dim));
}

function joined(parts: readonly Value[], axis: number): Value {
  return concat(
    parts.filter(({ shape }) => shape[axis] > 0),
    axis,
  );
}
