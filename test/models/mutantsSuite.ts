import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { CurvatureError } from "../../src/errors/index.ts";
import { inspectModel, loadModel } from "../../src/models/index.ts";
import { mutant } from "./mutants.ts";

const files = ["digits_mlp_op13", "exported/lstm_torchscript", "exported/cnn_eval_torchscript"];

/** Every rejection is one line of ours; anything else that is thrown is a defect. */
function reasonOf(error: unknown, which: string): string {
  if (error instanceof CurvatureError && !error.message.includes("\n") && !error.message.startsWith("internal")) {
    return error.code;
  }
  throw new Error(`${which}: ${error instanceof Error ? error.stack : error}`);
}

/** Reads this many mutants of each of three models. */
export function describeMutants(mutants: number): void {
  test.each(files)(`${mutants} mutants of %s are read or refused`, async (file) => {
    const bytes = new Uint8Array(readFileSync(new URL(`${file}.onnx`, import.meta.url)));
    const reasons = new Map<string, number>();
    const count = (reason: string) => reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    for (let seed = 0; seed < mutants; seed++) {
      try {
        const model = await loadModel(mutant(bytes, seed));
        inspectModel(model);
        const sizes = (dims: readonly (number | string | null)[]) =>
          dims.map((dim) => (typeof dim === "number" && dim < 1000 ? dim : 2));
        const shapes = Object.fromEntries(model.inputs.map(({ name, dims }) => [name, sizes(dims)]));
        await model.graph({ shapes, outputs: [model.outputs[0]!.name] });
        count("read");
      } catch (error) {
        count(reasonOf(error, `mutant ${seed} of ${file}`));
      }
    }
    expect(reasons.get("read")).toBeGreaterThan(0.1 * mutants);
    expect(reasons.get("file")).toBeGreaterThan(0.1 * mutants);
  });
}
