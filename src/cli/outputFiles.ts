import { randomUUID } from "node:crypto";
import { lstat, mkdir, rename, rm, rmdir, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { CurvatureError } from "../index.ts";

/** Creates a folder and its parents, and checks that files can be written into it. Returns those that it created, outermost first. */
async function prepareFolder(folder: string): Promise<readonly string[]> {
  const trial = join(folder, `.onnx-curvature-${randomUUID()}`);
  try {
    const created = await makeFolder(folder);
    await writeFile(trial, "", { flag: "wx" });
    await rm(trial);
    return created;
  } catch (cause) {
    throw new CurvatureError("file", `cannot write into folder ${folder}: ${reason(cause)}; choose another --out`, {
      cause,
    });
  }
}

/** Creates a folder and its parents one at a time: Node's own recursion does not end on a file system that cannot have folders. */
async function makeFolder(folder: string): Promise<readonly string[]> {
  try {
    await mkdir(folder);
    return [folder];
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "EEXIST" && (await stat(folder)).isDirectory()) return [];
    if (code !== "ENOENT" || dirname(folder) === folder || (await exists(dirname(folder)))) throw error;
    const parents = await makeFolder(dirname(folder));
    await mkdir(folder);
    return [...parents, folder];
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Folders made for files that are not written yet. */
export interface PreparedFolders {
  /** Removes those that were created and are still empty. */
  discard(): Promise<void>;
}

/**
 * Checks that files can be written at these paths and creates their folders. Does not change existing files.
 *
 * @throws CurvatureError "file" if that is impossible, or if a path is something other than a regular file
 */
export async function prepareFiles(...paths: readonly string[]): Promise<PreparedFolders> {
  const created: string[] = [];
  const discard = async () => {
    for (const folder of created.toReversed()) await rmdir(folder).catch(() => undefined);
  };
  try {
    for (const path of paths) {
      created.push(...(await prepareFolder(dirname(path))));
      await checkPlace(path);
    }
  } catch (error) {
    await discard();
    throw error;
  }
  return { discard };
}

/** Throws unless a path is free or a regular file: devices, pipes and symbolic links are never replaced. */
async function checkPlace(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined || found.isFile()) return;
  const kind = found.isDirectory()
    ? "a folder"
    : found.isSymbolicLink()
      ? "a symbolic link"
      : found.isFIFO()
        ? "a pipe"
        : found.isSocket()
          ? "a socket"
          : "a device";
  throw new CurvatureError("file", `cannot write ${path}: it is ${kind}; choose another --out`);
}

/**
 * Writes files that belong together: all under temporary names first, then renames them. A reader never finds half of a file, also after an
 * interruption, and a full disk leaves all files unchanged.
 *
 * @throws CurvatureError "file"
 */
export async function writeFiles(
  files: readonly (readonly [path: string, contents: string | Uint8Array])[],
): Promise<void> {
  const written = files.map(([path, contents]) => ({ path, contents, partial: `${path}.${randomUUID()}.partial` }));
  let current = "";
  try {
    for (const { path, contents, partial } of written) {
      current = path;
      await checkPlace(path);
      await writeFile(partial, contents, { flag: "wx", flush: true });
    }
    for (const { path, partial } of written) {
      current = path;
      await rename(partial, path);
    }
  } catch (cause) {
    for (const { partial } of written) await rm(partial, { force: true });
    if (cause instanceof CurvatureError) throw cause;
    throw new CurvatureError("file", `cannot write ${current}: ${reason(cause)}; choose another --out`, { cause });
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
