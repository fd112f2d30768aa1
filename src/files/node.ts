import { constants as bufferConstants } from "node:buffer";
import { constants } from "node:fs";
import { type FileHandle, open, readdir, stat } from "node:fs/promises";
import { freemem } from "node:os";
import { dirname, isAbsolute, join, relative, sep } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { gunzipSync, inflateRawSync, crc32 as zlibCrc32 } from "node:zlib";
import { CurvatureError } from "../errors/index.ts";
import { formatDuration } from "./formatDuration.ts";
import { type ByteRange, type ReadLimits, throwIfAborted, tooLarge } from "./readOptions.ts";

export { readWhole, removeWhole, writeWhole } from "./wholeFile.ts";

/** Bytes of free memory on this machine. */
export function freeMemory(): number {
  return freemem();
}

/** Largest number of bytes of one read call; Node rejects 2^31 and more. */
const READ_SIZE = 2 ** 30;
/** Bytes to read at once if the length is unknown. */
const CHUNK = 2 ** 16;
/** Milliseconds between two attempts to read from a pipe. */
const PAUSE = 20;

/**
 * Reads the bytes of a regular file or a pipe.
 *
 * @throws CurvatureError "file" for devices and sockets, for more bytes than the limit, and for a pipe that stays silent; the file system's
 *   own error (ENOENT, EISDIR, EACCES, ...) if the path cannot be opened
 */
export async function readPath(path: string | URL, limits: ReadLimits): Promise<Uint8Array> {
  throwIfAborted(limits.signal, String(path));
  // Without O_NONBLOCK, opening a pipe waits for a writer in a thread that cannot be stopped.
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const stat = await file.stat();
    if (stat.isDirectory()) throw Object.assign(new Error("it is a folder"), { code: "EISDIR" });
    if (stat.isFile()) return await readRegular(file, { path: String(path), size: stat.size, limits });
    if (stat.isFIFO()) return await readPipe(file, String(path), limits);
    throw new CurvatureError("file", `${path} is a device or a socket; expected a file or a pipe`);
  } finally {
    await file.close();
  }
}

interface RegularFile {
  readonly path: string;
  readonly size: number;
  readonly limits: ReadLimits;
}

/** Reads a file to its end or to the limit, also if it grows meanwhile or the file system does not report its size. */
async function readRegular(file: FileHandle, { path, size, limits }: RegularFile): Promise<Uint8Array> {
  const { memoryLimit, signal, largest = Number.POSITIVE_INFINITY } = limits;
  if (size > largest) throw Object.assign(new Error("the file is too large"), { code: "ERR_FS_FILE_TOO_LARGE" });
  if (size > memoryLimit) throw tooLarge(path, { bytes: size, memoryLimit });
  const bytes = new Uint8Array(size);
  let done = 0;
  while (done < size) {
    const { bytesRead } = await file.read(bytes, done, Math.min(size - done, READ_SIZE), null);
    throwIfAborted(signal, path);
    if (bytesRead === 0) return bytes.subarray(0, done);
    done += bytesRead;
  }
  const rest = await readToEnd(() => readChunk(file), { path, limits, held: size });
  return rest.length === 0 ? bytes : Buffer.concat([bytes, ...rest]);
}

async function readPipe(file: FileHandle, path: string, limits: ReadLimits): Promise<Uint8Array> {
  let started = false;
  const next = async () => {
    for (const since = performance.now(); ; ) {
      throwIfAborted(limits.signal, path);
      const chunk = await readChunk(file).catch((error: NodeJS.ErrnoException) => {
        if (error.code === "EAGAIN") return undefined;
        throw error;
      });
      // Until a writer opens the pipe, reading it reports the end of the file.
      if (chunk !== undefined && (chunk.length > 0 || started)) {
        started = true;
        return chunk;
      }
      if (performance.now() - since > limits.timeout) throw silent(path, limits.timeout);
      await sleep(PAUSE);
    }
  };
  return Buffer.concat(await readToEnd(next, { path, limits, held: 0 }));
}

/**
 * Reads standard input to its end.
 *
 * @throws CurvatureError "file" for a terminal, for more bytes than the limit and where nothing comes; "aborted" if the signal fired
 */
export async function readStandardInput(limits: ReadLimits): Promise<Uint8Array> {
  const what = "standard input";
  if (process.stdin.isTTY) {
    throw new CurvatureError(
      "file",
      `${what} is a terminal; expected data, as in: onnx-curvature report m.onnx --data - < rows.csv`,
    );
  }
  throwIfAborted(limits.signal, what);
  const chunks: Uint8Array[] = [];
  const silence = timer(() => process.stdin.destroy(silent(what, limits.timeout)), limits.timeout);
  const stop = () => process.stdin.destroy();
  limits.signal?.addEventListener("abort", stop);
  try {
    let length = 0;
    for await (const chunk of process.stdin as AsyncIterable<Uint8Array>) {
      silence.again();
      length += chunk.length;
      if (length > limits.memoryLimit) throw tooLarge(what, limits);
      chunks.push(chunk);
    }
  } catch (cause) {
    throwIfAborted(limits.signal, what);
    throw cause;
  } finally {
    silence.stop();
    limits.signal?.removeEventListener("abort", stop);
  }
  throwIfAborted(limits.signal, what);
  return Buffer.concat(chunks);
}

/** Calls `work` after so many milliseconds without a call of `again`. Delays beyond the maximum of a timer count as unlimited. */
function timer(work: () => void, delay: number) {
  const start = () => (delay < 2 ** 31 ? setTimeout(work, delay) : undefined);
  let running = start();
  return {
    again() {
      clearTimeout(running);
      running = start();
    },
    stop: () => clearTimeout(running),
  };
}

function silent(path: string, timeout: number): CurvatureError {
  return new CurvatureError(
    "file",
    `${path} is a pipe into which nothing was written for ${formatDuration(timeout)}; start the program that writes, raise timeout (--timeout), or give a file`,
  );
}

async function readChunk(file: FileHandle): Promise<Uint8Array> {
  const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(CHUNK), 0, CHUNK, null);
  return buffer.subarray(0, bytesRead);
}

async function readToEnd(
  next: () => Promise<Uint8Array>,
  { path, limits, held }: { readonly path: string; readonly limits: ReadLimits; readonly held: number },
): Promise<readonly Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  for (let length = held; ; ) {
    const chunk = await next();
    if (chunk.length === 0) return chunks;
    length += chunk.length;
    if (length > limits.memoryLimit) throw tooLarge(path, limits);
    throwIfAborted(limits.signal, path);
    chunks.push(chunk);
  }
}

/**
 * Reads a range of bytes of a regular file (fewer if the file ends earlier), and the file's size. Undefined for anything other than a
 * regular file or a symbolic link to one.
 *
 * @throws the file system's own error if the path cannot be opened
 */
export async function readPathRange(
  path: string,
  { offset, length }: ByteRange,
): Promise<{ readonly bytes: Uint8Array; readonly size: number } | undefined> {
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const stat = await file.stat();
    if (!stat.isFile()) return undefined;
    const bytes = new Uint8Array(Math.max(0, Math.min(length, stat.size - offset)));
    let done = 0;
    while (done < bytes.length) {
      const { bytesRead } = await file.read(bytes, done, Math.min(bytes.length - done, READ_SIZE), offset + done);
      if (bytesRead === 0) return { bytes: bytes.subarray(0, done), size: offset + done };
      done += bytesRead;
    }
    return { bytes, size: stat.size };
  } finally {
    await file.close();
  }
}

/** Whether a path is that of a regular file. Does not open it: a pipe that is opened and closed again is lost for its writer. */
export async function isRegularFile(path: string): Promise<boolean> {
  return (await stat(path)).isFile();
}

/**
 * Paths of all files below a folder, relative to it and with slashes, and of its folders, which end with one; sorted. Undefined if the path is
 * that of a file.
 *
 * @throws the file system's own error if there is no such path
 */
export async function listFolder(path: string): Promise<readonly string[] | undefined> {
  if (!(await stat(path)).isDirectory()) return undefined;
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries
    .map((entry) => {
      const name = relative(path, join(entry.parentPath, entry.name)).replaceAll(sep, "/");
      return entry.isDirectory() ? `${name}/` : name;
    })
    .sort();
}

/** The path of a file of a folder. */
export function pathIn(folder: string, name: string): string {
  return isAbsolute(name) ? name : join(folder, name);
}

/** Checksum of gzip and zip (CRC-32 of ISO 3309); `before` is the checksum of the preceding bytes. */
export function crc32(bytes: Uint8Array, before = 0): number {
  return zlibCrc32(bytes, before);
}

/**
 * The path of a `file:` URL.
 *
 * @throws TypeError for another host, and for other URLs that name no local file
 */
export function pathOfUrl(url: URL): string {
  return fileURLToPath(url);
}

/** Whether two paths lead to the same file; false if either does not exist. */
export async function isSameFile(one: string, other: string): Promise<boolean> {
  const [a, b] = await Promise.all([one, other].map((path) => stat(path).catch(() => undefined)));
  return a !== undefined && b !== undefined && a.ino === b.ino && a.dev === b.dev;
}

/** The folder of a path. */
export function folderOf(path: string): string {
  return dirname(path);
}

/**
 * Contents of all members of a gzip file, each checked against its checksum and length; undefined if the contents are longer than `limit`.
 *
 * @throws zlib's error for damage
 */
export function gunzipMembers(bytes: Uint8Array, limit: number): Uint8Array | undefined {
  // The last four bytes give the length of most files, which then need no second copy.
  const told = new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 4, 4).getUint32(0, true);
  const chunkSize = told < limit && told < 1100 * bytes.length ? Math.max(told + 1, CHUNK) : CHUNK;
  try {
    // The types do not express that the result is an object with `info`.
    const { buffer, engine } = gunzipSync(bytes, {
      info: true,
      chunkSize,
      maxOutputLength: Math.max(1, Math.min(limit, bufferConstants.MAX_LENGTH)),
    }) as unknown as { buffer: Buffer; engine: { bytesWritten: number } };
    // Zlib ignores bytes after the last member, and a damaged start of a member looks like such bytes.
    if (bytes.subarray(engine.bytesWritten).some((byte) => byte !== 0)) throw new Error("other bytes after the end");
    return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") return undefined;
    throw error;
  }
}

/**
 * Contents of a raw deflate stream, which should be `size` bytes.
 *
 * @throws zlib's error for damage and for more bytes
 */
export function inflateRaw(bytes: Uint8Array, size: number): Uint8Array {
  const contents = inflateRawSync(bytes, { chunkSize: Math.max(size + 1, 64), maxOutputLength: Math.max(size, 1) });
  return new Uint8Array(contents.buffer, contents.byteOffset, contents.byteLength);
}
