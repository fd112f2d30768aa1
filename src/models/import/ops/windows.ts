import { type ImportedNode, ints, string, unsupported } from "./importedNode.ts";

/** Windows that slide over spatial axes, one number an axis. */
export interface NodeWindows {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly padsBefore: readonly number[];
  readonly padsAfter: readonly number[];
}

/**
 * Windows of a convolution or pooling as its attributes describe them. Padding asked for by name: VALID is none, SAME so much
 * that there are ceil(size / stride) windows, the larger half behind (SAME_UPPER) or in front (SAME_LOWER).
 */
export function windowsOf(
  node: ImportedNode,
  { spatial, kernel }: { readonly spatial: readonly number[]; readonly kernel: readonly number[] },
): NodeWindows {
  const all = (value: number) => spatial.map(() => value);
  const strides = ints(node, "strides") ?? all(1);
  const dilations = ints(node, "dilations") ?? all(1);
  const mode = string(node, "auto_pad", "NOTSET");
  if (mode === "VALID") return { kernel, strides, dilations, padsBefore: all(0), padsAfter: all(0) };
  if (mode === "NOTSET") {
    const pads = ints(node, "pads") ?? [...all(0), ...all(0)];
    if (pads.some((amount) => amount < 0)) throw unsupported(node, "has negative padding");
    const padsBefore = pads.slice(0, spatial.length);
    return { kernel, strides, dilations, padsBefore, padsAfter: pads.slice(spatial.length) };
  }
  if (mode !== "SAME_UPPER" && mode !== "SAME_LOWER") throw unsupported(node, `pads in mode "${mode}"`);
  const totals = spatial.map((size, axis) => {
    const extent = (kernel[axis] - 1) * dilations[axis] + 1;
    return Math.max(0, (Math.ceil(size / strides[axis]) - 1) * strides[axis] + extent - size);
  });
  const larger = totals.map((total) => Math.ceil(total / 2));
  const smaller = totals.map((total) => Math.floor(total / 2));
  const [padsBefore, padsAfter] = mode === "SAME_UPPER" ? [smaller, larger] : [larger, smaller];
  return { kernel, strides, dilations, padsBefore, padsAfter };
}
