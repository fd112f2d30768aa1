import { CurvatureError } from "../errors/index.ts";

/** How much is read, and how long is waited for it. */
export interface ReadOptions {
  /**
   * Most bytes that reading one file may hold at once: the file, its decompressed contents, the numbers made of them. A quarter of the
   * memory that is free when reading begins by default; `Infinity` reads whatever comes.
   */
  readonly memoryLimit?: number;
  /** Milliseconds without a byte after which a server or a pipe is given up. 8,000 by default; `Infinity` waits for ever. */
  readonly timeout?: number;
  /** Stops reading with an error of code "aborted". */
  readonly signal?: AbortSignal;
}

/** A range of bytes of a file. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** Options of reading with their defaults filled in. */
export interface ReadLimits {
  readonly memoryLimit: number;
  readonly timeout: number;
  readonly signal: AbortSignal | undefined;
  /** Most bytes that a file of the wanted kind can have, whatever the memory. */
  readonly largest?: number;
}

/** Throws "aborted" if the signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined, what: string): void {
  if (!signal?.aborted) return;
  throw new CurvatureError("aborted", `reading ${what} was stopped by the caller's signal`, { cause: signal.reason });
}

/**
 * Throws "file" if so many bytes are more than the limit.
 *
 * @param options `what` needs them, as the subject of the message; Infinity bytes are "more" than the limit
 */
export function checkSize(
  bytes: number,
  { what, memoryLimit }: { readonly what: string; readonly memoryLimit: number },
): void {
  if (bytes > memoryLimit) throw tooLarge(what, { bytes, memoryLimit });
}

/** Error for what needs more bytes than the limit; without `bytes`, the need is unknown. */
export function tooLarge(
  what: string,
  { bytes, memoryLimit }: { readonly bytes?: number; readonly memoryLimit: number },
): CurvatureError {
  const needed = bytes === undefined || !Number.isFinite(bytes) ? "more than" : `${formatBytes(bytes)}, more than`;
  return new CurvatureError(
    "file",
    `${what} needs ${needed} the memory limit of ${formatBytes(memoryLimit)}; if that is meant, raise memoryLimit (--memory-limit)`,
  );
}

/** A number of bytes for people: 512 bytes, 1.5 kB, 20 MB, 2 GB. */
export function formatBytes(bytes: number): string {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  const power = Math.min(Math.max(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), 0), units.length - 1);
  const value = bytes / 1000 ** power;
  return `${power === 0 ? value : Number(value.toPrecision(3))} ${units[power]}`;
}
