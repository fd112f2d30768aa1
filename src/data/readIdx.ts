import { CurvatureError } from "../errors/index.ts";
import type { Tensor } from "../tensors/index.ts";
import { checkBytes } from "./checkBytes.ts";
import { decodeElements, type StoredType } from "./decodeElements.ts";
import type { Named } from "./readNpy.ts";

/** Type codes of the IDX format, its third byte (Y. LeCun, C. Cortes, C. J. C. Burges: the MNIST database). */
const storedTypes: { readonly [code: number]: StoredType } = {
  8: "uint8",
  9: "int8",
  11: "int16",
  12: "int32",
  13: "float32",
  14: "float64",
};

/** Whether bytes begin like an IDX file: two zeros, a type code, at least one dimension. */
export function isIdx(bytes: Uint8Array): boolean {
  return bytes[0] === 0 && bytes[1] === 0 && storedTypes[bytes[2] ?? 0] !== undefined && (bytes[3] ?? 0) > 0;
}

/**
 * Array of an IDX file, the format of the MNIST files: big-endian, element type as stored.
 *
 * @throws CurvatureError if the bytes are not an IDX file, are truncated or continue after the array
 */
export function readIdx(bytes: Uint8Array, { name = "data in memory" }: Named = {}): Tensor {
  checkBytes(bytes, "readIdx");
  const { dtype, dims, offset } = readIdxHeader(bytes, name);
  return { data: decodeElements(bytes.subarray(offset), { dtype, dims, littleEndian: false, name }), dims, dtype };
}

/** The contents of the header of an IDX file; `offset` is that of the first element. */
export function readIdxHeader(bytes: Uint8Array, name: string) {
  const [dtype, rank] = [storedTypes[bytes[2] ?? 0], bytes[3] ?? 0];
  if (!isIdx(bytes) || dtype === undefined) {
    throw new CurvatureError(
      "file",
      `${name}: expected an IDX file (two zero bytes, then a type code), got other bytes`,
    );
  }
  const offset = 4 + 4 * rank;
  if (bytes.length < offset) {
    throw new CurvatureError(
      "file",
      `${name}: the IDX header of ${rank} dimensions is cut short; the file is truncated`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const dims = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  return { dtype, dims, offset, littleEndian: false, fortranOrder: false };
}
