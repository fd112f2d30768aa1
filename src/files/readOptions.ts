import { CurvatureError } from "../errors/index.ts";

/** Limits on the memory and the time for reading, and a signal to stop it. */
export interface ReadOptions {
  /**
   * Largest size in bytes of everything that reading one file may hold at once: the file, its decompressed contents, and the numbers made
   * from them. Default: a quarter of the memory that is free when reading begins. `Infinity` removes the limit.
   */
  readonly memoryLimit?: number;
  /** Milliseconds of silence after which a server or a pipe is given up. 8,000 by default; `Infinity` waits forever. */
  readonly timeout?: number;
  /** Stops reading with an error of code "aborted". */
  readonly signal?: AbortSignal;
}

/** A range of bytes of a file. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** Options of reading, with defaults filled in. */
export interface ReadLimits {
  readonly memoryLimit: number;
  readonly timeout: number;
  readonly signal: AbortSignal | undefined;
  /** Largest size in bytes of a file of this kind, independent of the memory. */
  readonly largest?: number;
}

/** Throws "aborted" if the signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined, what: string): void {
  if (!signal?.aborted) return;
  throw new CurvatureError("aborted", `reading ${what} was stopped by the caller's signal`, { cause: signal.reason });
}

/**
 * Throws "file" if a number of bytes exceeds the limit.
 *
 * @param options `what` is the subject of the message; Infinity bytes are reported as "more" than the limit
 */
export function checkSize(
  bytes: number,
  { what, memoryLimit }: { readonly what: string; readonly memoryLimit: number },
): void {
  if (bytes > memoryLimit) throw tooLarge(what, { bytes, memoryLimit });
}

/** Error for data that need more bytes than the limit; without `bytes`, the size is unknown. */
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

/** Formats a number of bytes: 512 bytes, 1.5 kB, 20 MB, 2 GB. */
export function formatBytes(bytes: number): string {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  const power = Math.min(Math.max(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), 0), units.length - 1);
  const value = bytes / 1000 ** power;
  return `${power === 0 ? value : Number(value.toPrecision(3))} ${units[power]}`;
}
