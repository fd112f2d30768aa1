import { arrays, crossEntropy, empiricalRisk, fisher, ggn, hessian, loadModel } from "onnx-curvature";
import { cg, damped, eigsh, hutchinsonTrace, type LinearOperator, spectralDensity } from "onnx-curvature/linalg";
import { type MpiCommunicator, mpiCommunicator } from "onnx-curvature/mpi";
import * as report from "onnx-curvature/report";

export async function study(bytes: Uint8Array, x: Float32Array, y: BigInt64Array): Promise<number> {
  const model = await loadModel(bytes);
  const data = arrays({ inputs: { data: x, dims: [2, 64] }, targets: { data: y, dims: [2] }, batchSize: 2 });
  const risk = await empiricalRisk({ model, loss: crossEntropy(), data, dtype: "float64" });
  try {
    const H: LinearOperator = hessian(risk);
    const F: LinearOperator = fisher(risk, { type: 1, labels: 4, seed: 0 });
    const trace = await hutchinsonTrace(H, { matvecs: 100, seed: 0 });
    const top = await eigsh(F, { k: 5, which: "largest", seed: 0 });
    const { grid, density } = await spectralDensity(ggn(risk), { steps: 64, probes: 8, seed: 0 });
    const step = await cg(damped(ggn(risk), 1e-2), await risk.gradient());
    // @ts-expect-error: a trace is a number
    const text: string = trace.trace;
    return (
      trace.trace + trace.standardError + top.values.length + grid.length + density.length + step.matvecs + text.length
    );
  } finally {
    await risk.dispose();
  }
}

export async function ranks(): Promise<number> {
  const communicator: MpiCommunicator = await mpiCommunicator({ timeoutMs: 1000 });
  // @ts-expect-error: the sum of integers is not defined
  await communicator.allReduce(Int32Array.of(1));
  return (await communicator.allReduce(Float32Array.of(communicator.rank)))[0]! + communicator.size;
}

// @ts-expect-error: random algorithms demand a seed
export const unseeded = (A: LinearOperator) => hutchinsonTrace(A, { matvecs: 10 });
// @ts-expect-error: the report has no such export
export const absent = report.noSuchExport;
