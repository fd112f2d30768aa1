import { foreignFunctionsNow } from "../foreign/index.ts";

// glibc returns a freed block of 45 MB to the system. The next product then touches 11,000 fresh pages, which the system zeroes first: a
// fifth of the time of a product of ResNet-18. With mallopt glibc keeps such blocks and reuses their pages. The engine then needs no arena,
// which would hold memory for each session that all sessions can share.

/** Parameters of mallopt (malloc.h of glibc). */
const TRIM_THRESHOLD = -1;
const MMAP_THRESHOLD = -3;

/** Blocks up to this size, and as much free memory, are kept; the largest power of two that an int holds. */
const KEPT_BYTES = 2 ** 30;

let told: boolean | undefined;

/**
 * Makes the process's allocator keep freed blocks of many megabytes for reuse; once. It does nothing, and returns
 * false, outside of Linux with glibc, without the optional package koffi, or where the environment variable ONNX_CURVATURE_MALLOC is
 * "system".
 */
export function keepLargeBlocks(): boolean {
  told ??= tellAllocator();
  return told;
}

/** Whether freed memory goes back to the system at once, at the cost of time. */
export function givesMemoryBack(): boolean {
  return process.env.ONNX_CURVATURE_MALLOC === "system";
}

function tellAllocator(): boolean {
  if (process.platform !== "linux" || givesMemoryBack()) return false;
  try {
    // Required synchronously: an asynchronous import would miss the first dozen products.
    const mallopt = foreignFunctionsNow().load("libc.so.6").func("mallopt", "int", ["int", "int"]);
    return mallopt(TRIM_THRESHOLD, KEPT_BYTES) === 1 && mallopt(MMAP_THRESHOLD, KEPT_BYTES) === 1;
  } catch {
    // No koffi, or another C library: large blocks stay slow.
    return false;
  }
}
