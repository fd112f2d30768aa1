// @ts-check
import { parseArgs } from "node:util";
import { arrays, crossEntropy, empiricalRisk, ggn, hessian } from "onnx-curvature";
import { perceptron } from "./networks.mjs";
import { normalVector, uniformNumbers } from "./random.mjs";

/*
 * The peak of resident memory of a wide perceptron, 784-width-width-10, after each step from the network to the products, in copies
 * of its weights: one JSON line a step. What the process held before the network was made does not count. --quantities takes a list of
 * gradient, ggn and hessian, each done three times, in one process: what each holds between products adds up.
 */

const { values } = parseArgs({
  options: {
    width: { type: "string", default: "9600" },
    rows: { type: "string", default: "64" },
    batches: { type: "string", default: "1" },
    threads: { type: "string", default: "1" },
    quantities: { type: "string", default: "hessian" },
  },
});

const [width, rows, batches] = [values.width, values.rows, values.batches].map(Number);
const peak = () => process.resourceUsage().maxRSS * 1024;
const base = peak();
const model = perceptron([784, width, width, 10], "tanh");
const weights = model.parameters.reduce((sum, { data }) => sum + data.length, 0);

/** @param {string} step */
function report(step) {
  const copies = (peak() - base) / (4 * weights);
  const line = { weights, rows, batches, step, copies: Number(copies.toFixed(2)), mib: Math.round(peak() / 2 ** 20) };
  console.log(JSON.stringify(line));
}

report("network");
const random = uniformNumbers(7);
const total = rows * batches;
const labels = BigInt64Array.from({ length: total }, () => BigInt(Math.floor(random() * 10)));
const data = arrays({
  inputs: { data: normalVector(random, total * 784), dims: [total, 784] },
  targets: { data: labels, dims: [total] },
  batchSize: rows,
});
const risk = await empiricalRisk({ model, data, loss: crossEntropy(), threads: Number(values.threads) });
report("risk");
const v = new Float32Array(risk.size).fill(1 / Math.sqrt(risk.size));
report("vector");
const works = {
  gradient: () => risk.gradient(),
  ggn: () => ggn(risk).matvec(v),
  hessian: () => hessian(risk).matvec(v),
};
for (const quantity of values.quantities.split(",")) {
  for (let i = 0; i < 3; i++) await works[/** @type {keyof typeof works} */ (quantity)]();
  report(quantity);
}
await risk.dispose();
