import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { runCases } from "./fuzzProcess.ts";
import { describeMutants } from "./mutantsSuite.ts";

describeMutants(3000);

/*
 * 5,000 mutants of three models in processes of their own: none may crash its process, take more than 10 seconds of the
 * processors or more than the memory limit; every refusal is an error of the library in one line, and every loss is the one that ONNX Runtime's own outputs
 * for the same bytes give. FUZZ_SEEDS=FIRST-END runs others.
 */
const files = ["exported/vit_torchscript", "exported/bert_dynamo", "exported/lstm_dynamo"];
const [first, end] = (process.env.FUZZ_SEEDS ?? "0-5000").split("-").map(Number);

test.each(files)(`mutants ${first} to ${end} of %s`, async (file) => {
  const path = fileURLToPath(new URL(`${file}.onnx`, import.meta.url));
  const outcomes = await runCases({ script: "mutantWorker.ts", given: [path], first, end });
  process.stdout.write(`${JSON.stringify({ file, ...outcomes, counts: Object.fromEntries(outcomes.counts) })}\n`);
  expect(outcomes.defects).toEqual([]);
  expect(outcomes.counts.get("compared")).toBeGreaterThan(0.03 * (end - first));
  expect(outcomes.counts.get("file")).toBeGreaterThan(0.06 * (end - first));
});
