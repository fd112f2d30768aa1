import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hutchinsonTrace, type LinearOperator, quadraticForms, toDense } from "../../src/linalg/index.ts";
import { dot } from "../../src/linalg/vectors/index.ts";
import { empiricalFisher, empiricalRisk, ggn, hessian, type Risk } from "../../src/operators/index.ts";
import { column, type Matrix } from "../../src/tensors/index.ts";
import { sampled } from "../sampled.ts";
import { allMatrices } from "./allMatrices.ts";
import { expectClose } from "./closeness.ts";
import { onnxCases } from "./onnxCases.ts";
import { dataOf, randomTensor, riskCases } from "./riskCases.ts";

const cases = { ...riskCases, ...(await onnxCases()) };
const COLUMNS = 5;

/** The operator without its products: what uses forms alone works as before, all else throws. */
function formsOnly(A: LinearOperator): LinearOperator {
  const refuse = async () => expect.fail("a product was made");
  return { ...A, matvec: refuse, matmat: refuse };
}

function forms(A: Matrix, X: Matrix): Float64Array {
  return Float64Array.from({ length: X.columns }, (_, k) => {
    const x = column(X, k);
    let sum = 0;
    for (let j = 0; j < A.columns; j++) sum += x[j] * dot(column(A, j), x);
    return sum;
  });
}

describe.each(sampled(Object.entries(cases), 5))("%s", (_, riskCase) => {
  const { model, loss } = riskCase;
  const open = (settings: { readonly batchSize: number; readonly cache?: number }) =>
    empiricalRisk({ model, loss, data: dataOf(riskCase, settings.batchSize), dtype: "float64", ...settings });
  const matrices = Object.entries(allMatrices).filter(
    ([name]) => loss.likelihood !== undefined || !name.toLowerCase().includes("fisher") || name === "empiricalFisher",
  );
  let risk: Risk;
  let others: readonly Risk[];
  beforeAll(async () => {
    risk = await open({ batchSize: 4 });
    others = await Promise.all(
      [
        { batchSize: 1, cache: 0 },
        { batchSize: 3, cache: 0 },
        { batchSize: 100, cache: 1e9 },
      ].map(open),
    );
  });
  afterAll(async () => {
    for (const each of [risk, ...others]) await each.dispose();
  });
  const vectors = () => {
    const { data } = randomTensor([COLUMNS * risk.size], 8);
    return { rows: risk.size, columns: COLUMNS, data };
  };

  test.each(matrices)("%s: forms of one and of several columns are those of the dense matrix", async (_name, make) => {
    const A = make(risk);
    const dense = await toDense(A);
    const X = vectors();
    const expected = forms(dense, X);
    expectClose(await quadraticForms(formsOnly(A), X), expected, 1e-12);
    const one = { rows: X.rows, columns: 1, data: column(X, 2) };
    expectClose(await quadraticForms(formsOnly(A), one), expected.subarray(2, 3), 1e-12);
  });

  test.each(matrices)("%s: neither batches nor kept residuals change them", async (_name, make) => {
    const X = vectors();
    const expected = await quadraticForms(make(risk), X);
    for (const other of others) {
      const A = make(other);
      for (let repeat = 0; repeat < 2; repeat++) expectClose(await quadraticForms(A, X), expected, 1e-12);
    }
  });
});

const riskCase = riskCases["cross-entropy"];
const open = ({ model } = riskCase) =>
  empiricalRisk({ model, loss: riskCase.loss, data: dataOf(riskCase, 4), dtype: "float64" });

test("the trace needs no product, and is exact after as many forms as there are parameters", async () => {
  const risk = await open();
  try {
    for (const make of Object.values(allMatrices)) {
      const A = make(risk);
      const { data } = await toDense(A);
      let trace = 0;
      for (let i = 0; i < risk.size; i++) trace += data[i * risk.size + i];
      const known = await hutchinsonTrace(formsOnly(A), { matvecs: risk.size, seed: 0 });
      expect(known).toMatchObject({ standardError: 0, matvecs: risk.size });
      expect(Math.abs(known.trace - trace)).toBeLessThan(1e-12 * Math.abs(trace));
    }
  } finally {
    await risk.dispose();
  }
});

test("a Hessian's form is the second difference of the loss along the vector", async () => {
  const risk = await open();
  try {
    const v = randomTensor([risk.size], 3).data as Float64Array;
    const theta = risk.theta();
    const step = 1e-3;
    const lossAt = async (t: number) => {
      const parameters = risk.model.parameters.map((parameter, i) => {
        const { offset, size } = risk.parameters[i];
        const data = Float64Array.from({ length: size }, (_, j) => theta[offset + j] + t * v[offset + j]);
        return { ...parameter, data };
      });
      const other = await open({ ...riskCase, model: { ...risk.model, parameters } });
      const value = await other.loss();
      await other.dispose();
      return value;
    };
    const [before, at, after] = [await lossAt(-step), await lossAt(0), await lossAt(step)];
    const [form] = await quadraticForms(hessian(risk), { rows: risk.size, columns: 1, data: v });
    expect(Math.abs((before - 2 * at + after) / step ** 2 / form - 1)).toBeLessThan(1e-5);
  } finally {
    await risk.dispose();
  }
});

test("forms refuse vectors of another length and stop when told to", async () => {
  const risk = await open();
  try {
    const short = { rows: 3, columns: 1, data: new Float64Array(3) };
    for (const make of [hessian, ggn, empiricalFisher]) {
      await expect(make(risk).quadraticForms!(short)).rejects.toThrow(
        `the risk has ${risk.size} parameter entries, got a matrix of 3 rows and 1 columns with 3 numbers`,
      );
      const X = { rows: risk.size, columns: 1, data: new Float64Array(risk.size) };
      await expect(make(risk).quadraticForms!(X, { signal: AbortSignal.abort() })).rejects.toThrow(
        "stopped by the caller's signal",
      );
    }
  } finally {
    await risk.dispose();
  }
});
