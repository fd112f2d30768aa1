import { createRequire } from "node:module";
import { memoized } from "../concurrency/index.ts";

/** What the package koffi exports. */
export type Koffi = typeof import("koffi")["default"];

/**
 * Stack of a thread that runs a foreign function asynchronously, in bytes. koffi's own 128 KiB let MPICH crash in each of 12 runs, 512 KiB in one
 * of one, and 1 MiB in none of 12.
 */
export const FOREIGN_STACK = 4 * 2 ** 20;

/**
 * The optional package koffi, which calls functions of system libraries. koffi takes settings only before it has loaded a library, so that
 * every part of this library that loads one gets koffi here.
 *
 * @throws Error if the package is not installed
 */
export const foreignFunctions = memoized(async (): Promise<Koffi> => configured((await import("koffi")).default));

/** As `foreignFunctions`, at once. */
export function foreignFunctionsNow(): Koffi {
  return configured(createRequire(import.meta.url)("koffi"));
}

function configured(koffi: Koffi): Koffi {
  try {
    koffi.config({ ...koffi.config(), async_stack_size: FOREIGN_STACK });
  } catch {
    // Another part of the program has loaded a library with koffi before. Who needs the stack looks at `koffi.config()`.
  }
  return koffi;
}
