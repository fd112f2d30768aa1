import { foreignFunctionsNow } from "../foreign/index.ts";

// A result of 45 MB is a block that glibc takes from the system and gives back when it is freed, whatever else the process frees. The next
// product then touches 11,000 fresh pages, each of which the system clears first: a fifth of the time of a product of ResNet-18. Told to
// keep such blocks, it hands out the same pages again. The engine then needs no arena, which holds for each session by itself what all of
// them could share.

/** Parameters of mallopt (malloc.h of glibc). */
const TRIM_THRESHOLD = -1;
const MMAP_THRESHOLD = -3;

/** Blocks up to this size, and as much free memory, are kept; the largest power of two that an int holds. */
const KEPT_BYTES = 2 ** 30;

let told: boolean | undefined;

/**
 * Tells the process's allocator to keep large blocks that are freed, for the next ones of their size; once. It does nothing, and gives
 * false, outside of Linux with glibc, without the optional package koffi, or where the environment variable ONNX_CURVATURE_MALLOC is
 * "system".
 */
export function keepLargeBlocks(): boolean {
  told ??= tellAllocator();
  return told;
}

/** Whether memory is to be given back to the system as soon as it is free, at the cost of time. */
export function givesMemoryBack(): boolean {
  return process.env.ONNX_CURVATURE_MALLOC === "system";
}

function tellAllocator(): boolean {
  if (process.platform !== "linux" || givesMemoryBack()) return false;
  try {
    // At once: an import that waits for its turn between products would miss the first dozen of them.
    const mallopt = foreignFunctionsNow().load("libc.so.6").func("mallopt", "int", ["int", "int"]);
    return mallopt(TRIM_THRESHOLD, KEPT_BYTES) === 1 && mallopt(MMAP_THRESHOLD, KEPT_BYTES) === 1;
  } catch {
    // No koffi, or another C library: large blocks stay as slow as they are.
    return false;
  }
}
