import { defineConfig } from "vitest/config";
import settings from "./vitest.config.ts";

const { projects: _, ...test } = settings.test ?? {};

// What takes minutes: `npm run test:long`. Each file in a process of its own.
export default defineConfig({
  ...settings,
  test: {
    ...test,
    include: ["test/**/*.long.ts"],
    env: { ...test.env, ONNX_CURVATURE_ALL_CASES: "1" },
    testTimeout: 1_800_000,
    hookTimeout: 1_800_000,
  },
});
