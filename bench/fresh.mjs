// @ts-check
import { parseArgs } from "node:util";

/*
 * What a fresh process pays, one JSON line: milliseconds from loading the library to the first product of a risk, the
 * second product (everything compiled, residuals kept) and the peak of resident memory after three products. The random
 * weights and data of the problem are made in between and do not count.
 */

const { values } = parseArgs({
  options: {
    problem: { type: "string", default: "C" },
    threads: { type: "string", default: "1" },
    quantity: { type: "string", default: "hessian" },
  },
});

/**
 * @template T
 * @param {() => Promise<T>} work
 * @returns {Promise<readonly [result: T, ms: number]>}
 */
async function timed(work) {
  const start = performance.now();
  const result = await work();
  return [result, performance.now() - start];
}

const peak = () => process.resourceUsage().maxRSS / 1024;

const [{ crossEntropy, empiricalRisk, ggn, hessian }, load] = await timed(() => import("onnx-curvature"));
const { makeProblem } = await import("./problems.mjs");
const { model, data } = makeProblem(values.problem);
const before = peak();
const [risk, prepare] = await timed(() =>
  empiricalRisk({ model, data, loss: crossEntropy(), threads: Number(values.threads) }),
);
const v = new Float32Array(risk.size).fill(1 / Math.sqrt(risk.size));
const works = {
  gradient: () => risk.gradient(),
  hessian: () => hessian(risk).matvec(v),
  ggn: () => ggn(risk).matvec(v),
};
const work = works[/** @type {keyof typeof works} */ (values.quantity)];
const [, first] = await timed(work);
const [, second] = await timed(work);
await work();
const after = peak();
await risk.dispose();
const rounded = (/** @type {number} */ value) => Number(value.toPrecision(4));
const line = {
  library: "onnx-curvature",
  problem: values.problem,
  threads: Number(values.threads),
  quantity: `fresh_${values.quantity}`,
  load_ms: rounded(load),
  prepare_ms: rounded(prepare),
  first_ms: rounded(first),
  cold_ms: rounded(load + prepare + first),
  second_ms: rounded(second),
  before_mib: rounded(before),
  peak_mib: rounded(after),
};
console.log(JSON.stringify(line));
