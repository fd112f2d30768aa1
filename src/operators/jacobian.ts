import { jvp, vjp } from "../autodiff/index.ts";
import { input } from "../graph/index.ts";
import type { LinearOperator, RunOptions } from "../linalg/operator/operator.ts";
import { withInputCopy } from "../linalg/vectors/inputCopy.ts";
import { zeros as zeroValue } from "../primitives/index.ts";
import { type Vector, zeros } from "../tensors/index.ts";
import { checkLength, checkVectorLength, vectorFeeds, vectorName } from "./engine/flatVectors.ts";
import type { BatchProduct, Risk, RiskEngine } from "./engine/risk.ts";
import { checkRisk } from "./products/checkRisk.ts";
import { rowsOf } from "./products/rowProduct.ts";

/**
 * Jacobian of the model's outputs with respect to the parameters, [rows times outputs of a row, size], unscaled and unweighted. Rows are in
 * the order of the data, and the outputs of a row are row-major (logits where the loss cuts an activation off). A product is one pass over
 * the data, about one gradient. A product with the adjoint costs the same.
 */
export function jacobian(risk: Risk): LinearOperator {
  checkRisk(risk, "jacobian");
  const { size, dtype, rows, layout } = risk;
  const perRow = layout.positions * layout.outputs;
  const length = rows * perRow;
  const shared = { dtype, symmetric: false, psd: false } as const;
  const operator: LinearOperator = {
    ...shared,
    shape: [length, size],
    matvec: forwardProduct(risk, perRow),
    adjoint: () => transposed,
  };
  const transposed: LinearOperator = {
    ...shared,
    shape: [size, length],
    matvec: adjointProduct(risk, perRow),
    adjoint: () => operator,
  };
  return operator;
}

const forward: BatchProduct = {
  build({ output, parameters }) {
    const v = parameters.map(({ shape }, i) => input(vectorName(i), shape));
    const [tangent] = jvp([output], parameters, v);
    return {
      vectors: Object.fromEntries(v.map((value, i) => [vectorName(i), value])),
      outputs: { tangent: tangent ?? zeroValue(output.shape) },
    };
  },
};

const backward: BatchProduct = {
  build({ output, parameters }) {
    const u = input("u", output.shape);
    return { vectors: { u }, flat: vjp([output], parameters, [u]) };
  },
};

type Collect = Parameters<RiskEngine["run"]>[1]["collect"];

function forwardProduct(risk: Risk, perRow: number): LinearOperator["matvec"] {
  const { engine, parameters, size, dtype, rows } = risk;
  return async (x: Vector, options: RunOptions = {}): Promise<Vector> => {
    checkLength(x, size);
    const result = zeros(rows * perRow, dtype);
    const collect: Collect = ({ tangent }, { start }) => result.set(tangent.data as Vector, start * perRow);
    const run = async (own: Vector) => {
      const vectors = vectorFeeds(own, parameters);
      await engine.run(forward, { feed: () => vectors, collect, options });
    };
    await withInputCopy(x, run, { dtype });
    return result;
  };
}

function adjointProduct({ engine, dtype, rows }: Risk, perRow: number): LinearOperator["matvec"] {
  return async (u: Vector, options: RunOptions = {}): Promise<Vector> => {
    const length = rows * perRow;
    checkVectorLength(u, length, `the Jacobian has ${length} rows`);
    const run = (own: Vector) =>
      engine.sum(backward, { feed: (batch) => ({ u: rowsOf(own, { ...batch, size: perRow }) }), options });
    return withInputCopy(u, run, { dtype });
  };
}
