import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { runCases } from "./fuzzProcess.ts";
import { describeMutants } from "./mutantsSuite.ts";

// More are in fuzz.long.ts.
describeMutants(300);

test("losses of mutants are those of ONNX Runtime's outputs for the same bytes", async () => {
  const path = fileURLToPath(new URL("exported/cnn_eval_torchscript.onnx", import.meta.url));
  const { defects, counts } = await runCases({ script: "mutantWorker.ts", given: [path], first: 0, end: 40 });
  expect(defects).toEqual([]);
  expect(counts.get("compared")).toBeGreaterThan(3);
});
