import { sizeOf } from "../../../tensors/index.ts";
import type { KnownNode, KnownValue } from "./knownValue.ts";

type Dims = readonly number[];
/** Shape of the first output; undefined where the operands do not tell it, or do not fit. */
type ShapeRule = (node: KnownNode) => Dims | undefined;

const ELEMENTWISE: ReadonlySet<string> = new Set(
  "Abs Acos Acosh Asin Asinh Atan Atanh Cast CastLike Ceil Celu Clip Cos Cosh CumSum Dropout Elu Erf Exp Floor Gelu HardSigmoid HardSwish Hardmax Identity IsInf IsNaN LayerNormalization LeakyRelu Log LogSoftmax LpNormalization Mish Neg Not Reciprocal Relu Round Selu Sigmoid Sign Sin Sinh Softmax Softplus Softsign Sqrt Swish Tan Tanh ThresholdedRelu Trilu BatchNormalization InstanceNormalization GroupNormalization".split(
    " ",
  ),
);

const BROADCAST: ReadonlySet<string> = new Set(
  "Add And BitShift BitwiseAnd BitwiseOr BitwiseXor Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min Mod Mul Or PRelu Pow Sub Sum Where Xor".split(
    " ",
  ),
);

/**
 * Shape of a node's first output, for the operators that most files are full of; undefined for the others. All others are left to ONNX Runtime's
 * inference, which is as exact and some hundred times slower.
 */
export function shapeByRule(node: KnownNode): Dims | undefined {
  if (ELEMENTWISE.has(node.op)) return node.inputs[0]?.dims;
  if (BROADCAST.has(node.op)) return broadcast(node.inputs.map((value) => value?.dims));
  return Object.hasOwn(RULES, node.op) ? RULES[node.op](node) : undefined;
}

const RULES: Readonly<Record<string, ShapeRule>> = {
  Concat({ inputs, integers }) {
    const shapes = inputs.map((value) => value?.dims);
    const [first] = shapes;
    const axis = axisOf(integers("axis")?.[0] ?? 0, first?.length);
    if (first === undefined || axis === undefined || shapes.some((dims) => dims === undefined)) return undefined;
    return first.map((dim, i) => (i === axis ? shapes.reduce((sum, dims) => sum + (dims?.[axis] ?? 0), 0) : dim));
  },
  ConstantOfShape: ({ inputs }) => inputs[0]?.elements,
  EyeLike: ({ inputs }) => inputs[0]?.dims,
  Expand: ({ inputs }) => broadcast([inputs[0]?.dims, inputs[1]?.elements]),
  Gather({ inputs: [data, indices], integers }) {
    const axis = axisOf(integers("axis")?.[0] ?? 0, data?.dims.length);
    if (data === undefined || indices === undefined || axis === undefined) return undefined;
    return [...data.dims.slice(0, axis), ...indices.dims, ...data.dims.slice(axis + 1)];
  },
  Gemm({ inputs: [a, b], integers }) {
    if (a?.dims.length !== 2 || b?.dims.length !== 2) return undefined;
    const [isTransposedA, isTransposedB] = ["transA", "transB"].map((name) => (integers(name)?.[0] ?? 0) !== 0);
    const [rows, inner] = isTransposedA ? [a.dims[1], a.dims[0]] : a.dims;
    const [own, columns] = isTransposedB ? [b.dims[1], b.dims[0]] : b.dims;
    return inner === own ? [rows, columns] : undefined;
  },
  MatMul: ({ inputs: [a, b] }) => (a === undefined || b === undefined ? undefined : product(a.dims, b.dims)),
  MaxUnpool({ inputs: [data, , sizes], integers }) {
    const kernel = integers("kernel_shape");
    if (sizes !== undefined) return sizes.elements;
    if (data === undefined || kernel === undefined) return undefined;
    const [strides, pads] = [integers("strides"), integers("pads")];
    const spatial = data.dims.slice(2).map((dim, i) => {
      return (dim - 1) * (strides?.[i] ?? 1) + (kernel[i] ?? 1) - (pads?.[i] ?? 0) - (pads?.[i + kernel.length] ?? 0);
    });
    return [...data.dims.slice(0, 2), ...spatial];
  },
  Range({ inputs }) {
    const [from, to, step] = inputs.map((value) => value?.elements?.[0]);
    if (from === undefined || to === undefined || step === undefined) return undefined;
    return [Math.max(Math.ceil((to - from) / step), 0) || 0];
  },
  Reshape({ inputs: [data, sizes], integers }) {
    const wanted = sizes?.elements ?? integers("shape");
    if (data === undefined || wanted === undefined) return undefined;
    const zero = integers("allowzero")?.[0] === 1;
    const dims = wanted.map((dim, i) => (dim === 0 && !zero ? (data.dims[i] ?? 0) : dim));
    const others = dims.reduce((size, dim) => (dim === -1 ? size : size * dim), 1);
    return dims.map((dim) => (dim === -1 ? (others === 0 ? 0 : sizeOf(data.dims) / others) : dim));
  },
  Shape({ inputs: [data], integers }) {
    if (data === undefined) return undefined;
    return [data.dims.slice(integers("start")?.[0] ?? 0, integers("end")?.[0] ?? data.dims.length).length];
  },
  Size: ({ inputs: [data] }) => (data === undefined ? undefined : []),
  Tile({ inputs: [data, repeats] }) {
    return repeats?.elements && data?.dims.map((dim, i) => dim * (repeats.elements?.[i] ?? 1));
  },
  Transpose({ inputs: [data], integers }) {
    const order = integers("perm");
    return order === undefined ? data?.dims.toReversed() : data && order.map((axis) => data.dims[axis] ?? 1);
  },
  Unsqueeze({ inputs: [data, given], integers }) {
    const axes = given?.elements ?? integers("axes");
    if (data === undefined || axes === undefined) return undefined;
    const rank = data.dims.length + axes.length;
    const added = new Set(axes.map((axis) => (axis < 0 ? axis + rank : axis)));
    const rest = [...data.dims];
    return Array.from({ length: rank }, (_, i) => (added.has(i) ? 1 : (rest.shift() ?? 1)));
  },
};

function axisOf(axis: number, rank: number | undefined): number | undefined {
  if (rank === undefined) return undefined;
  const counted = axis < 0 ? axis + rank : axis;
  return counted >= 0 && counted < rank ? counted : undefined;
}

/** Shape of what two or more shapes broadcast to; the largest size of each axis where they do not fit, which the engine refuses. */
function broadcast(shapes: readonly (Dims | undefined)[]): Dims | undefined {
  const known = shapes.filter((dims) => dims !== undefined);
  if (known.length < shapes.length) return undefined;
  const rank = known.reduce((most, dims) => Math.max(most, dims.length), 0);
  return Array.from({ length: rank }, (_, i) => {
    const sizes = known.map((dims) => dims[i - rank + dims.length] ?? 1);
    return sizes.includes(0) ? 0 : sizes.reduce((most, size) => Math.max(most, size), 1);
  });
}

function product(a: Dims, b: Dims): Dims | undefined {
  const batch = broadcast([a.slice(0, -2), b.slice(0, -2)]) ?? [];
  return [...batch, ...(a.length > 1 ? a.slice(-2, -1) : []), ...(b.length > 1 ? b.slice(-1) : [])];
}

/** Bytes that a kernel takes besides operands and results, beyond a few buffers of fixed size. */
export function scratchElements(node: KnownNode & { readonly equation?: string }, outputs: readonly Dims[]): number {
  const [first, second] = node.inputs;
  const result = sizeOf(outputs[0] ?? []);
  // Chirps of twice the length, of complex doubles.
  if (node.op === "DFT" || node.op === "STFT") return 16 * Math.max(result, sizeOf(first?.dims ?? []));
  // One column of the kernel for every position of the operand.
  if (node.op === "ConvTranspose") {
    const [, , ...spatial] = first?.dims ?? [];
    return sizeOf(spatial) * sizeOf((second?.dims ?? []).slice(1));
  }
  if (node.op === "Conv") return unfolded(node, outputs[0] ?? []);
  if (node.op === "Einsum") return intermediates(node);
  return 0;
}

/** The windows of a convolution side by side, of one group of one image. */
function unfolded({ inputs: [, kernel] }: KnownNode, [, , ...spatial]: Dims): number {
  const window = (kernel?.dims ?? []).slice(1);
  return window.slice(1).every((size) => size === 1) ? 0 : Math.min(sizeOf(window), 2 ** 12) * sizeOf(spatial);
}

/** Operands are multiplied one after the other; what comes out in between has every label that is still needed. */
function intermediates({ inputs, equation = "" }: KnownNode & { readonly equation?: string }): number {
  const [left, right = ""] = equation.replaceAll(" ", "").replaceAll("...", "").split("->");
  const terms = left.split(",");
  const sizes = new Map<string, number>();
  for (const [i, term] of terms.entries()) {
    for (const [axis, label] of [...term].entries()) sizes.set(label, inputs[i]?.dims[axis] ?? 1);
  }
  let most = 0;
  const seen = new Set<string>();
  for (const [i, term] of terms.entries()) {
    for (const label of term) seen.add(label);
    most = Math.max(most, sizeOf([...seen].map((label) => sizes.get(label) ?? 1)));
    const later = new Set([...terms.slice(i + 1).join(""), ...right]);
    for (const label of seen) if (!later.has(label)) seen.delete(label);
  }
  // Permuted copies of both operands besides.
  return 3 * most;
}

export type { Dims, KnownValue };
