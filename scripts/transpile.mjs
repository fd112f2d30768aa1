// @ts-check
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fingerprint, isBuilt } from "./build.mjs";
import { npm } from "./install.mjs";
import { root } from "./paths.mjs";

const stamp = join(root, ".cache/transpiled.sha256");
/** TypeScript alone, where the other packages for development are not installed. */
const own = join(root, ".cache/typescript");

/**
 * Writes the programs of dist/ without checking types and without declarations, unless dist/ was made from the current sources. Takes a few
 * seconds instead of half a minute; `npm run build` then makes dist/ anew.
 */
export function ensureTranspiled() {
  const sources = fingerprint(["src", "tsconfig.json", "tsconfig.build.json", "package.json"]);
  if (isBuilt() || (existsSync(stamp) && readFileSync(stamp, "utf8") === sources && existsSync(join(root, "dist"))))
    return;
  process.stderr.write("Building dist without types ...\n");
  const ts = typescript();
  const { config } = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile);
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root);
  rmSync(join(root, "dist"), { recursive: true, force: true });
  for (const name of readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })) {
    if (!name.endsWith(".ts")) continue;
    const fileName = join(root, "src", name);
    const { outputText } = ts.transpileModule(readFileSync(fileName, "utf8"), {
      fileName,
      // Of one file alone, the compiler does not know that the package is one of modules.
      compilerOptions: {
        ...options,
        noEmit: false,
        allowImportingTsExtensions: false,
        module: ts.ModuleKind.ESNext,
        moduleResolution: ts.ModuleResolutionKind.Bundler,
      },
    });
    const target = join(root, "dist", name.replace(/[.]ts$/, ".js"));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, outputText);
  }
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, sources);
}

/** @returns {typeof import("typescript")} */
function typescript() {
  const require = createRequire(import.meta.url);
  const installed = join(root, "node_modules/typescript");
  if (existsSync(installed)) return require(installed);
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  const { version } = lock.packages["node_modules/typescript"];
  mkdirSync(own, { recursive: true });
  writeFileSync(join(own, "package.json"), '{ "private": true }');
  npm(["install", "--ignore-scripts", "--prefer-offline", `typescript@${version}`], { cwd: own });
  return require(join(own, "node_modules/typescript"));
}
