import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { configDefaults, defineConfig } from "vitest/config";

const local = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const source = (path: string) => local(`./src/${path}`);

/** What leaves traces in a process, or measures it: modules and globals that are replaced, memory and page faults that are counted. */
const OWN_PROCESS = /\bvi\.(mock|doMock|resetModules|stubGlobal|stubEnv)\b|\bprocess\.(resourceUsage|memoryUsage)\b/;

const tests = readdirSync(local("test"), { recursive: true, encoding: "utf8" })
  .map((path) => `test/${path.replaceAll("\\", "/")}`)
  .filter((path) => path.endsWith(".test.ts"));
const isolated = tests.filter((path) => OWN_PROCESS.test(readFileSync(local(path), "utf8")));

// Tests run on the sources, by the names that users import as well. Loading them takes a second of a processor; so a process runs one file
// after the other, except those files that need a process of their own.
export default defineConfig({
  resolve: {
    alias: [
      { find: /^#dense$/, replacement: source("linalg/dense/nodeKernels.ts") },
      { find: /^#files$/, replacement: source("files/node.ts") },
      { find: /^#images$/, replacement: source("data/images/nodeDecoder.ts") },
      { find: /^#runtime$/, replacement: local("test/runtime/oneThread.ts") },
      { find: /^onnx-curvature$/, replacement: source("index.ts") },
      { find: /^onnx-curvature\/linalg$/, replacement: source("linalg/index.ts") },
      { find: /^onnx-curvature\/mpi$/, replacement: source("distributed/mpi/index.ts") },
      { find: /^onnx-curvature\/report$/, replacement: source("report/index.ts") },
      { find: /^onnx-curvature\/structured$/, replacement: source("structured/index.ts") },
      { find: /^onnx-curvature\/sharpness$/, replacement: source("applications/sharpness/index.ts") },
      { find: /^onnx-curvature\/training$/, replacement: source("applications/training/index.ts") },
      { find: /^onnx-curvature\/information$/, replacement: source("applications/information/index.ts") },
      { find: /^onnx-curvature\/laplace$/, replacement: source("applications/laplace/index.ts") },
      { find: /^onnx-curvature\/influence$/, replacement: source("applications/influence/index.ts") },
      { find: /^onnx-curvature\/pruning$/, replacement: source("applications/pruning/index.ts") },
      { find: /^onnx-curvature\/quantization$/, replacement: source("applications/quantization/index.ts") },
    ],
  },
  test: {
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: "forks",
    maxWorkers: 2,
    // Two files run at a time: more threads than that wait for one another.
    env: { OPENBLAS_NUM_THREADS: "1" },
    projects: [
      {
        extends: true,
        test: {
          name: "shared",
          include: ["test/**/*.test.ts"],
          exclude: [...configDefaults.exclude, ...isolated],
          isolate: false,
        },
      },
      { extends: true, test: { name: "isolated", include: isolated } },
    ],
  },
});
