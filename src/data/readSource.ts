import { CurvatureError } from "../errors/index.ts";
import { gunzip, isGzip } from "./gunzip.ts";

/** Where the bytes of a file are: a path, a URL, a browser's File or Blob, or the bytes themselves. */
export type Source = string | URL | Blob | Uint8Array | ArrayBuffer;

/** Bytes of a file and what messages call them: the file's name. */
export interface Contents {
  readonly bytes: Uint8Array;
  readonly name: string;
}

/**
 * The bytes of a file, decompressed if they are gzip. Paths need Node; URLs are fetched.
 *
 * @throws CurvatureError if the file cannot be read, is empty, or is a damaged gzip file
 */
export async function readSource(source: Source): Promise<Contents> {
  const { bytes, name } = await readRaw(source);
  if (bytes.length === 0) throw new CurvatureError("file", `${name}: expected rows of data, got an empty file`);
  return { name, bytes: isGzip(bytes) ? gunzip(bytes, name) : bytes };
}

async function readRaw(source: Source): Promise<Contents> {
  if (source instanceof Uint8Array) return { bytes: source, name: "data in memory" };
  if (source instanceof ArrayBuffer) return { bytes: new Uint8Array(source), name: "data in memory" };
  if (source instanceof Blob) {
    const name = "name" in source && typeof source.name === "string" ? source.name : "data in memory";
    return { bytes: new Uint8Array(await source.arrayBuffer()), name };
  }
  const text = String(source);
  const name = /^(blob|data):/.test(text) ? "data in memory" : text.replace(/[?#].*$/, "").replace(/^.*[\\/]/, "");
  return { name, bytes: /^(https?|blob|data):/.test(text) ? await fetchBytes(text) : await readBytes(source) };
}

async function fetchBytes(url: string): Promise<Uint8Array> {
  try {
    const response = await fetch(url);
    if (response.ok) return new Uint8Array(await response.arrayBuffer());
    throw new Error(`status ${response.status} ${response.statusText}`);
  } catch (cause) {
    throw new CurvatureError("file", `cannot read ${url}: ${reason(cause)}; check the address`, { cause });
  }
}

async function readBytes(path: string | URL): Promise<Uint8Array> {
  const { readFile } = await import("node:fs/promises");
  try {
    return await readFile(path instanceof URL || !path.startsWith("file:") ? path : new URL(path));
  } catch (cause) {
    throw new CurvatureError("file", `cannot read ${path}: ${reason(cause)}; check the path`, { cause });
  }
}

function reason(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const code = "code" in cause ? cause.code : undefined;
  if (code === "ENOENT") return "there is no such file";
  if (code === "EISDIR") return "it is a folder, expected a file";
  return cause.message;
}
