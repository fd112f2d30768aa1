import { expect, test } from "vitest";
import { influence } from "../../../src/applications/influence/index.ts";
import { arrays, crossEntropy, empiricalRisk, functionModel, primitives } from "../../../src/index.ts";
import { stream } from "../../../src/random/index.ts";
import { ekfac } from "../../../src/structured/index.ts";

const { add, matmul, relu } = primitives;

const ROWS = 50_000;
const QUERIES = 100;
const LAYERS = [784, 1000, 200, 10] as const;

/** A network of 987,210 weights. */
function network() {
  const random = stream(1, "weights");
  const parameters = Object.fromEntries(
    LAYERS.slice(1).flatMap((outputs, layer) => {
      const inputs = LAYERS[layer]!;
      const weight = Float32Array.from({ length: inputs * outputs }, () => random.normal() * Math.sqrt(2 / inputs));
      return [
        [`w${layer}`, { data: weight, dims: [inputs, outputs] }],
        [`b${layer}`, { data: new Float32Array(outputs), dims: [outputs] }],
      ];
    }),
  );
  return functionModel({
    name: "a million weights",
    parameters,
    inputs: { x: { dims: [784], dtype: "float32" } },
    apply: (p, { x }) => {
      const first = relu(add(matmul(x!, p.w0!), p.b0!));
      return add(matmul(relu(add(matmul(first, p.w1!), p.b1!)), p.w2!), p.b2!);
    },
  });
}

function randomRows(count: number, seed: number) {
  const random = stream(seed, "rows");
  const x = Float32Array.from({ length: count * 784 }, () => random.uniform());
  const y = Int32Array.from({ length: count }, () => random.integer(10));
  return arrays({
    inputs: { x: { data: x, dims: [count, 784] } },
    targets: { data: y, dims: [count] },
    batchSize: 512,
  });
}

test("influence of 50,000 rows on 100 queries for a million weights, in less than 4 GB", async () => {
  let peak = 0;
  const watch = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage().rss);
  }, 200);
  const began = performance.now();
  const seconds = () => Math.round((performance.now() - began) / 1000);
  const risk = await empiricalRisk({ model: network(), loss: crossEntropy(), data: randomRows(ROWS, 1) });
  const queries = await risk.on(randomRows(QUERIES, 2));
  const matrix = await ekfac(risk, { of: { type: 1, labels: 1, seed: 0 } });
  const fitted = seconds();
  const found = await influence(risk, queries, { matrix, damping: 1e-3, keep: "top", top: 5 });
  clearInterval(watch);
  process.stdout.write(`EKFAC ${fitted} s, with influence ${seconds()} s, ${(peak / 1e9).toFixed(2)} GB\n`);
  expect(risk.size).toBe(987_210);
  expect(found.queries).toHaveLength(QUERIES);
  expect(found.status).toBe("converged");
  expect(peak).toBeLessThan(4e9);
  await matrix.dispose();
  await risk.dispose();
});
