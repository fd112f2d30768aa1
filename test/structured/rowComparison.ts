import { expect } from "vitest";
import { type Risk, rowGradients } from "../../src/index.ts";
import { rowGradientNorms, rowGradientProducts } from "../../src/structured/index.ts";
import type { Matrix } from "../../src/tensors/index.ts";

const LIMIT = 1e-11;

/** The gradients of all rows, [rows, size], by products with unit vectors. */
async function gradientsOf(risk: Risk): Promise<Matrix> {
  const transposed = rowGradients(risk).adjoint!();
  const data = new Float64Array(risk.rows * risk.size);
  for (let n = 0; n < risk.rows; n++) {
    const unit = new Float64Array(risk.rows);
    unit[n] = 1;
    data.set(await transposed.matvec(unit), n * risk.size);
  }
  return { rows: risk.size, columns: risk.rows, data };
}

const inner = (G: Matrix, n: number, H: Matrix, m: number) => {
  let sum = 0;
  for (let i = 0; i < G.rows; i++) sum += G.data[n * G.rows + i] * H.data[m * H.rows + i];
  return sum;
};

/** Compares norms and products with the gradients of rows themselves; gives the routes by which they were computed. */
export async function expectRows(risk: Risk, other: Risk = risk): Promise<readonly string[]> {
  const [G, H] = [await gradientsOf(risk), await gradientsOf(other)];
  const { norms, squares, coverage } = await rowGradientNorms(risk);
  const largest = Math.max(...Array.from(norms, (x) => x * x), 1e-300);
  for (let n = 0; n < risk.rows; n++) {
    expect(Math.abs(norms[n] ** 2 - inner(G, n, G, n))).toBeLessThanOrEqual(LIMIT * largest);
  }
  expect(squares.map(({ parameter }) => parameter)).toEqual(risk.parameters.map(({ name }) => name));
  squares.forEach(({ values }, index) => {
    const { offset, size } = risk.parameters[index];
    for (let n = 0; n < risk.rows; n++) {
      let sum = 0;
      for (let i = offset; i < offset + size; i++) sum += G.data[n * G.rows + i] ** 2;
      expect(Math.abs(values[n] - sum)).toBeLessThanOrEqual(LIMIT * largest);
    }
  });
  const found = await rowGradientProducts(risk, other === risk ? {} : { other });
  const { products } = found;
  expect([products.rows, products.columns]).toEqual([risk.rows, other.rows]);
  let most = 0;
  for (let n = 0; n < risk.rows; n++)
    for (let m = 0; m < other.rows; m++) most = Math.max(most, Math.abs(inner(G, n, H, m)));
  for (let n = 0; n < risk.rows; n++) {
    for (let m = 0; m < other.rows; m++) {
      const difference = Math.abs(products.data[m * risk.rows + n] - inner(G, n, H, m));
      expect(difference).toBeLessThanOrEqual(LIMIT * (most || 1));
    }
  }
  return [...coverage, ...found.coverage].flatMap(({ routes }) => routes);
}
