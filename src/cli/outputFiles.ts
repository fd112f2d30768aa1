import { mkdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { CurvatureError } from "../index.ts";

/** Makes a folder, with those above it, and makes sure that files can be written into it. */
async function prepareFolder(folder: string): Promise<void> {
  const trial = join(folder, `.onnx-curvature-${process.pid}`);
  try {
    await makeFolder(folder);
    await writeFile(trial, "");
    await rm(trial);
  } catch (cause) {
    throw new CurvatureError("file", `cannot write into folder ${folder}: ${reason(cause)}; choose another --out`, {
      cause,
    });
  }
}

/** Makes a folder and those above it, one at a time: Node's own recursion does not end where a file system has no folders of its own. */
async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "EEXIST" && (await stat(folder)).isDirectory()) return;
    if (code !== "ENOENT" || dirname(folder) === folder || (await exists(dirname(folder)))) throw error;
    await makeFolder(dirname(folder));
    await mkdir(folder);
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/**
 * Makes sure that files can be written at these paths, making the folders they are in, without touching what is there.
 *
 * @throws CurvatureError "file"
 */
export async function prepareFiles(...paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    await prepareFolder(dirname(path));
    const found = await stat(path).catch(() => undefined);
    if (found?.isDirectory())
      throw new CurvatureError("file", `cannot write ${path}: it is a folder; choose another --out`);
  }
}

/**
 * Writes a file as a whole: under another name first, which is then changed, so that a reader or an interruption never finds half of it.
 *
 * @throws CurvatureError "file"
 */
export async function writeWhole(path: string, contents: string | Uint8Array): Promise<void> {
  const partial = `${path}.${process.pid}.partial`;
  try {
    await writeFile(partial, contents);
    await rename(partial, path);
  } catch (cause) {
    await rm(partial, { force: true });
    throw new CurvatureError("file", `cannot write ${path}: ${reason(cause)}; choose another --out`, { cause });
  }
}

function reason(cause: unknown): string {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const known: { readonly [code: string]: string } = {
    ENOENT: "it cannot be made there",
    EEXIST: "there is a file in its place",
    ENOTDIR: "a part of its path is a file",
    EACCES: "permission denied",
    EPERM: "permission denied",
    EROFS: "the file system is read-only",
    ENOSPC: "the disk is full",
    EISDIR: "it is a folder",
  };
  return known[code] ?? (cause instanceof Error ? cause.message : String(cause));
}
