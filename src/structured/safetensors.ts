import { crc32 } from "#files";

/** An array of a safetensors file, row-major. */
export interface StoredArray {
  readonly data: Float64Array | Int32Array;
  readonly dims: readonly number[];
}

/** Contents of a safetensors file. */
export interface StoredArrays {
  readonly arrays: ReadonlyMap<string, StoredArray>;
  readonly metadata: { readonly [name: string]: string };
}

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [start: number, end: number];
}

/** Stands for the checksum in the header from which it is computed. */
const UNKNOWN = "00000000";

const KINDS = { F64: Float64Array, I32: Int32Array } as const;

/**
 * The pieces of a safetensors file (github.com/huggingface/safetensors): length of the header in eight bytes, the header, a JSON object of element
 * type, shape and place of each array, filled up with spaces to a multiple of eight bytes, and the arrays. The format has no checksum, so the
 * metadata get one: the CRC-32 of all bytes after the length, with zeros in the checksum's place.
 */
export function encodeSafetensors(
  arrays: ReadonlyMap<string, StoredArray>,
  metadata: { readonly [name: string]: string },
): readonly Uint8Array[] {
  const header: { [name: string]: unknown } = { __metadata__: { checksum: UNKNOWN, ...metadata } };
  // Wide ones first, so that each begins at a multiple of its element's size.
  const ordered = [...arrays].sort(([, a], [, b]) => b.data.BYTES_PER_ELEMENT - a.data.BYTES_PER_ELEMENT);
  let at = 0;
  for (const [name, { data, dims }] of ordered) {
    const entry: Entry = {
      dtype: data instanceof Float64Array ? "F64" : "I32",
      shape: dims,
      data_offsets: [at, at + data.byteLength],
    };
    header[name] = entry;
    at += data.byteLength;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const padded = new Uint8Array(8 * Math.ceil(text.length / 8)).fill(" ".charCodeAt(0));
  padded.set(text);
  const contents = ordered.map(([, { data }]) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  padded.set(new TextEncoder().encode(checksumOf([padded, ...contents])), checksumPlace(padded));
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(padded.length), true);
  return [length, padded, ...contents];
}

/**
 * Arrays and metadata of a safetensors file that `encodeSafetensors` wrote; arrays are views of the bytes. Undefined for other files, and for one
 * that is damaged or truncated.
 */
export function decodeSafetensors(bytes: Uint8Array): StoredArrays | undefined {
  if (bytes.length < 8) return undefined;
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true));
  if (!(length <= bytes.length - 8)) return undefined;
  const header = bytes.slice(8, 8 + length);
  const contents = bytes.subarray(8 + length);
  const place = checksumPlace(header);
  if (place === -1) return undefined;
  const said = new TextDecoder("latin1").decode(header.subarray(place, place + UNKNOWN.length));
  header.set(new TextEncoder().encode(UNKNOWN), place);
  if (checksumOf([header, contents]) !== said) return undefined;
  try {
    const { __metadata__: metadata, ...entries } = JSON.parse(new TextDecoder().decode(header));
    return { arrays: arraysIn(contents, entries), metadata };
  } catch {
    return undefined;
  }
}

/** Where the checksum stands in a header: it comes first. */
function checksumPlace(header: Uint8Array): number {
  const before = '{"__metadata__":{"checksum":"';
  const text = new TextDecoder("latin1").decode(header.subarray(0, before.length));
  return text === before ? before.length : -1;
}

/** CRC-32 of parts one after the other, as eight hexadecimal digits. */
function checksumOf(parts: readonly Uint8Array[]): string {
  // Of no bytes, Node gives 0 whatever came before.
  const crc = parts.reduce((before, part) => (part.length === 0 ? before : crc32(part, before)), 0);
  return crc.toString(16).padStart(UNKNOWN.length, "0");
}

function arraysIn(contents: Uint8Array, entries: { readonly [name: string]: Entry }): ReadonlyMap<string, StoredArray> {
  return new Map(
    Object.entries(entries).map(
      ([
        name,
        {
          dtype,
          shape,
          data_offsets: [start, end],
        },
      ]) => {
        const Kind = KINDS[dtype as keyof typeof KINDS];
        const count = (end - start) / Kind.BYTES_PER_ELEMENT;
        return [
          name,
          { data: new Kind(contents.buffer as ArrayBuffer, contents.byteOffset + start, count), dims: shape },
        ] as const;
      },
    ),
  );
}
