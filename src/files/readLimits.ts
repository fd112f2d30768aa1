import { freeMemory } from "#files";
import { CurvatureError } from "../errors/index.ts";
import type { ReadLimits, ReadOptions } from "./readOptions.ts";

const FREE_SHARE = 1 / 4;
const USUAL_TIMEOUT = 8000;

/**
 * Fills in the defaults of the options of reading.
 *
 * @throws CurvatureError "argument" if `memoryLimit` or `timeout` is not a positive number
 */
export function readLimits({ memoryLimit, timeout = USUAL_TIMEOUT, signal }: ReadOptions = {}): ReadLimits {
  if (memoryLimit !== undefined && !(memoryLimit > 0)) {
    throw new CurvatureError("argument", `expected memoryLimit to be a positive number of bytes, got ${memoryLimit}`);
  }
  if (!(timeout > 0)) {
    throw new CurvatureError("argument", `expected timeout to be a positive number of milliseconds, got ${timeout}`);
  }
  return { memoryLimit: memoryLimit ?? Math.floor(freeMemory() * FREE_SHARE), timeout, signal };
}
