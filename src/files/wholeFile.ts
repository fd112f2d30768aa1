import { randomUUID } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** The bytes of a file, or undefined if it does not exist. */
export async function readWhole(path: string): Promise<Uint8Array | undefined> {
  return readFile(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT") return undefined;
    throw cause;
  });
}

/**
 * Writes a temporary file in the same folder, flushes it to disk and renames it. If the process is killed, the previous file remains. Of
 * several concurrent writers, the last to finish determines the file, which is always complete. Also removes temporary files of killed
 * processes.
 */
export async function writeWhole(path: string, parts: readonly Uint8Array[]): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await removeLeftOvers(path);
  const beside = `${path}.${process.pid}.${randomUUID()}.tmp`;
  try {
    const file = await open(beside, "wx");
    try {
      for (const part of parts) await file.appendFile(part);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, path);
  } catch (cause) {
    await rm(beside, { force: true });
    throw cause;
  }
}

/** Removes a file, and temporary files of killed processes beside it. */
export async function removeWhole(path: string): Promise<void> {
  await rm(path, { force: true });
  await removeLeftOvers(path);
}

/**
 * Age in milliseconds from which a temporary file counts as abandoned if this machine has no such process. A younger one may belong to
 * another machine that shares the folder.
 */
const ABANDONED = 60_000;

/** Removes temporary files beside a path whose processes have ended. */
async function removeLeftOvers(path: string): Promise<void> {
  const folder = dirname(path);
  for (const name of await readdir(folder).catch(() => [])) {
    if (!name.startsWith(`${basename(path)}.`)) continue;
    const [, process] = /^\.(\d+)\.[\da-f-]{36}\.tmp$/.exec(name.slice(basename(path).length)) ?? [];
    if (process === undefined || isRunning(Number(process))) continue;
    const found = await stat(join(folder, name)).catch(() => undefined);
    if (found !== undefined && Date.now() - found.mtimeMs > ABANDONED) await rm(join(folder, name), { force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
