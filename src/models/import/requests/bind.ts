import { CurvatureError } from "../../../errors/index.ts";
import type { ValueInfo } from "../../../onnx/index.ts";
import { type Dtype, dtypeOf, formatDims, type Tensor } from "../../../tensors/index.ts";
import type { PreparedModel, StoredConstant } from "../prepared/preparedModel.ts";
import { zeroTensor } from "../sizes/measureShapes.ts";

/**
 * Fixed values by name: of an input (a tensor, or a number that all its elements get), of a symbolic size (`batch`), or of
 * an axis that has no name (`x[0]`).
 */
export type Bindings = { readonly [name: string]: number | Tensor };

/**
 * The model with some inputs and sizes fixed: a bound input is a constant, so that what it decides can be folded.
 *
 * @throws CurvatureError "argument" for names that the model has not, and for values that do not fit
 */
export function bindInputs(model: PreparedModel, bindings: Bindings): PreparedModel {
  const sized = Object.entries(bindings).reduce((result, [name, value]) => {
    return isInput(model, name) ? result : withSize(result, name, value);
  }, model);
  const bound = sized.inputs.filter(({ name }) => Object.hasOwn(bindings, name));
  if (bound.length === 0) return sized;
  const constants = bound.map((input): [string, StoredConstant] => {
    const tensor = tensorFor(input, bindings[input.name]);
    const { dims } = tensor;
    return [input.name, { name: input.name, dims, dtype: dtypeOf(tensor), origin: "bound", load: async () => tensor }];
  });
  const notices = bound.map(({ name }) => `Input "${name}" is bound to ${shown(bindings[name])}.`);
  return {
    ...sized,
    inputs: sized.inputs.filter((input) => !bound.includes(input)),
    constants: new Map([...sized.constants, ...constants]),
    notices: [...sized.notices, ...notices],
  };
}

function isInput({ inputs }: PreparedModel, name: string): boolean {
  return inputs.some((input) => input.name === name);
}

function shown(value: number | Tensor): string {
  return typeof value === "number" ? String(value) : `a tensor ${formatDims(value.dims)}`;
}

function withSize(model: PreparedModel, name: string, value: number | Tensor): PreparedModel {
  const places = model.inputs.flatMap(({ name: input, dims }) =>
    (dims ?? []).flatMap((dim, axis) =>
      dim === name || (typeof dim !== "number" && name === `${input}[${axis}]`) ? [{ input, axis }] : [],
    ),
  );
  if (places.length === 0) {
    const sizes = model.inputs.flatMap(({ dims }) => (dims ?? []).filter((dim) => typeof dim === "string"));
    const inputs = model.inputs.map(({ name: input, dims }) => `"${input}"${dims === null ? "" : formatDims(dims)}`);
    throw new CurvatureError(
      "argument",
      `${model.file} has no input and no open size "${name}" to bind; its inputs are ${inputs.join(", ") || "none"}${sizes.length === 0 ? "" : `, its sizes ${[...new Set(sizes)].join(", ")}`}`,
    );
  }
  if (typeof value !== "number" || !Number.isInteger(value) || value < 1) {
    throw new CurvatureError("argument", `size "${name}" must be bound to a positive integer, got ${shown(value)}`);
  }
  const resized = (info: ValueInfo): ValueInfo => {
    const dims = info.dims?.map((dim, axis) =>
      dim === name || places.some((place) => place.input === info.name && place.axis === axis) ? value : dim,
    );
    return dims === undefined ? info : { ...info, dims };
  };
  return {
    ...model,
    inputs: model.inputs.map(resized),
    outputs: model.outputs.map(resized),
    notices: [...model.notices, `Size "${name}" is bound to ${value}.`],
  };
}

function tensorFor({ name, dtype, dims }: ValueInfo, value: number | Tensor): Tensor {
  const type = (dtype ?? "float32") as Dtype;
  if (typeof value !== "number") {
    const fits =
      dims === null || (dims.length === value.dims.length && dims.every((dim, i) => fitsSize(dim, value.dims[i])));
    const float = type === "float32" && dtypeOf(value) === "float64";
    if (fits && (float || dtypeOf(value) === type)) return value;
    throw new CurvatureError(
      "argument",
      `input "${name}" is ${type} ${formatDims(dims ?? [])}, but is bound to ${dtypeOf(value)} ${formatDims(value.dims)}`,
    );
  }
  const sizes = dims ?? [];
  const open = sizes.flatMap((dim, axis) => (typeof dim === "number" ? [] : [dim ?? `${name}[${axis}]`]));
  if (type === "string" || open.length > 0) {
    const remedy = open.length > 0 ? `bind ${open.join(" and ")} too, or give a tensor` : "give a tensor";
    throw new CurvatureError(
      "argument",
      `input "${name}" is ${type} ${formatDims(sizes)}, which one number does not fill; ${remedy}`,
    );
  }
  const integral = type !== "float32" && type !== "float64" && type !== "float16";
  if (integral && !Number.isInteger(value)) {
    throw new CurvatureError("argument", `input "${name}" is ${type}, but is bound to ${value}`);
  }
  const tensor = zeroTensor(type, sizes as number[]);
  if (tensor.data instanceof BigInt64Array || tensor.data instanceof BigUint64Array) tensor.data.fill(BigInt(value));
  else (tensor.data as Float32Array).fill(value);
  return tensor;
}

function fitsSize(dim: number | string | null, size: number): boolean {
  return typeof dim !== "number" || dim === size;
}
