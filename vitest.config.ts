import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = (path: string) => fileURLToPath(new URL(`./src/${path}`, import.meta.url));

// Tests run on the sources, by the names that users import as well.
export default defineConfig({
  resolve: {
    alias: [
      { find: /^#dense$/, replacement: source("linalg/dense/nodeKernels.ts") },
      { find: /^#files$/, replacement: source("files/node.ts") },
      { find: /^#runtime$/, replacement: source("runtime/node.ts") },
      { find: /^onnx-curvature$/, replacement: source("index.ts") },
      { find: /^onnx-curvature\/linalg$/, replacement: source("linalg/index.ts") },
      { find: /^onnx-curvature\/mpi$/, replacement: source("distributed/mpi/index.ts") },
      { find: /^onnx-curvature\/report$/, replacement: source("report/index.ts") },
    ],
  },
  test: { include: ["test/**/*.test.ts"], testTimeout: 120_000, hookTimeout: 120_000, pool: "forks", maxWorkers: 2 },
});
