import { readPath, readStandardInput } from "#files";
import { CurvatureError } from "../errors/index.ts";
import {
  checkSize,
  fetchBytes,
  gunzip,
  isGzip,
  type ReadLimits,
  type ReadOptions,
  readLimits,
  shownAddress,
} from "../files/index.ts";

/** Source of the bytes of a file: a path ("-" is standard input), a URL, a browser's File or Blob, or the bytes themselves. */
export type Source = string | URL | Blob | Uint8Array | ArrayBuffer;

/** Bytes of a file, its name for messages, and the memory limit for reading it. */
export interface Contents {
  readonly bytes: Uint8Array;
  readonly name: string;
  readonly memoryLimit: number;
}

/**
 * The bytes of a file, decompressed if they are gzip. Paths require Node and must lead to a file or a pipe, or be "-" for standard input; URLs
 * are fetched.
 *
 * @throws CurvatureError if the file cannot be read, is empty, larger than the memory limit, or a damaged gzip file
 */
export async function readSource(source: Source, options: ReadOptions = {}): Promise<Contents> {
  const limits = readLimits(options);
  const { bytes, name } = await readRaw(source, limits);
  const { memoryLimit } = limits;
  if (bytes.length === 0) throw new CurvatureError("file", `${name}: expected rows of data, got an empty file`);
  return { name, bytes: isGzip(bytes) ? gunzip(bytes, { name, memoryLimit }) : bytes, memoryLimit };
}

async function readRaw(source: Source, limits: ReadLimits): Promise<Omit<Contents, "memoryLimit">> {
  const name = sourceName(source);
  if (source instanceof Uint8Array) return { bytes: source, name };
  if (source instanceof ArrayBuffer) return { bytes: new Uint8Array(source), name };
  if (source instanceof Blob) {
    checkSize(source.size, { what: name, memoryLimit: limits.memoryLimit });
    return { bytes: new Uint8Array(await source.arrayBuffer()), name };
  }
  const text = String(source);
  if (text === "-") return { name, bytes: await readStandardInput(limits) };
  if (!/^(https?|blob|data):/.test(text)) return { name, bytes: await readBytes(source, limits) };
  if (!URL.canParse(text)) throw cannotRead(shownAddress(text), "it is not a valid address");
  return { name, bytes: await fetchBytes(new URL(text), { ...limits, what: "Data at" }) };
}

/**
 * Name of a source in messages and reports: that of the file, without its folder.
 *
 * @throws CurvatureError "argument" if it is no source
 */
export function sourceName(source: Source): string {
  if (source instanceof Uint8Array || source instanceof ArrayBuffer) return "data in memory";
  if (source instanceof Blob)
    return "name" in source && typeof source.name === "string" ? source.name : "data in memory";
  if (typeof source !== "string" && !(source instanceof URL)) {
    throw new CurvatureError("argument", `expected data as a path, a URL, a Blob or bytes, got ${typeof source}`);
  }
  const text = String(source);
  if (text === "-") return "standard input";
  if (/^(blob|data):/.test(text)) return "data in memory";
  return /^https?:/.test(text) ? shownAddress(text).replace(/^.*[\\/]/, "") : baseName(text);
}

function baseName(path: string): string {
  return (path.startsWith("file:") ? path.replace(/[?#].*$/, "") : path).replace(/^.*[\\/]/, "");
}

async function readBytes(path: string | URL, limits: ReadLimits): Promise<Uint8Array> {
  try {
    return await readPath(path instanceof URL || !path.startsWith("file:") ? path : new URL(path), limits);
  } catch (cause) {
    if (cause instanceof CurvatureError) throw cause;
    throw unreadable(String(path), cause);
  }
}

/** Error for a path that cannot be read, from the file system's own. */
export function unreadable(path: string, cause: unknown): CurvatureError {
  return cannotRead(path, reason(cause), cause);
}

function cannotRead(path: string, why: string, cause?: unknown): CurvatureError {
  return new CurvatureError("file", `cannot read ${path}: ${why}; check the path`, { cause });
}

function reason(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const code = "code" in cause ? cause.code : undefined;
  if (code === "ENOENT") return "there is no such file";
  if (code === "EISDIR") return "it is a folder, expected a file";
  return cause.message;
}
