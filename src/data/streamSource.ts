import { isRegularFile, readPathRange } from "#files";
import { CurvatureError } from "../errors/index.ts";
import { isGzip, type RangeFile, throwIfAborted } from "../files/index.ts";
import { type Contents, type Source, sourceName, unreadable } from "./readSource.ts";

/** A file that is read in chunks, from the beginning on every pass. */
export interface ByteStream {
  readonly name: string;
  /** Its bytes, decompressed. */
  chunks(signal?: AbortSignal): AsyncIterable<Uint8Array>;
}

/** Bytes that are read at once. */
const CHUNK = 2 ** 20;

/**
 * A file of which ranges are read when they are needed.
 *
 * @throws CurvatureError "file" if there is no such file, it is empty, or it cannot be read twice (a pipe, an address)
 */
export async function rangeFile(source: Source, name = sourceName(source)): Promise<RangeFile> {
  const file = await openRanges(source, name);
  if (file.size === 0) throw new CurvatureError("file", `${name}: expected rows of data, got an empty file`);
  return file;
}

/** A source as a file of which ranges are read; undefined for pipes, standard input and addresses, which can be read once. */
export async function regularFile(source: Source): Promise<RangeFile | undefined> {
  if (typeof source === "string" || source instanceof URL) {
    if (isAddress(source) || source === "-") return undefined;
    const found = await isRegularFile(pathOf(source)).catch((cause: unknown) => {
      throw unreadable(String(source), cause);
    });
    if (!found) return undefined;
  }
  return rangeFile(source);
}

function isAddress(source: string | URL): boolean {
  return /^(https?|blob|data):/.test(String(source));
}

function pathOf(source: string | URL): string {
  return source instanceof URL || source.startsWith("file:") ? decodeURIComponent(new URL(source).pathname) : source;
}

async function openRanges(source: Source, name: string): Promise<RangeFile> {
  if (source instanceof Uint8Array || source instanceof ArrayBuffer) {
    const bytes = source instanceof Uint8Array ? source : new Uint8Array(source);
    return { name, size: bytes.length, range: async (offset, length) => bytes.subarray(offset, offset + length) };
  }
  if (source instanceof Blob) {
    const range = async (offset: number, length: number) =>
      new Uint8Array(await source.slice(offset, offset + length).arrayBuffer());
    return { name, size: source.size, range };
  }
  if (isAddress(source) || source === "-") {
    throw new CurvatureError(
      "argument",
      `${name}: expected a file that can be read again on every pass, got ${source === "-" ? "a stream" : "an address"}; save it first, or leave out stream (--stream)`,
    );
  }
  const path = pathOf(source);
  const range = async (offset: number, length: number) => {
    const found = await readPathRange(path, { offset, length }).catch((cause: unknown) => {
      throw unreadable(path, cause);
    });
    if (found !== undefined) return found;
    throw new CurvatureError(
      "file",
      `${path} is no regular file; expected a file that can be read again on every pass`,
    );
  };
  const { size } = await range(0, 0);
  return { name, size, range: async (offset, length) => (await range(offset, length)).bytes };
}

/** The file in chunks, decompressed if it is gzip. */
export async function streamOf(file: RangeFile): Promise<ByteStream> {
  const { name } = file;
  const packed = isGzip(await file.range(0, 2));
  return {
    name,
    chunks: (signal) => (packed ? decompressed(rawChunks(file, signal), name) : rawChunks(file, signal)),
  };
}

/** Contents in memory, as chunks. */
export function streamOfContents({ bytes, name }: Contents): ByteStream {
  const file = {
    name,
    size: bytes.length,
    range: async (offset: number, length: number) => bytes.subarray(offset, offset + length),
  };
  return { name, chunks: (signal) => rawChunks(file, signal) };
}

async function* rawChunks(
  { name, size, range }: RangeFile,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < size; offset += CHUNK) {
    throwIfAborted(signal, name);
    const chunk = await range(offset, CHUNK);
    if (chunk.length < Math.min(CHUNK, size - offset)) {
      throw new CurvatureError(
        "nondeterministic",
        `${name}: the file became shorter while it was read; keep it as it is until the end`,
      );
    }
    yield chunk;
  }
}

async function* decompressed(chunks: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<Uint8Array> {
  const iterator = chunks[Symbol.asyncIterator]();
  const packed = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      const { done, value } = await iterator.next();
      if (done) controller.close();
      else controller.enqueue(value as Uint8Array<ArrayBuffer>);
    },
    async cancel() {
      await iterator.return?.();
    },
  });
  try {
    // The chunks of a gzip file of several members follow one another.
    for await (const chunk of packed.pipeThrough(new DecompressionStream("gzip"))) yield chunk;
  } catch (cause) {
    if (cause instanceof CurvatureError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CurvatureError(
      "file",
      `${name}: expected a complete gzip file, got one that is truncated or damaged; copy or download it again (${why})`,
      { cause },
    );
  }
}
