import type { TensorData } from "../tensors/index.ts";

// A result of 45 MB is a block that glibc takes from the system and gives back when it is freed, whatever else the process frees. The next
// product then touches 11,000 fresh pages, each of which the system clears first: a fifth of the time of a product of ResNet-18. Told to
// keep such blocks, it hands out the same pages again.

/** Parameters of mallopt (malloc.h of glibc). */
const TRIM_THRESHOLD = -1;
const MMAP_THRESHOLD = -3;

/** Blocks up to this size, and as much free memory, are kept; the largest power of two that an int holds. */
const KEPT_BYTES = 2 ** 30;

/** Blocks from which on it is worth it. Up to 32 MB glibc learns to keep them by itself, at the first one freed. */
const LARGE_BYTES = 2 ** 24;

let done: Promise<boolean> | undefined;

/** Has large blocks kept from the first time on that numbers stand in one, of which they may be a part, as a column of a matrix is. */
export function noticeBlock(data: TensorData): void {
  if (done === undefined && ArrayBuffer.isView(data) && data.buffer.byteLength >= LARGE_BYTES) void keepLargeBlocks();
}

/**
 * Tells the process's allocator to keep large blocks that are freed, for the next ones of their size; once. It does nothing, and gives
 * false, outside of Linux with glibc, without the optional package koffi, or where the environment variable ONNX_CURVATURE_MALLOC is
 * "system".
 */
export function keepLargeBlocks(): Promise<boolean> {
  done ??= toldAllocator();
  return done;
}

async function toldAllocator(): Promise<boolean> {
  if (process.platform !== "linux" || process.env.ONNX_CURVATURE_MALLOC === "system") return false;
  try {
    const { default: koffi } = await import("koffi");
    const mallopt = koffi.load("libc.so.6").func("mallopt", "int", ["int", "int"]);
    return mallopt(TRIM_THRESHOLD, KEPT_BYTES) === 1 && mallopt(MMAP_THRESHOLD, KEPT_BYTES) === 1;
  } catch {
    // No koffi, or another C library: large blocks stay as slow as they are.
    return false;
  }
}
