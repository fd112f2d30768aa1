// A user's first program: the loss of the digits classifier and one product with its Hessian. checkPackage.mjs runs it in a project that
// has installed the package.
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { arrays, crossEntropy, empiricalRisk, hessian, loadModel } from "onnx-curvature";
import { damped } from "onnx-curvature/linalg";

const lines = gunzipSync(readFileSync("digits/digits_train.csv.gz")).toString().trim().split("\n");
const rows = lines.map((line) => line.split(",").map(Number)).filter((row) => row.every(Number.isFinite));
const x = Float64Array.from(rows.flatMap((row) => row.slice(0, 64).map((pixel) => pixel / 16))); // [n, 64]
const y = BigInt64Array.from(rows.map((row) => BigInt(row[64]))); // [n]

const model = await loadModel("digits/digits_mlp.onnx");
const data = arrays({
  inputs: { data: x, dims: [rows.length, 64] },
  targets: { data: y, dims: [rows.length] },
  batchSize: 512,
});
const risk = await empiricalRisk({ model, loss: crossEntropy(), data, dtype: "float64" });
try {
  const H = hessian(risk);
  const gradient = await risk.gradient();
  // Along the gradient, H g is the derivative of the gradient; a symmetric H has u'(H g) = g'(H u).
  const u = gradient.map((_, index) => Math.cos(index));
  const [Hg, Hu] = [await H.matvec(gradient), await H.matvec(u)];
  const dot = (a, b) => a.reduce((sum, entry, index) => sum + entry * b[index], 0);
  const norm = (a) => Math.sqrt(dot(a, a));
  const asymmetry = Math.abs(dot(u, Hg) - dot(gradient, Hu)) / (norm(u) * norm(Hg));
  if (!(asymmetry < 1e-9)) throw new Error(`the Hessian product is not symmetric: ${asymmetry}`);
  const shifted = await damped(H, 0.5).matvec(gradient);
  const error = norm(shifted.map((entry, index) => entry - Hg[index] - 0.5 * gradient[index])) / norm(gradient);
  if (!(error < 1e-12)) throw new Error(`(H + 0.5 I) g is off by ${error}`);
  console.log(
    `loss ${(await risk.loss()).toPrecision(7)}, gradient ${norm(gradient).toPrecision(7)}, H g ${norm(Hg).toPrecision(7)}`,
  );
} finally {
  await risk.dispose();
}
