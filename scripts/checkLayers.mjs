// @ts-check
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { cruise } from "dependency-cruiser";
import extractTSConfig from "dependency-cruiser/config-utl/extract-ts-config";
import { isMain, root } from "./paths.mjs";

/**
 * Finds every import that .dependency-cruiser.mjs forbids. Returns one line for each, and the source files that were checked. A folder of
 * src/ without a row in the table of layers is also a finding, and so is a source file that was not checked.
 *
 * @param {string} directory the checkout
 * @returns {Promise<{ modules: string[], findings: string[] }>}
 */
export async function checkLayers(directory) {
  const {
    default: configuration,
    layers,
    rooms,
  } = await import(pathToFileURL(join(root, ".dependency-cruiser.mjs")).href);
  const folders = ["src", "studio", "examples", "bench"].filter((name) => existsSync(join(directory, name)));
  const tsConfig = extractTSConfig(join(directory, "tsconfig.json"));
  const { output } = await cruise(
    folders,
    { ...configuration.options, baseDir: directory, ruleSet: { forbidden: configuration.forbidden }, validate: true },
    { alias: aliases(directory, tsConfig.options.paths), bustTheCache: true },
    { tsConfig },
  );
  if (typeof output === "string") throw new Error(`dependency-cruiser answered with text: ${output}`);
  const modules = output.modules.map((module) => module.source).filter((source) => source.startsWith("src/"));
  const comments = new Map(
    configuration.forbidden.map((/** @type {{ name: string, comment: string }} */ rule) => [rule.name, rule.comment]),
  );
  return {
    modules,
    findings: [
      ...sources(directory, "src").flatMap((path) => inspectPath(path, { layers, rooms, modules })),
      ...output.summary.violations.map(({ rule, from, to, cycle }) => {
        const path = cycle ? cycle.map(({ name }) => name).join(" -> ") : to;
        return `${from} -> ${path}: ${rule.name}: ${comments.get(rule.name)}`;
      }),
    ],
  };
}

/**
 * The names of tsconfig.json's `paths`, all exact, in the form that the resolver takes.
 *
 * @param {string} directory
 * @param {Record<string, string[]> | undefined} paths
 */
function aliases(directory, paths = {}) {
  return Object.fromEntries(
    Object.entries(paths).map(([name, [path]]) => [`${name}$`, join(directory, /** @type {string} */ (path))]),
  );
}

/**
 * @param {string} path
 * @param {{ layers: Record<string, unknown>, rooms: Record<string, Record<string, unknown>>, modules: readonly string[] }} known
 */
function inspectPath(path, { layers, rooms, modules }) {
  const [, layer, inside] = path.split("/");
  if (!modules.includes(path)) return [`${path}: not looked at by dependency-cruiser`];
  if (inside === undefined && path !== "src/index.ts")
    return [`${path}: belongs into a folder; src/ itself holds index.ts alone`];
  if (inside !== undefined && layer !== undefined && !(layer in layers))
    return [`${path}: src/${layer} has no row in .dependency-cruiser.mjs`];
  return Object.entries(rooms).flatMap(([folder, table]) => {
    if (!path.startsWith(`src/${folder}/`)) return [];
    const [room, file] = path.slice(`src/${folder}/`.length).split("/");
    if (file === undefined || room === undefined || room in table) return [];
    return [`${path}: src/${folder}/${room} has no row in .dependency-cruiser.mjs`];
  });
}

/**
 * Paths of all TypeScript files of a folder, relative to the checkout.
 *
 * @param {string} directory
 * @param {string} folder
 * @returns {string[]}
 */
function sources(directory, folder) {
  return readdirSync(join(directory, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return sources(directory, path);
    return entry.name.endsWith(".ts") ? [path] : [];
  });
}

if (isMain(import.meta.url)) {
  const { modules, findings } = await checkLayers(root);
  for (const finding of findings) console.error(finding);
  console.log(`layers: ${modules.length} files of src, ${findings.length} findings`);
  process.exitCode = findings.length === 0 && modules.length > 0 ? 0 : 1;
}
