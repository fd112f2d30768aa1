import { defineConfig, mergeConfig } from "vitest/config";
import settings from "./vitest.config.ts";

// What takes minutes: `npm run test:long`.
export default mergeConfig(
  { ...settings, test: { ...settings.test, include: ["test/**/*.long.ts"] } },
  defineConfig({ test: { testTimeout: 1_800_000, hookTimeout: 1_800_000 } }),
);
