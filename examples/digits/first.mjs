import { crossEntropy, empiricalRisk, ggn, hessian, loadData, loadModel } from "onnx-curvature";
import { cg, damped, eigsh, hutchinsonTrace } from "onnx-curvature/linalg";

const model = await loadModel("examples/digits/digits_mlp.onnx"); // a path, a URL or bytes
const data = await loadData({ model, data: "examples/digits/digits_train.csv.gz", scale: 16 });
const risk = await empiricalRisk({ model, loss: crossEntropy(), data });
const trace = await hutchinsonTrace(hessian(risk), { matvecs: 100, seed: 0 }); // products H v; H is not formed
const top = await eigsh(hessian(risk), { k: 5, which: "largest", seed: 0 });
const step = await cg(damped(ggn(risk), 1e-2), await risk.gradient());
console.log(`loss ${await risk.loss()}`);
console.log(`trace ${trace.trace} +- ${trace.standardError}, from ${trace.matvecs} products`);
console.log(`largest eigenvalues ${Array.from(top.values)}`);
console.log(`damped Gauss-Newton step: ${step.status} after ${step.matvecs} products`);
await risk.dispose();
