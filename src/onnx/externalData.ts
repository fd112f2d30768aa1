import { readPathRange } from "#files";
import { CurvatureError } from "../errors/index.ts";
import { type ByteRange, checkSize, fetchBytes, type ReadLimits, shownAddress } from "../files/index.ts";
import { type TensorProto, TensorProto_DataLocation } from "./generated/onnx_pb.ts";
import { fromTensorProto, type StoredTensor, storedByteLength, tensorHeader } from "./tensorProto.ts";

/** Reads `length` bytes from `offset` of an external data file, all of it without a range; the location is relative to the model. */
export type ReadExternal = (location: string, range?: ByteRange) => Promise<Uint8Array>;

export type { ByteRange } from "../files/index.ts";

/** Contents of external data files by location, for a model without a folder, or with its data elsewhere. */
export type ExternalFiles = Readonly<Record<string, Uint8Array>>;

/** Whether the data of a tensor are in another file. */
export function isExternal(proto: TensorProto): boolean {
  return proto.dataLocation === TensorProto_DataLocation.EXTERNAL;
}

/**
 * Throws "file" if the tensors' data in other files exceed the memory limit. Overlapping ranges count for each tensor, since each becomes a
 * separate array.
 */
export function checkExternalSize(
  protos: Iterable<TensorProto>,
  { file, memoryLimit }: { readonly file: string; readonly memoryLimit: number },
): void {
  let bytes = 0;
  for (const proto of protos) if (isExternal(proto)) bytes += declaredByteLength(proto);
  checkSize(bytes, { what: `${file}: its external data`, memoryLimit });
}

/** Bytes implied by the dimensions; 0 for a damaged description, which is an error when the tensor is loaded. */
function declaredByteLength(proto: TensorProto): number {
  try {
    return storedByteLength(tensorHeader(proto));
  } catch {
    return 0;
  }
}

/**
 * Loads the tensor of a TensorProto, reading its data from another file if necessary. Throws "file" for locations outside of the model's
 * folder, missing files, and ranges that do not fit the file or the tensor.
 */
export async function loadTensor(proto: TensorProto, readExternal: ReadExternal): Promise<StoredTensor> {
  return fromTensorProto(proto, isExternal(proto) ? await externalBytes(proto, readExternal) : undefined);
}

/** Bytes of a tensor with data in another file. Reads only the tensor's range. Throws as `loadTensor` does. */
export async function externalBytes(proto: TensorProto, readExternal: ReadExternal): Promise<Uint8Array> {
  const { location, ...range } = externalPlace(proto);
  return readExternal(location, range);
}

/** A range of bytes of an external data file. */
export interface ExternalPlace extends ByteRange {
  readonly location: string;
}

/** Where the data of a tensor are in another file. Throws "file" for a location outside of the model's folder and a range that does not fit the tensor. */
export function externalPlace(proto: TensorProto): ExternalPlace {
  const { name } = proto;
  const needed = storedByteLength(tensorHeader(proto));
  const entries = new Map(proto.externalData.map(({ key, value }) => [key, value]));
  const location = checkedLocation(name, entries.get("location"));
  const offset = byteCount(name, "offset", entries.get("offset") ?? "0");
  const length = byteCount(name, "length", entries.get("length") ?? String(needed));
  if (length !== needed) {
    throw fileError(
      `Tensor "${name}" needs ${needed} bytes, but declares ${length} in external file "${location}"; export it again.`,
    );
  }
  return { location, offset, length };
}

/**
 * Locations come from the file, which may be hostile, so a location must not lead out of the model's folder. Symbolic links in the folder
 * are followed anywhere: whoever created the link could read the file too, and caches store weights as links to another folder.
 */
function checkedLocation(name: string, location: string | undefined): string {
  if (!location) throw fileError(`Tensor "${name}" has external data without a location; export the model again.`);
  const absolute = /^[/\\]|^[A-Za-z][A-Za-z0-9+.-]*:/.test(location);
  if (absolute || location.includes("\0") || location.split(/[/\\]/).includes("..")) {
    throw fileError(
      `Tensor "${name}" has external data at ${JSON.stringify(location)}; expected a path inside the model's own folder, without "..".`,
    );
  }
  return location;
}

function byteCount(name: string, key: string, text: string): number {
  const count = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(count)) return count;
  throw fileError(
    `Tensor "${name}" has external data with ${key} ${JSON.stringify(text)}, which is no number of bytes.`,
  );
}

/** Reader of the given files; `otherwise` reads other locations. */
export function fromFiles(files: ExternalFiles, otherwise: ReadExternal): ReadExternal {
  return async (location, range) => {
    const bytes = Object.hasOwn(files, location) ? files[location] : undefined;
    if (bytes === undefined) return otherwise(location, range);
    if (range === undefined) return bytes;
    checkRange(location, range, bytes.byteLength);
    return bytes.subarray(range.offset, range.offset + range.length);
  };
}

/** Reader for a model given as bytes, which has no folder: always throws. */
export const fromNowhere: ReadExternal = async (location) => {
  throw fileError(
    `The model keeps weights in file "${location}", but was given as bytes; pass externalData: { "${location}": bytes }.`,
  );
};

/** Reader of files in a folder; follows symbolic links. */
export function fromFolder(folder: string): ReadExternal {
  return async (location, range) => {
    const path = `${folder === "" ? "." : folder}/${location}`;
    try {
      const found = await readPathRange(path, range ?? { offset: 0, length: Number.POSITIVE_INFINITY });
      if (found === undefined) throw fileError(`External data "${path}" is no ordinary file.`);
      if (range !== undefined) checkRange(path, range, found.size);
      return found.bytes;
    } catch (cause) {
      if (cause instanceof CurvatureError) throw cause;
      const { code } = cause as NodeJS.ErrnoException;
      const why = code === "ENOENT" ? "is missing" : `cannot be read (${code})`;
      throw fileError(`External data file "${path}", which holds weights of the model, ${why}.`, cause);
    }
  };
}

/** Reader of files in the folder of a URL. */
export function fromUrl(model: URL, limits: ReadLimits): ReadExternal {
  return async (location, range) => {
    if (range?.length === 0) return new Uint8Array(0);
    const url = new URL(location.split(/[/\\]/).map(encodeURIComponent).join("/"), model);
    const what = "External data, which hold weights of the model, at";
    const bytes = await fetchBytes(url, { ...limits, what, ...(range && { range }) });
    if (range === undefined) return bytes;
    checkRange(
      shownAddress(url),
      range,
      bytes.length < range.length ? range.offset + bytes.length : Number.POSITIVE_INFINITY,
    );
    return bytes;
  };
}

function checkRange(file: string, { offset, length }: ByteRange, size: number): void {
  if (offset + length <= size) return;
  throw fileError(
    `External data file "${file}" has ${size} bytes, but bytes ${offset} to ${offset + length} are needed; it is truncated.`,
  );
}

function fileError(message: string, cause?: unknown): CurvatureError {
  return new CurvatureError("file", message, { cause });
}
