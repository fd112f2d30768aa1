import type { Value } from "../../../graph/index.ts";
import { add, conv, convInputTranspose, reshape } from "../../../primitives/index.ts";
import { floats, type ImportedNode, int, ints, operand, outputShape, string, unsupported } from "./importedNode.ts";
import { activated } from "./namedActivation.ts";
import type { OperatorTraits } from "./traits.ts";
import { windowsOf } from "./windows.ts";

/** Convolution over 1 to 3 spatial axes, and a bias for each output channel. */
export function Conv(node: ImportedNode): Value {
  const [x, w] = [operand(node, 0), operand(node, 1)];
  checkAxes(node, x);
  const { kernel: _, ...windows } = windowsOf(node, { spatial: x.shape.slice(2), kernel: w.shape.slice(2) });
  return withBias(node, conv(x, w, { ...windows, groups: int(node, "group", 1) }));
}
Conv.traits = { linear: true, roles: [undefined, "weight", "bias"] } satisfies OperatorTraits;

/** Convolution, perhaps plus another tensor, and an activation function (ONNX Runtime's own). */
export function FusedConv(node: ImportedNode): Value {
  const y = Conv(node);
  const addend = node.inputs[3];
  const activation = { name: string(node, "activation", ""), parameters: floats(node, "activation_params") };
  return activated(node, addend === undefined ? y : add(y, addend), activation);
}
FusedConv.traits = { microsoft: true, roles: [undefined, "weight", "bias"] } satisfies OperatorTraits;

/** Transposed convolution over 1 to 3 spatial axes, and a bias for each output channel. */
export function ConvTranspose(node: ImportedNode): Value {
  const [x, w] = [operand(node, 0), operand(node, 1)];
  checkAxes(node, x);
  const spatial = outputShape(node).slice(2);
  const { strides, dilations, padsBefore, padsAfter } = transposedWindows(node, { x, w, spatial });
  const groups = int(node, "group", 1);
  return withBias(node, convInputTranspose(x, w, { spatial, strides, dilations, padsBefore, padsAfter, groups }));
}
ConvTranspose.traits = { linear: true, roles: [undefined, "weight", "bias"] } satisfies OperatorTraits;

function checkAxes(node: ImportedNode, { shape }: Value): void {
  if (shape.length < 3 || shape.length > 5) {
    throw unsupported(node, `has ${shape.length - 2} spatial axes, but 1 to 3 have a rule`);
  }
}

/** Where the output's size is asked for, padding is what makes it so: the larger half behind for SAME_UPPER, else in front. */
function transposedWindows(
  node: ImportedNode,
  { x, w, spatial }: { readonly x: Value; readonly w: Value; readonly spatial: readonly number[] },
) {
  const all = (value: number) => spatial.map(() => value);
  const kernel = w.shape.slice(2);
  const strides = ints(node, "strides") ?? all(1);
  const dilations = ints(node, "dilations") ?? all(1);
  const mode = string(node, "auto_pad", "NOTSET");
  const pads = ints(node, "pads") ?? [...all(0), ...all(0)];
  if (ints(node, "output_shape") === undefined && mode !== "SAME_UPPER" && mode !== "SAME_LOWER") {
    return { strides, dilations, padsBefore: pads.slice(0, spatial.length), padsAfter: pads.slice(spatial.length) };
  }
  const rest = ints(node, "output_padding") ?? all(0);
  const totals = spatial.map((size, axis) => {
    const extent = (kernel[axis] - 1) * dilations[axis] + 1;
    return Math.max(0, (x.shape[axis + 2] - 1) * strides[axis] + rest[axis] + extent - size);
  });
  const larger = totals.map((total) => Math.ceil(total / 2));
  const smaller = totals.map((total) => Math.floor(total / 2));
  return mode === "SAME_UPPER"
    ? { strides, dilations, padsBefore: smaller, padsAfter: larger }
    : { strides, dilations, padsBefore: larger, padsAfter: smaller };
}

function withBias(node: ImportedNode, y: Value): Value {
  const bias = node.inputs[2];
  return bias === undefined ? y : add(y, reshape(bias, [...bias.shape, ...y.shape.slice(2).map(() => 1)]));
}
