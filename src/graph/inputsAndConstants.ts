import { CurvatureError } from "../errors/index.ts";
import { type Dtype, dtypeOf, formatDims, sizeOf, type Tensor } from "../tensors/index.ts";
import { apply } from "./apply.ts";
import type { ElementType, Primitive, Shape, Value } from "./primitive.ts";

interface InputParams {
  readonly name: string;
  readonly shape: Shape;
  readonly type: ElementType;
}

/** A value given when the graph is run. */
export const inputPrimitive: Primitive<InputParams> = {
  name: "input",
  output: (_, { shape, type }) => ({ shape, type }),
  format: ({ name }) => name,
};

/** A value given when the graph is run, under this name. Two inputs are different values even if their names agree. */
export function input(name: string, shape: Shape, type: ElementType = "float"): Value {
  return apply(inputPrimitive, [], { name, shape, type });
}

/** A tensor that is part of the graph. Floats keep the precision they are given in until the graph is compiled. */
export const constantPrimitive: Primitive<Tensor> = {
  name: "constant",
  output: (_, tensor) => ({ shape: tensor.dims, type: elementTypeOf(dtypeOf(tensor)) }),
  uniform: (_, tensor) => uniformElement(tensor),
  vectorize: (node) => node,
  lower: ({ params }, context) => context.constant(params),
  format: (tensor) => {
    const shown = tensor.data.length <= 4 ? Array.from(tensor.data as ArrayLike<unknown>, String).join(", ") : "...";
    return tensor.dims.length === 0 ? shown : `[${shown}]`;
  },
  key: (tensor) => tensorKey(tensor),
};

/** A tensor as a value. */
export function constant(tensor: Tensor): Value {
  if (tensor.data.length !== sizeOf(tensor.dims)) {
    throw new CurvatureError(
      "shape",
      `a constant of shape ${formatDims(tensor.dims)} needs ${sizeOf(tensor.dims)} elements, got ${tensor.data.length}`,
    );
  }
  return apply(constantPrimitive, [], tensor);
}

/** A number as a value of shape []. */
export function scalar(value: number): Value {
  return constant({ data: Float64Array.of(value), dims: [] });
}

/** 1-D int64 constant. */
export function integers(values: readonly number[]): Value {
  return constant({ data: BigInt64Array.from(values, BigInt), dims: [values.length] });
}

/** The tensor of a constant, or undefined for anything else. */
export function constantTensor(value: Value): Tensor | undefined {
  return value.primitive === (constantPrimitive as Primitive) ? (value.params as Tensor) : undefined;
}

/** Whether the value is a graph input. */
export function isInput(value: Value): value is Value<InputParams> {
  return value.primitive === (inputPrimitive as Primitive);
}

/** Type of a value that holds elements of a tensor's type. */
export function elementTypeOf(dtype: Dtype): ElementType {
  return dtype === "float32" || dtype === "float64" || dtype === "float16" ? "float" : dtype;
}

function uniformElement({ data }: Tensor): number | undefined {
  if (data.length === 0 || data.length > 64 || typeof data[0] === "string") return undefined;
  const first = data[0];
  for (let i = 1; i < data.length; i++) if (data[i] !== first) return undefined;
  return Number(first);
}

const identities = new WeakMap<object, number>();
let identityCount = 0;

/** Key that tells objects apart by identity. */
export function identityKey(object: object): string {
  let identity = identities.get(object);
  if (identity === undefined) {
    identity = identityCount++;
    identities.set(object, identity);
  }
  return `@${identity}`;
}

function tensorKey(tensor: Tensor): string {
  const type = elementTypeOf(dtypeOf(tensor));
  if (tensor.data.length > 64) return `${type}${tensor.dims}${identityKey(tensor.data)}`;
  return `${type}${tensor.dims}:${Array.from(tensor.data as ArrayLike<unknown>, (x) => (Object.is(x, -0) ? "-0" : String(x))).join()}`;
}
