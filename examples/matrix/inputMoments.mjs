import { primitives } from "onnx-curvature";

const { matmul, reshape } = primitives;

/** For each linear layer, the sum over rows and positions of a a', where a is its input; [inputs, inputs]. */
const product = {
  build(batch) {
    const linear = batch.layered().layers.filter(({ kind }) => kind === "linear");
    const outputs = linear.map(({ name, input }, i) => {
      const [rows, positions, size] = input.shape;
      const a = reshape(input, [rows * positions, size]);
      return [`${i} ${name}`, matmul(a, a, { transposeA: true })];
    });
    return { outputs: Object.fromEntries(outputs) };
  },
};

/**
 * The sums over the whole data set, in float64: one half of a Kronecker-factored approximation.
 *
 * @param {import("onnx-curvature").Risk} risk
 */
export const inputMoments = (risk) => risk.engine.total(product);
