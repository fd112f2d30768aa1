// Reads mutants, builds their graphs and runs them, in a process of its own: `node fuzzWorker.mjs FOLDER FIRST COUNT`, with the
// built package beside. One line before each mutant, one after it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { inspectModel, loadModel } from "../../dist/index.js";

const [folder, first, count] = process.argv.slice(2);

/** @param {readonly (number | string | null)[]} dims */
const sizes = (dims) => dims.map((dim) => (typeof dim === "number" && dim >= 0 && dim < 1000 ? dim : 2));
const arrays = { int64: BigInt64Array, int32: Int32Array, bool: Uint8Array, float32: Float32Array };

for (let i = Number(first); i < Number(first) + Number(count); i++) {
  process.stdout.write(`start ${i}\n`);
  let outcome = "read";
  try {
    const model = await loadModel(new Uint8Array(readFileSync(join(folder, `${i}.onnx`))));
    inspectModel(model);
    const shapes = Object.fromEntries(model.inputs.map(({ name, dims }) => [name, sizes(dims)]));
    await model.graph({ shapes, outputs: [model.outputs[0].name] });
    const feeds = model.inputs.flatMap(({ name, dtype, dims }) => {
      const data = arrays[dtype];
      const size = sizes(dims).reduce((product, dim) => product * dim, 1);
      return data === undefined ? [] : [[name, { data: new data(size), dims: sizes(dims), dtype }]];
    });
    await model.run(Object.fromEntries(feeds));
  } catch (error) {
    const line = error instanceof Error && "code" in error && !error.message.includes("\n");
    outcome =
      line && !error.message.startsWith("internal")
        ? error.code
        : `defect ${error?.stack ?? error}`.replaceAll("\n", " | ");
  }
  process.stdout.write(`done ${i} ${process.resourceUsage().maxRSS >> 10} ${outcome}\n`);
}
