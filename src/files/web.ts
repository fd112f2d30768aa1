import { Gunzip, inflateSync } from "fflate";
import { CurvatureError } from "../errors/index.ts";
import type { ByteRange, ReadLimits } from "./readOptions.ts";

/** Bytes of memory to use. Browsers do not report the free memory, so this is a share of the memory that pages commonly get. */
export function freeMemory(): number {
  return 4e9;
}

/** Throws: browsers have no file paths. */
export async function readPath(path: string | URL, _: ReadLimits): Promise<Uint8Array> {
  throw new CurvatureError("file", `${path}: paths need Node; give a URL, a File, a Blob or bytes`);
}

/** Throws: browsers have no file paths. */
export async function listFolder(path: string): Promise<readonly string[] | undefined> {
  throw new CurvatureError("file", `${path}: folders need Node; give a zip archive`);
}

/** The path of a file of a folder. */
export function pathIn(folder: string, name: string): string {
  return `${folder}/${name}`;
}

/** Throws: browsers have no standard input. */
export async function readStandardInput(_: ReadLimits): Promise<Uint8Array> {
  throw new CurvatureError("file", "standard input needs Node; give a URL, a File, a Blob or bytes");
}

/** Throws: browsers have no file paths. */
export async function readPathRange(
  path: string,
  _: ByteRange,
): Promise<{ readonly bytes: Uint8Array; readonly size: number }> {
  throw new CurvatureError("file", `${path}: paths need Node; give the contents as externalData`);
}

/** Throws: browsers have no file paths. */
export async function isRegularFile(path: string): Promise<boolean> {
  throw new CurvatureError("file", `${path}: paths need Node; give a URL, a File, a Blob or bytes`);
}

/** Throws: browsers have no file paths. */
export async function readWhole(path: string): Promise<Uint8Array | undefined> {
  throw withoutPaths(path);
}

/** Throws: browsers have no file paths. */
export async function writeWhole(path: string, _: readonly Uint8Array[]): Promise<void> {
  throw withoutPaths(path);
}

/** Throws: browsers have no file paths. */
export async function removeWhole(path: string): Promise<void> {
  throw withoutPaths(path);
}

/** Throws: browsers have no file paths. */
export async function isSameFile(path: string, _: string): Promise<boolean> {
  throw withoutPaths(path);
}

function withoutPaths(path: string): CurvatureError {
  return new CurvatureError("file", `${path}: files by path need Node; keep the state as an object`);
}

/** Throws: browsers have no file paths. */
export function pathOfUrl(url: URL): string {
  throw new CurvatureError("file", `${url.href}: paths need Node; give a URL of the web, a File, a Blob or bytes`);
}

/** The folder of a path: the part before its last name. */
export function folderOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf("/"), 0)) || ".";
}

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte;
  for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ 0xedb88320 : rest >>> 1;
  return rest;
});

/** Checksum of gzip and zip (CRC-32 of ISO 3309); `before` is the checksum of the preceding bytes. */
export function crc32(bytes: Uint8Array, before = 0): number {
  let crc = ~before;
  for (const byte of bytes) crc = crcTable[(crc ^ byte) & 255] ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** Bytes that are decompressed at once; the result is at most a thousand times as long. */
const CHUNK = 2 ** 14;

/**
 * Contents of all members of a gzip file, each checked against its checksum and length; undefined if the contents are longer than `limit`.
 *
 * @throws Error for damage
 */
export function gunzipMembers(bytes: Uint8Array, limit: number): Uint8Array | undefined {
  const parts: Uint8Array[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let [length, memberStart, crc] = [0, 0, 0];
  const checkMember = (end: number) => {
    if (view.getUint32(end - 8, true) !== crc) throw new Error("incorrect data check");
    if (view.getUint32(end - 4, true) !== (length - memberStart) % 2 ** 32) throw new Error("incorrect length check");
    [memberStart, crc] = [length, 0];
  };
  const stream = new Gunzip((part) => {
    parts.push(part);
    length += part.length;
    crc = crc32(part, crc);
  });
  stream.onmember = checkMember;
  for (let at = 0; at < bytes.length; at += CHUNK) {
    stream.push(bytes.subarray(at, at + CHUNK), at + CHUNK >= bytes.length);
    if (length > limit) return undefined;
  }
  checkMember(bytes.length);
  return joined(parts, length);
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

/**
 * Contents of a raw deflate stream, which should be `size` bytes.
 *
 * @throws Error for damage
 */
export function inflateRaw(bytes: Uint8Array, size: number): Uint8Array {
  return inflateSync(bytes, { out: new Uint8Array(size) });
}
