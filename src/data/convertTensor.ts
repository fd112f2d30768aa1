import { CurvatureError } from "../errors/index.ts";
import { arrayTypes, type Dtype, dtypeOf, sizeOf, type Tensor, type TensorData } from "../tensors/index.ts";
import { describePosition } from "./describePosition.ts";

/** The target of a conversion. */
export interface Conversion {
  readonly dtype: Dtype;
  /** Divides numbers that become floats: `fround(x / scale)` in float32. Integers are never divided. */
  readonly scale?: number;
  /** Name of the tensor in messages. */
  readonly where: string;
  /** Index of its first row, for messages. */
  readonly start?: number;
  /** What to do where a number is not whole, for messages. */
  readonly remedy?: string;
}

/** Range of each integer type; for 64-bit types, the range of exact numbers. */
const ranges = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  uint16: [0, 65535],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
  int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  uint64: [0, Number.MAX_SAFE_INTEGER],
  bool: [0, 1],
} as const;

/**
 * Converts the elements of a tensor `[rows, ...]` to another type; returns the same tensor if nothing changes.
 *
 * @throws CurvatureError if an element that must become an integer is not one, or is out of its type's range (the message names its row and
 *   column), or if one of the types is not numeric
 */
export function convertTensor(tensor: Tensor, { dtype, scale = 1, where, start = 0, remedy }: Conversion): Tensor {
  const from = dtypeOf(tensor);
  const toFloat = dtype === "float32" || dtype === "float64";
  if (from === dtype && (scale === 1 || !toFloat)) return tensor;
  if (from === "string" || dtype === "string" || dtype === "float16") {
    throw new CurvatureError("unsupported", `${where}: expected ${dtype} data, got ${from}, which cannot be converted`);
  }
  const values = numbersOf(tensor);
  if (toFloat) {
    const data = dtype === "float32" ? new Float32Array(values.length) : new Float64Array(values.length);
    for (let i = 0; i < values.length; i++) data[i] = values[i]! / scale;
    return { data, dims: tensor.dims, dtype };
  }
  const [min, max] = ranges[dtype];
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (Number.isInteger(value) && value >= min && value <= max) continue;
    const position = describePosition(start * sizeOf(tensor.dims.slice(1)) + i, tensor.dims.slice(1));
    throw new CurvatureError(
      "data",
      `${where}: expected whole numbers from ${min} to ${max} (${dtype}), got ${value} at ${position}${remedy === undefined ? "" : `; ${remedy}`}`,
    );
  }
  return { data: integersOf(values, dtype), dims: tensor.dims, dtype };
}

function integersOf(values: ArrayLike<number>, dtype: keyof typeof ranges): TensorData {
  if (dtype === "int64") return BigInt64Array.from(Array.from(values, BigInt));
  if (dtype === "uint64") return BigUint64Array.from(Array.from(values, BigInt));
  return arrayTypes[dtype].from(values);
}

/** The elements as numbers; 64-bit integers beyond 2^53 are rounded, float16 bits are decoded. */
function numbersOf(tensor: Tensor): ArrayLike<number> {
  const { data } = tensor;
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) return Float64Array.from(data, Number);
  if (dtypeOf(tensor) === "float16") return Float32Array.from(data as Uint16Array, halfToNumber);
  return data as ArrayLike<number>;
}

/** Value of an IEEE 754 half-precision number: sign, 5 bits of exponent, 10 of fraction. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}
