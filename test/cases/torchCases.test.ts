import { describe, expect, test } from "vitest";
import { rejectionOf } from "../onnx/messageOf.ts";
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

describe("rows that influence one another", () => {
  test.each([
    ["batch_statistics_not_refused", 'ReduceMean "node_ReduceMean_1"'],
    ["rows_mixed_not_noticed", 'ReduceMean "node_mean"'],
  ])("%s is refused, and PyTorch's with the whole data set as one batch", async (name, node) => {
    for (const batchSize of [100, 2, 1]) {
      for (const dtype of ["float32", "float64"] as const) {
        expect(await rejectionOf(riskOf(name, { dtype }, batchSize))).toContain(
          `rows of a batch influence one another, first at ${node}: number 0 of output "out" of row`,
        );
      }
      const risk = await riskOf(name, { coupledRows: true }, batchSize);
      try {
        await expectTorch(name, risk);
      } finally {
        await risk.dispose();
      }
    }
  });
});
