import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";

/** Writes files into a folder that exists as long as the tests of this file run; gives their paths. */
export function temporaryFolder(): (name: string, contents: string | Uint8Array) => Promise<string> {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "onnx-curvature-data-"));
  });
  afterAll(() => rm(folder, { recursive: true }));
  return async (name, contents) => {
    const path = join(folder, name);
    await writeFile(path, contents);
    return path;
  };
}

export * from "./arrayBytes.ts";
