import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { arrays, crossEntropy, empiricalRisk, ggn, hessian, loadModel } from "onnx-curvature";
import { cg, damped, eigsh, hutchinsonTrace, spectralDensity } from "onnx-curvature/linalg";

const lines = gunzipSync(readFileSync("examples/digits/digits_train.csv.gz")).toString().trim().split("\n");
const rows = lines.map((line) => line.split(",").map(Number));
const n = rows.length;
const x = Float32Array.from(rows.flatMap((row) => row.slice(0, 64).map((pixel) => pixel / 16)));
const y = Int32Array.from(rows, (row) => row[64]);

const model = await loadModel("examples/digits/digits_mlp.onnx"); // a path, a URL or bytes
const data = arrays({ inputs: { data: x, dims: [n, 64] }, targets: { data: y, dims: [n] }, batchSize: 512 });
const risk = await empiricalRisk({ model, loss: crossEntropy(), data });
try {
  const H = hessian(risk); // a linear operator: H.matvec(v), nothing is formed
  const trace = await hutchinsonTrace(H, { matvecs: 100, seed: 0 });
  const top = await eigsh(H, { k: 5, which: "largest", seed: 0 });
  const { grid, density } = await spectralDensity(ggn(risk), { steps: 64, probes: 8, seed: 0 });
  const step = await cg(damped(ggn(risk), 1e-2), await risk.gradient());
  console.log(`loss ${await risk.loss()}`);
  console.log(`trace ${trace.trace} +- ${trace.standardError}, from ${trace.matvecs} products`);
  console.log(`largest eigenvalues ${Array.from(top.values)}`);
  console.log(`density of ${grid.length} points, highest ${Math.max(...density)}`);
  console.log(`damped Gauss-Newton step: ${step.status} after ${step.matvecs} products`);
} finally {
  await risk.dispose();
}
