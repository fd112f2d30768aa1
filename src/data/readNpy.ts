import { CurvatureError } from "../errors/index.ts";
import type { Tensor } from "../tensors/index.ts";
import { checkBytes } from "./checkBytes.ts";
import { decodeElements, type StoredType } from "./decodeElements.ts";

/** Name of the data in messages. */
export interface Named {
  readonly name?: string;
}

/** NumPy's codes of element types (numpy.lib.format: `descr` without its byte order). */
const storedTypes: ReadonlyMap<string, StoredType> = new Map([
  ["f2", "float16"],
  ["f4", "float32"],
  ["f8", "float64"],
  ["i1", "int8"],
  ["u1", "uint8"],
  ["i2", "int16"],
  ["u2", "uint16"],
  ["i4", "int32"],
  ["u4", "uint32"],
  ["i8", "int64"],
  ["u8", "uint64"],
  ["b1", "bool"],
]);

/** Largest number of dimensions of an array, as in NumPy 2. */
const MOST_DIMENSIONS = 64;

/** Whether bytes begin like an NPY file. */
export function isNpy(bytes: Uint8Array): boolean {
  return [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59].every((byte, i) => bytes[i] === byte); // \x93NUMPY
}

/**
 * Array of an NPY file, formats 1.0 to 3.0 (numpy.lib.format), C or Fortran order, either byte order. The result is row-major. Element
 * types f2 (as raw bits), f4, f8, i1 to i8, u1 to u8 and b1 are kept.
 *
 * @throws CurvatureError if the bytes are not an NPY file, are truncated or continue after the array, or the element type is not supported
 */
export function readNpy(bytes: Uint8Array, { name = "data in memory" }: Named = {}): Tensor {
  checkBytes(bytes, "readNpy");
  const { dtype, littleEndian, fortranOrder, dims, offset } = readNpyHeader(bytes, name);
  const data = decodeElements(bytes.subarray(offset), { dtype, dims, littleEndian, name });
  return { data: fortranOrder ? rowMajor(data, dims) : data, dims, dtype };
}

/** What the header of an NPY file says; `offset` is that of the first element. */
export function readNpyHeader(bytes: Uint8Array, name: string) {
  const version = bytes[6];
  if (!isNpy(bytes) || version === undefined || version < 1 || version > 3) {
    throw new CurvatureError("file", `${name}: expected an NPY file of version 1 to 3, got other bytes`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = version === 1 ? 10 : 12;
  const length = bytes.length < start ? Number.NaN : version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (!(start + length <= bytes.length)) {
    throw new CurvatureError("file", `${name}: the NPY header is cut short; the file is truncated`);
  }
  const header = new TextDecoder(version === 3 ? "utf-8" : "latin1").decode(bytes.subarray(start, start + length));
  const shape = /['"]shape['"]\s*:\s*\(([\d\s,]*)\)/.exec(header)?.[1];
  const order = /['"]fortran_order['"]\s*:\s*(True|False)/.exec(header)?.[1];
  const descr = /['"]descr['"]\s*:\s*(['"])(.*?)\1/.exec(header)?.[2];
  if (shape === undefined || order === undefined) {
    throw new CurvatureError("file", `${name}: cannot read the NPY header ${JSON.stringify(header.trim())}`);
  }
  const dims = (shape.match(/\d+/g) ?? []).map(Number);
  if (dims.length > MOST_DIMENSIONS) {
    throw new CurvatureError(
      "unsupported",
      `${name}: expected at most ${MOST_DIMENSIONS} dimensions, got ${dims.length}; reshape the array before saving it`,
    );
  }
  return {
    ...storedType(descr, { header, name }),
    fortranOrder: order === "True",
    dims,
    offset: start + length,
  };
}

function storedType(descr: string | undefined, { header, name }: { readonly header: string; readonly name: string }) {
  const [, byteOrder, code] = /^([<>|=])?(\w+)$/.exec(descr ?? "") ?? [];
  const dtype = code === undefined ? undefined : storedTypes.get(code);
  if (dtype !== undefined) return { dtype, littleEndian: byteOrder !== ">" };
  throw new CurvatureError(
    "unsupported",
    `${name}: expected elements of type ${[...storedTypes.keys()].join(", ")}, got ${descr ?? header.trim()}; ` +
      "convert the array with astype before saving it",
  );
}

/** Converts an array from column-major order, where the first index changes fastest, to row-major order. */
function rowMajor<T extends Tensor["data"]>(data: T, dims: readonly number[]): T {
  const result = data.slice() as { [index: number]: T[number] };
  const strides: number[] = [];
  let stride = 1;
  for (const dim of dims) {
    strides.push(stride);
    stride *= dim;
  }
  const index = dims.map(() => 0);
  let from = 0;
  for (let to = 0; to < data.length; to++) {
    result[to] = data[from]!;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      from += strides[axis]!;
      if (++index[axis]! < dims[axis]!) break;
      from -= strides[axis]! * dims[axis]!;
      index[axis] = 0;
    }
  }
  return result as T;
}
