import type { Initializer } from "../../src/onnx/index.ts";
import { type AttributeValue, sizeOf, type Tensor } from "../../src/tensors/index.ts";
import { type Draws, NUMBERS } from "./fuzzDraws.ts";
import type { OperatorCase } from "./operatorCase.ts";
import { operatorCases } from "./ops.cases.ts";
import type { TinyModel } from "./tinyModel.ts";

type Nodes = TinyModel["nodes"];

const WEIGHTS: NonNullable<TinyModel["weights"]> = {
  w: [
    [1, 2, 3, 4],
    [2, 2],
  ],
};
const product = { op: "MatMul", inputs: ["x", "w"], outputs: ["h"] };

/** y = h + the sum of z, where h = x w: whatever z's shape and type, rows stay rows. */
function summed(z: string): Nodes {
  return [
    { op: "Cast", inputs: [z], outputs: ["z float"], attributes: { to: { int: 1 } } },
    { op: "ReduceMean", inputs: ["z float"], outputs: ["z mean"], attributes: { keepdims: { int: 0 } } },
    { op: "Add", inputs: ["h", "z mean"], outputs: ["y"] },
  ];
}

const list = (values: readonly number[]): Tensor => ({
  data: BigInt64Array.from(values, (value) => BigInt.asIntN(64, BigInt(Math.trunc(value)))),
  dims: [values.length],
});

/** A form of an operator that has one, with an operand or an attribute or two that do not fit it. */
export function oneOperator(draws: Draws): TinyModel {
  const op = draws.pick(Object.keys(operatorCases)) as keyof typeof operatorCases;
  const form = draws.pick(operatorCases[op]);
  const { domain = "", opset = 17, outputs = 1 } = form;
  const nodes: Nodes[number][] = [];
  const initializers: Initializer[] = [];
  const hurt = draws.chance(0.9) ? draws.below(form.operands.length + 2) : -1;
  const inputs = form.operands.map((operand, i) => {
    if (operand === null) return "";
    const tensor = "parameter" in operand ? operand.parameter : operand.fixed;
    const name = `p${i}`;
    if (i === hurt) return oddOperand({ draws, name, tensor, nodes, initializers });
    initializers.push({ name, tensor });
    return name;
  });
  const moving = draws.below(6);
  const moved = inputs.map((name, i) =>
    i === moving && isFloat(form, i) && name !== "" ? fromData(name, nodes) : name,
  );
  if (draws.chance(0.05)) moved.splice(draws.below(moved.length + 1), 1);
  if (draws.chance(0.05)) moved.push("h");
  const attributes =
    hurt >= form.operands.length ? oddAttributes(form.attributes ?? {}, draws) : (form.attributes ?? {});
  const results = Array.from({ length: draws.chance(0.05) ? draws.below(5) : outputs }, (_, i) => `z${i}`);
  return {
    weights: WEIGHTS,
    initializers,
    opsets: { "": draws.chance(0.1) ? 7 + draws.below(20) : Math.max(opset, 8), ...(domain !== "" && { [domain]: 1 }) },
    nodes: [
      product,
      ...nodes,
      { op, domain, inputs: moved, outputs: results, attributes },
      ...summed(results[0] ?? "h"),
    ],
  };
}

function isFloat({ operands }: OperatorCase, i: number): boolean {
  const operand = operands[i];
  return operand != null && ("parameter" in operand ? operand.parameter : operand.fixed).data instanceof Float32Array;
}

/** The operand plus 0 times what the model computes of its input, so that it is not known before there are data. */
function fromData(name: string, nodes: Nodes[number][]): string {
  nodes.push(
    { op: "ReduceMean", inputs: ["h"], outputs: [`${name} of x`], attributes: { keepdims: { int: 0 } } },
    { op: "Tanh", inputs: [`${name} of x`], outputs: [`${name} small`] },
    { op: "Add", inputs: [name, `${name} small`], outputs: [`${name} moved`] },
  );
  return `${name} moved`;
}

interface Hurting {
  readonly draws: Draws;
  readonly name: string;
  readonly tensor: Tensor;
  readonly nodes: Nodes[number][];
  readonly initializers: Initializer[];
}

/** The operand in another shape or type, or with other numbers; gives its name. */
function oddOperand({ draws, name, tensor, nodes, initializers }: Hurting): string {
  const dims = [...tensor.dims];
  const kind = draws.below(6);
  if (kind === 0 && tensor.data instanceof BigInt64Array) {
    const data = tensor.data.map((value) => (draws.chance(0.5) ? value : BigInt.asIntN(64, BigInt(draws.number()))));
    initializers.push({ name, tensor: { ...tensor, data } });
  } else if (kind === 1) {
    const codes = [1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 16];
    initializers.push({ name: `${name} given`, tensor });
    nodes.push({
      op: "Cast",
      inputs: [`${name} given`],
      outputs: [name],
      attributes: { to: { int: draws.pick(codes) } },
    });
  } else if (kind === 2) {
    // As a shape of the file alone: the elements are cut or repeated.
    if (dims.length > 0) dims[draws.below(dims.length)] = draws.below(5);
    if (draws.chance(0.3)) dims.splice(draws.below(dims.length + 1), draws.below(2), 1);
    const old = tensor.data as Float32Array;
    const data = old.slice(0, 0).constructor as Float32ArrayConstructor;
    const values = Array.from({ length: sizeOf(dims) }, (_, i) => old[i % Math.max(old.length, 1)] ?? zeroLike(old));
    initializers.push({ name, tensor: { ...tensor, data: data.from(values), dims } });
  } else if (kind === 3) {
    const strings = Array.from({ length: sizeOf(dims) }, (_, i) => draws.pick(["", "1", "a\u001b[31m", `${i}`]));
    initializers.push({ name, tensor: { data: strings, dims, dtype: "string" } });
  } else {
    // Made large by a node, out of a few numbers.
    const wanted = draws.chance(0.5)
      ? dims.map((dim) => (draws.chance(0.4) ? Math.abs(draws.number()) : dim))
      : [draws.number(), ...dims];
    initializers.push({ name: `${name} given`, tensor }, { name: `${name} dims`, tensor: list(wanted) });
    nodes.push({
      op: draws.pick(["Expand", "Expand", "Tile", "Reshape"]),
      inputs: [`${name} given`, `${name} dims`],
      outputs: [name],
    });
  }
  return name;
}

function zeroLike(data: ArrayLike<unknown>): number {
  return (data instanceof BigInt64Array ? 0n : 0) as number;
}

const ATTRIBUTES = [
  "axis",
  "axes",
  "pads",
  "strides",
  "dilations",
  "kernel_shape",
  "group",
  "perm",
  "mode",
  "to",
  "epsilon",
];

function oddAttributes(
  attributes: OperatorCase["attributes"] & {},
  draws: Draws,
): Readonly<Record<string, AttributeValue>> {
  const entries = Object.entries(attributes);
  const name = entries.length > 0 && draws.chance(0.85) ? draws.pick(entries)[0] : draws.pick(ATTRIBUTES);
  const old = attributes[name];
  const kind = draws.below(4);
  const others = Object.fromEntries(entries.filter(([key]) => key !== name));
  if (kind === 0 && old !== undefined) return others;
  return { ...others, [name]: kind === 1 ? otherKind(draws) : otherNumbers(old, draws) };
}

function otherKind(draws: Draws): AttributeValue {
  return draws.pick<AttributeValue>([
    { int: draws.pick(NUMBERS) },
    { float: draws.pick([Number.NaN, Number.POSITIVE_INFINITY, -1, 1e30]) },
    { string: draws.pick(["", "SAME_UPPER", "VALID", "constant", "reflect", "\u001b[31m", "é".repeat(3000)]) },
    { ints: Array.from({ length: draws.below(10) }, () => draws.number()) },
    { floats: [Number.NaN, 1] },
    { strings: ["Tanh", ""] },
    { tensor: { data: Float32Array.of(1, 2), dims: [2] } },
    { tensor: list([1, 2]) },
    { tensor: { data: ["a"], dims: [1] } },
    { graph: new Uint8Array(0) },
  ]);
}

/** Attributes whose numbers make results large, so that any number of `NUMBERS` may be meant. */
function otherNumbers(old: AttributeValue | undefined, draws: Draws): AttributeValue {
  if (old !== undefined && "float" in old)
    return { float: draws.pick([0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e38, 1e-45]) };
  if (old !== undefined && "string" in old)
    return { string: draws.pick(["", "SAME_UPPER", "SAME_LOWER", "VALID", "nearest", "a,b->", "ij,jk", "...i->..."]) };
  if (old !== undefined && "ints" in old) {
    const ints = old.ints.map((int) => (draws.chance(0.5) ? int : draws.number()));
    if (draws.chance(0.2)) ints.splice(draws.below(ints.length + 1), draws.below(2), draws.number());
    return { ints };
  }
  return old === undefined && draws.chance(0.5) ? { ints: [draws.number(), draws.number()] } : { int: draws.number() };
}

/** Tensors that each node makes larger, or many axes, or nothing at all. */
export function growingChain(draws: Draws): TinyModel {
  const nodes: Nodes[number][] = [product];
  const initializers: Initializer[] = [];
  let current = draws.chance(0.5) ? "h" : "w";
  const length = 1 + draws.below(draws.chance(0.2) ? 40 : 8);
  for (let i = 0; i < length; i++) {
    const sizes = `sizes ${i}`;
    const output = `z${i}`;
    const values = Array.from({ length: 1 + draws.below(4) }, () =>
      draws.chance(0.8) ? 1 + draws.below(40) : draws.number(),
    );
    initializers.push({ name: sizes, tensor: list(values) });
    const axis = { axis: { int: draws.pick([0, 0, 1, -1]) } };
    const links: Nodes = [
      {
        op: "Concat",
        inputs: Array.from({ length: 1 + draws.below(30) }, () => current),
        outputs: [output],
        attributes: axis,
      },
      { op: draws.pick(["Tile", "Expand", "Reshape", "Unsqueeze"]), inputs: [current, sizes], outputs: [output] },
      { op: draws.pick(["ConstantOfShape", "RandomNormal"]), inputs: [sizes], outputs: [output] },
      { op: "MatMul", inputs: [current, current], outputs: [output] },
      {
        op: draws.pick(["NonZero", "Shape", "Size", "Transpose", "Flatten", "Unique"]),
        inputs: [current],
        outputs: [output],
      },
      {
        op: "Einsum",
        inputs: [current, current],
        outputs: [output],
        attributes: { equation: { string: draws.pick(["ij,kl->ijkl", "ij,jk->ik", "...,...", "i,j->ij"]) } },
      },
      { op: "Gather", inputs: [current, sizes], outputs: [output], attributes: axis },
      { op: "OneHot", inputs: [sizes, "depth", "onoff"], outputs: [output] },
      { op: draws.pick(["Range", "Slice"]), inputs: [current, sizes, sizes], outputs: [output] },
      { op: "Pad", inputs: [current, sizes], outputs: [output] },
      { op: "Add", inputs: [current, `z${draws.below(i + 1) - 1}`], outputs: [output] },
      { op: "Cast", inputs: [current], outputs: [output], attributes: { to: { int: draws.pick([1, 7, 8, 9, 11]) } } },
    ];
    nodes.push(draws.pick(links));
    current = output;
  }
  initializers.push({
    name: "depth",
    tensor: { data: BigInt64Array.of(BigInt(draws.pick([0, 3, 1000, 2 ** 31, -5]))), dims: [] },
  });
  initializers.push({ name: "onoff", tensor: { data: Float32Array.of(0, 1), dims: [2] } });
  return { weights: WEIGHTS, initializers, nodes: [...nodes, ...summed(current)] };
}
