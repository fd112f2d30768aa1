import { describe, expect, test } from "vitest";
import { arrays } from "../../src/data/index.ts";
import { checkSymmetric, toDense } from "../../src/linalg/index.ts";
import { dot } from "../../src/linalg/vectors/index.ts";
import { crossEntropy } from "../../src/losses/index.ts";
import { functionModel } from "../../src/models/index.ts";
import { empiricalRisk, inputGradient, inputHessian, inputJacobian, type Risk } from "../../src/operators/index.ts";
import { add, gather, matmul, tanh } from "../../src/primitives/index.ts";
import type { Tensor } from "../../src/tensors/index.ts";
import { expectClose } from "./closeness.ts";
import { randomTensor } from "./riskCases.ts";

const [rows, size, classes] = [5, 3, 4];
const x = randomTensor([rows, size], 1);
const tokens: Tensor = { data: BigInt64Array.of(0n, 1n, 2n, 1n, 0n), dims: [rows] };
const targets: Tensor = { data: Int32Array.of(0, 3, 1, 2, 3), dims: [rows] };
const weights = Float64Array.of(1, 2, 0.5, 0, 3);

const model = functionModel({
  name: "network",
  parameters: {
    first: { data: randomTensor([size, 6], 2).data, dims: [size, 6] },
    second: { data: randomTensor([6, classes], 3).data, dims: [6, classes] },
    table: { data: randomTensor([3, 6], 4).data, dims: [3, 6] },
  },
  inputs: { x: { dims: [size] }, tokens: { dims: [], dtype: "int64" } },
  apply: ({ first, second, table }, inputs) =>
    matmul(tanh(add(matmul(inputs.x!, first!), gather(table!, inputs.tokens!, 0))), second!),
});

function riskAt(inputs: Tensor, batchSize: number): Promise<Risk> {
  const data = arrays({ inputs: { x: inputs, tokens }, targets, weights, batchSize });
  return empiricalRisk({ model, loss: crossEntropy(), data, dtype: "float64" });
}

/** x with one entry moved. */
function moved(entry: number, step: number): Tensor {
  const data = Float64Array.from(x.data);
  data[entry] = data[entry]! + step;
  return { data, dims: x.dims };
}

describe.each([rows, 2])("derivatives in an input, batches of %i", (batchSize) => {
  test("gradient is the central difference of the loss, Hessian that of the gradient", async () => {
    const risk = await riskAt(x, batchSize);
    const gradient = await inputGradient(risk, { input: "x" });
    expect(gradient.dims).toEqual([rows, size]);
    const H = await toDense(inputHessian(risk, { input: "x" }));
    const step = 1e-5;
    for (const entry of [0, 4, 10, rows * size - 1]) {
      const [plus, minus] = [await riskAt(moved(entry, step), batchSize), await riskAt(moved(entry, -step), batchSize)];
      const slope = ((await plus.loss()) - (await minus.loss())) / (2 * step);
      expect(Math.abs(slope - Number(gradient.data[entry]))).toBeLessThan(1e-9);
      const [above, below] = [await inputGradient(plus, { input: "x" }), await inputGradient(minus, { input: "x" })];
      const difference = (above.data as Float64Array).map((value, i) => (value - Number(below.data[i])) / (2 * step));
      expectClose(difference, H.data.subarray(entry * H.rows, (entry + 1) * H.rows), 1e-7);
      await plus.dispose();
      await minus.dispose();
    }
    await risk.dispose();
  });

  test("the Hessian is symmetric and a block a row", async () => {
    const risk = await riskAt(x, batchSize);
    const H = inputHessian(risk, { input: "x" });
    expect((await checkSymmetric(H, { seed: 0 })).passed).toBe(true);
    const { data } = await toDense(H);
    const n = rows * size;
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        if (Math.floor(i / size) !== Math.floor(j / size)) expect(data[j * n + i]).toBe(0);
      }
    }
    await risk.dispose();
  });

  test("the Jacobian is the difference of the outputs, and its adjoint the transpose", async () => {
    const risk = await riskAt(x, batchSize);
    const J = inputJacobian(risk, { input: "x" });
    expect(J.shape).toEqual([rows * classes, rows * size]);
    const v = randomTensor([rows * size], 5).data;
    const u = randomTensor([rows * classes], 6).data;
    const Jv = await J.matvec(v);
    const outputs = async (sign: number) => {
      const data = Float64Array.from(x.data, (value, i) => value + sign * 1e-5 * v[i]!);
      return (await model.run({ x: { data, dims: x.dims }, tokens })).output!.data as Float64Array;
    };
    const [plus, minus] = [await outputs(1), await outputs(-1)];
    expectClose(
      plus.map((value, i) => (value - minus[i]!) / 2e-5),
      Jv,
      1e-8,
    );
    expect(Math.abs(dot(u, Jv) - dot(await J.adjoint!().matvec(u), v))).toBeLessThan(1e-12);
    await risk.dispose();
  });
});

describe("derivatives in an input refuse", () => {
  test.each([
    [undefined, /choose an input to differentiate in; network has "x", "tokens"/],
    ["z", /there is no input "z"; network has "x", "tokens"/],
    ["tokens", /input "tokens" holds int64, which has no derivative/],
  ])("input %s", async (name, message) => {
    const risk = await riskAt(x, rows);
    const options = name === undefined ? {} : { input: name };
    await expect(inputGradient(risk, options)).rejects.toThrow(message);
    expect(() => inputHessian(risk, options)).toThrow(message);
    await risk.dispose();
  });

  test("vectors of another length", async () => {
    const risk = await riskAt(x, rows);
    const H = inputHessian(risk, { input: "x" });
    await expect(H.matvec(new Float64Array(3))).rejects.toThrow(
      "the input Hessian takes vectors of 15 entries (5 rows of 3), got a vector of 3",
    );
    await risk.dispose();
  });
});
