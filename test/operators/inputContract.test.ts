import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { arrays } from "../../src/data/index.ts";
import type { LinearOperator } from "../../src/linalg/index.ts";
import { crossEntropy } from "../../src/losses/index.ts";
import { functionModel } from "../../src/models/index.ts";
import { empiricalRisk, inputHessian, inputJacobian, jacobian, type Risk } from "../../src/operators/index.ts";
import { matmul, tanh } from "../../src/primitives/index.ts";
import { type Precision, toPrecision, type Vector } from "../../src/tensors/index.ts";
import { allMatrices } from "./allMatrices.ts";
import { randomTensor } from "./riskCases.ts";

// A product waits in the queue of its risk. Nothing that its caller does to the vector meanwhile may change it.

const adjointOf = (A: LinearOperator) => A.adjoint!();

/** Every operator of a risk. */
const operators: Readonly<Record<string, (risk: Risk) => LinearOperator>> = {
  ...allMatrices,
  jacobian,
  "adjoint of jacobian": (risk) => adjointOf(jacobian(risk)),
  inputHessian,
  inputJacobian,
  "adjoint of inputJacobian": (risk) => adjointOf(inputJacobian(risk)),
};

const [rows, size, classes] = [5, 3, 4];
const model = functionModel({
  name: "network",
  parameters: {
    first: { data: randomTensor([size, 6], 2).data, dims: [size, 6] },
    second: { data: randomTensor([6, classes], 3).data, dims: [6, classes] },
  },
  inputs: { x: { dims: [size] } },
  apply: ({ first, second }, { x }) => matmul(tanh(matmul(x!, first!)), second!),
});

const kinds = (["float32", "float64"] as const).flatMap((dtype) => [2, 5].map((batchSize) => ({ dtype, batchSize })));

describe.each(kinds)("$dtype in batches of $batchSize", ({ dtype, batchSize }) => {
  let risk: Risk;
  beforeAll(async () => {
    const inputs = { x: randomTensor([rows, size], 1) };
    const targets = { data: Int32Array.of(0, 3, 1, 2, 3), dims: [rows] };
    risk = await empiricalRisk({ model, loss: crossEntropy(), data: arrays({ inputs, targets, batchSize }), dtype });
  });
  afterAll(() => risk.dispose());
  const random = (length: number, seed: number, precision: Precision) =>
    toPrecision(randomTensor([length], seed).data, precision);

  test.each(Object.entries(operators))("%s: queued products of one buffer are each right", async (_, make) => {
    const A = make(risk);
    for (const precision of ["float32", "float64"] as const) {
      const inputs = [1, 2, 3].map((seed) => random(A.shape[1], seed, precision));
      const expected: Vector[] = [];
      for (const x of inputs) expected.push(await A.matvec(x.slice()));
      const buffer = inputs[0]!.slice();
      const queued = inputs.map((x) => {
        buffer.set(x);
        const product = A.matvec(buffer);
        expect(buffer).toEqual(x);
        return product;
      });
      buffer.fill(0);
      const results = await Promise.all(queued);
      expect(results).toEqual(expected);
      expect(buffer).toEqual(buffer.slice().fill(0));
      expect(new Set([buffer, ...results].map((y) => y.buffer)).size).toBe(4);
    }
  });

  test.each(Object.entries(operators))("%s: so are several columns, and quadratic forms", async (_, make) => {
    const A = make(risk);
    for (const multiply of [A.matmat, A.quadraticForms]) {
      if (!multiply) continue;
      for (const precision of ["float32", "float64"] as const) {
        const X = { rows: A.shape[1], columns: 5, data: random(5 * A.shape[1], 4, precision) };
        const expected = await multiply({ ...X, data: X.data.slice() });
        const buffer = { ...X, data: X.data.slice() };
        const queued = [multiply(buffer), multiply(buffer)];
        expect(buffer.data).toEqual(X.data);
        buffer.data.fill(0);
        expect(await Promise.all(queued)).toEqual([expected, expected]);
      }
    }
  });

  test.each(Object.entries(operators))("%s: refuses what is not a vector of its length", async (_, make) => {
    const A = make(risk);
    for (const x of [null, undefined, [1, 2], 3]) {
      await expect(A.matvec(x as unknown as Vector)).rejects.toThrow(
        /, got (object|undefined|number); pass a Float32Array or Float64Array$/,
      );
    }
    await expect(A.matvec(new Float64Array(A.shape[1] + 1))).rejects.toThrow(/, got a vector of \d+$/);
    if (!A.matmat) return;
    for (const X of [null, { rows: A.shape[1], columns: 2, data: [1, 2] }]) {
      await expect(A.matmat(X as never)).rejects.toThrow(/, got a matrix of .* with no numbers$/);
    }
  });
});
