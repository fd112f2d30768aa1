import { crc32, inflateRaw } from "#files";
import { CurvatureError } from "../errors/index.ts";
import { checkSize } from "./readOptions.ts";

/** A file in a zip archive, as described by the archive's directory (PKWARE APPNOTE 6.3, section 4.3.12). */
export interface ZipEntry {
  readonly name: string;
  readonly method: number;
  readonly flags: number;
  readonly crc: number;
  /** Sizes in bytes in the archive and decompressed. */
  readonly compressedSize: number;
  readonly size: number;
  /** Offset of the local header, which precedes the contents. */
  readonly offset: number;
}

const LOCAL_HEADER = 0x04034b50;
const DIRECTORY_ENTRY = 0x02014b50;
const DIRECTORY_END = 0x06054b50;
const DIRECTORY_END_64 = 0x06064b50;
const DIRECTORY_LOCATOR_64 = 0x07064b50;
/** A field with this value is replaced by a 64-bit field in the extra data. */
const ELSEWHERE = 0xffffffff;
const STORED = 0;
const DEFLATED = 8;
const ENCRYPTED = 1;
/** Bytes of a local header without name and extra data. */
export const LOCAL_HEADER_BYTES = 30;
/** Bytes at the end of an archive that hold the records about its directory: 22, a comment of up to 2^16 - 1, and 20 + 56 of the 64-bit format. */
export const MOST_DIRECTORY_END = 22 + 0xffff + 20 + 56;
/** Flag: checksum and sizes follow the contents and are missing in the local header. */
const SIZES_FOLLOW = 8;

/** Whether bytes begin like a zip archive. */
export function isZip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x50 && bytes[1] === 0x4b && (bytes[2] === 3 || bytes[2] === 5); // PK
}

/** The end of an archive, or all of it. */
interface ArchiveEnd {
  /** Name of the archive in messages. */
  readonly archive: string;
  /** Offset in the archive of the first byte that is given. */
  readonly base?: number;
}

/** Offset of the directory of an archive. */
export function directoryStart(bytes: Uint8Array, { archive, base = 0 }: ArchiveEnd): number {
  try {
    return base + directoryPlace(viewOf(bytes), base).start;
  } catch (cause) {
    throw damagedZip(archive, cause);
  }
}

/**
 * The files of a zip archive, in the order of its directory. Reads only the directory.
 *
 * @throws CurvatureError "file" if the directory is missing or damaged, or names a file twice
 */
export function zipEntries(bytes: Uint8Array, { archive, base = 0 }: ArchiveEnd): readonly ZipEntry[] {
  const view = viewOf(bytes);
  try {
    const { count, start, end } = directoryPlace(view, base);
    const entries: ZipEntry[] = [];
    let at = start;
    while (at < end) {
      const [entry, next] = directoryEntry(view, at);
      entries.push(entry);
      at = next;
    }
    if (at !== end || entries.length !== count) throw new Error("its directory does not end where it should");
    if (new Set(entries.map(({ name }) => name)).size < count) throw new Error("its directory names a file twice");
    return entries;
  } catch (cause) {
    throw damagedZip(archive, cause);
  }
}

/** Where the directory is in the bytes that are given. */
interface DirectoryPlace {
  readonly count: number;
  readonly start: number;
  readonly end: number;
}

function directoryPlace(view: DataView, base: number): DirectoryPlace {
  const last = view.byteLength - 22;
  for (let at = last; at >= Math.max(0, last - 0xffff); at--) {
    if (view.getUint32(at, true) !== DIRECTORY_END || view.getUint16(at + 20, true) !== last - at) continue;
    const is64 = at >= 20 && view.getUint32(at - 20, true) === DIRECTORY_LOCATOR_64;
    const place = is64
      ? directoryPlace64(view, wide(view, at - 12) - base)
      : {
          count: view.getUint16(at + 10, true),
          start: view.getUint32(at + 16, true),
          end: view.getUint32(at + 16, true) + view.getUint32(at + 12, true),
        };
    const [start, end] = [place.start - base, place.end - base];
    if (end !== (is64 ? wide(view, at - 12) - base : at)) throw new Error("its directory is not where it should be");
    return { count: place.count, start, end };
  }
  throw new Error("it has no directory at its end");
}

function directoryPlace64(view: DataView, at: number): DirectoryPlace {
  if (view.getUint32(at, true) !== DIRECTORY_END_64) throw new Error("its directory is not where it should be");
  const start = wide(view, at + 48);
  return { count: wide(view, at + 32), start, end: start + wide(view, at + 40) };
}

function directoryEntry(view: DataView, at: number): readonly [entry: ZipEntry, next: number] {
  if (view.getUint32(at, true) !== DIRECTORY_ENTRY) throw new Error("its directory is damaged");
  const flags = view.getUint16(at + 8, true);
  const [nameLength, extraLength, commentLength] = [28, 30, 32].map((field) => view.getUint16(at + field, true));
  const extra = at + 46 + nameLength;
  const wides = wideFields(view, extra, extra + extraLength);
  const field = (place: number) => {
    const value = view.getUint32(at + place, true);
    return value === ELSEWHERE ? (wides.shift() ?? value) : value;
  };
  // In the order of the extra field.
  const [size, compressedSize, offset] = [field(24), field(20), field(42)];
  const entry = {
    name: decodeName(bytesOf(view, at + 46, nameLength), flags),
    method: view.getUint16(at + 10, true),
    flags,
    crc: view.getUint32(at + 16, true),
    compressedSize: compressedSize,
    size: size,
    offset: offset,
  };
  return [entry, extra + extraLength + commentLength];
}

/** The 64-bit sizes and offsets in the extra field of a header. */
function wideFields(view: DataView, start: number, end: number): number[] {
  for (let at = start; at + 4 <= end; at += 4 + view.getUint16(at + 2, true)) {
    if (view.getUint16(at, true) !== 1) continue;
    return Array.from({ length: Math.floor(view.getUint16(at + 2, true) / 8) }, (_, i) => wide(view, at + 4 + 8 * i));
  }
  return [];
}

function decodeName(bytes: Uint8Array, flags: number): string {
  return new TextDecoder(flags & 0x800 ? "utf-8" : "latin1").decode(bytes);
}

/**
 * Contents of a file of an archive, checked against its local header, its length and its checksum.
 *
 * @param options `archive` names the archive in messages
 * @throws CurvatureError "file" if they are damaged or longer than the limit, "unsupported" if they are encrypted or compressed by a method
 *   other than deflate
 */
export function zipContents(
  bytes: Uint8Array,
  { entry, archive, memoryLimit }: { readonly entry: ZipEntry; readonly archive: string; readonly memoryLimit: number },
): Uint8Array {
  const { name, method, size, compressedSize, crc } = entry;
  const member = `${archive}, file ${name}`;
  if (entry.flags & ENCRYPTED) throw new CurvatureError("unsupported", `${member}: is encrypted; unpack it first`);
  if (method !== STORED && method !== DEFLATED) {
    throw new CurvatureError(
      "unsupported",
      `${member}: expected it stored or deflated, got compression method ${method}; pack it again`,
    );
  }
  checkSize(bytes.length + size, { what: `${member}: decompressing it`, memoryLimit });
  try {
    const start = contentsStart(viewOf(bytes), entry);
    const packed = bytes.subarray(start, start + compressedSize);
    const contents = method === STORED ? packed : inflateRaw(packed, size);
    if (contents.length !== size || packed.length !== compressedSize) throw new Error("incorrect length check");
    if (crc32(contents) !== crc) throw new Error("incorrect data check");
    return contents;
  } catch (cause) {
    throw damagedZip(member, cause);
  }
}

/** Bytes of a local header with its name and extra data. */
export function localBytes(header: Uint8Array): number {
  const view = viewOf(header);
  return LOCAL_HEADER_BYTES + view.getUint16(26, true) + view.getUint16(28, true);
}

/** Offset of the contents after the local header, which must agree with the directory. */
function contentsStart(view: DataView, { name, flags, method, crc, size, compressedSize, offset }: ZipEntry): number {
  const nameLength = view.getUint16(offset + 26, true);
  const extra = offset + 30 + nameLength;
  const end = extra + view.getUint16(offset + 28, true);
  const wides = wideFields(view, extra, end);
  const field = (place: number) => {
    const value = view.getUint32(offset + place, true);
    return value === ELSEWHERE ? (wides.shift() ?? value) : value;
  };
  const same =
    view.getUint32(offset, true) === LOCAL_HEADER &&
    view.getUint16(offset + 6, true) === flags &&
    view.getUint16(offset + 8, true) === method &&
    decodeName(bytesOf(view, offset + 30, nameLength), flags) === name;
  const sized = flags & SIZES_FOLLOW ? true : view.getUint32(offset + 14, true) === crc && field(22) === size;
  if (!same || !sized || (!(flags & SIZES_FOLLOW) && field(18) !== compressedSize)) {
    throw new Error("its header differs from the directory");
  }
  return end;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function bytesOf(view: DataView, offset: number, length: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + offset, length);
}

function wide(view: DataView, offset: number): number {
  return Number(view.getBigUint64(offset, true));
}

/** Error for an archive, or a file of one, that is damaged. */
export function damagedZip(what: string, cause: unknown): CurvatureError {
  const why = cause instanceof RangeError ? "it ends too early" : cause instanceof Error ? cause.message : cause;
  return new CurvatureError(
    "file",
    `${what}: expected a complete NPZ (zip) file, got a truncated or damaged one; copy or download it again (${why})`,
    { cause },
  );
}
