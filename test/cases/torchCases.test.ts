import { describe, test } from "vitest";
import { expectTorch, riskOf } from "./torchCase.ts";

describe("loss, gradient and H v are PyTorch's in float64", () => {
  test.each([
    "clip_at_bounds",
    "float64_constants_in_float32",
    "function_twice_named_nodes",
    "loop_named_nodes",
    "resize_two_guards",
  ])("%s", async (name) => {
    for (const batchSize of [100, 2]) {
      const risk = await riskOf(name, {}, batchSize);
      try {
        await expectTorch(name, risk);
      } finally {
        await risk.dispose();
      }
    }
  });
});
