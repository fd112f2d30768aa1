// @ts-check
import { realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The checkout's folder, without a slash at the end. */
export const root = fileURLToPath(new URL("..", import.meta.url)).replace(/[\\/]$/, "");

/**
 * Whether a script was started by name rather than imported.
 *
 * @param {string} url the script's `import.meta.url`
 */
export function isMain(url) {
  return process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(url);
}
