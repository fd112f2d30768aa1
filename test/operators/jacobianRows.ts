import { vjp } from "../../src/autodiff/index.ts";
import { input } from "../../src/graph/index.ts";
import { eigh } from "../../src/linalg/index.ts";
import type { Risk } from "../../src/operators/index.ts";
import { concat, matmul, reshape } from "../../src/primitives/index.ts";
import { compile } from "../../src/runtime/index.ts";
import { column, type Matrix, type Vector } from "../../src/tensors/index.ts";

/** The Jacobian of a classifier by rows, with the inner products of its rows. */
export interface JacobianRows {
  /** [D, N C]: column n C + c is the gradient of output c of row n. */
  readonly rows: Matrix;
  /** [N C, N C]. */
  readonly gram: Matrix;
}

/** All rows of the Jacobian of a risk in batches of one row: the C outputs of a row are pulled back at once. */
export async function jacobianRows(risk: Risk): Promise<JacobianRows> {
  const { size, rows: count, layout } = risk;
  const classes = layout.outputs;
  const data = new Float64Array(size * count * classes);
  const units = Float64Array.from({ length: classes ** 2 }, (_, i) => (i % (classes + 1) === 0 ? 1 : 0));
  await risk.engine.run(
    {
      build({ output, parameters }) {
        const u = input("u", output.shape);
        const parts = vjp([output], parameters, [u]).map((part) =>
          reshape(part, [part.shape.reduce((a, b) => a * b, 1)]),
        );
        return { vectors: { u }, outputs: { result: concat(parts, 0) } };
      },
    },
    {
      columns: classes,
      feed: () => ({ u: { data: units, dims: [classes, 1, classes] } }),
      collect: ({ result }, { start }) => data.set(result.data as Float64Array, start * classes * size),
    },
  );
  const rows = { rows: size, columns: count * classes, data };
  return { rows, gram: await gramOf(rows) };
}

async function gramOf({ rows, columns, data }: Matrix): Promise<Matrix> {
  const J = input("J", [columns, rows]);
  const program = await compile(
    { inputs: { J }, outputs: { gram: matmul(J, J, { transposeB: true }) } },
    { precision: "float64" },
  );
  try {
    const { gram } = await program.run({ J: { data, dims: [columns, rows] } });
    return { rows: columns, columns, data: gram.data as Float64Array };
  } finally {
    await program.release();
  }
}

/** A = U U' with U = J' S, S block diagonal: one block [C, r] a row of the data. */
export interface Factored {
  readonly jacobian: JacobianRows;
  readonly blocks: readonly Matrix[];
}

/** U y. */
export function fromFactor({ jacobian: { rows }, blocks }: Factored, y: ArrayLike<number>): Float64Array {
  const result = new Float64Array(rows.rows);
  blocks.forEach((S, n) => {
    for (let c = 0; c < S.rows; c++) {
      let weight = 0;
      for (let r = 0; r < S.columns; r++) weight += S.data[r * S.rows + c] * y[n * S.columns + r];
      const own = column(rows, n * S.rows + c);
      for (let i = 0; i < own.length; i++) result[i] += weight * own[i];
    }
  });
  return result;
}

/** U' x. */
export function toFactor({ jacobian: { rows }, blocks }: Factored, x: Vector): Float64Array {
  return Float64Array.from(
    blocks.flatMap((S, n) => {
      const along = Array.from({ length: S.rows }, (_, c) => {
        const own = column(rows, n * S.rows + c);
        let sum = 0;
        for (let i = 0; i < own.length; i++) sum += own[i] * x[i];
        return sum;
      });
      return Array.from({ length: S.columns }, (_, r) =>
        along.reduce((sum, value, c) => sum + S.data[r * S.rows + c] * value, 0),
      );
    }),
  );
}

/** U' U, which has the eigenvalues of A that are not zero. */
export function innerProducts({ jacobian: { gram }, blocks }: Factored): Matrix {
  const { rows: classes, columns: width } = blocks[0];
  const size = blocks.length * width;
  const data = new Float64Array(size * size);
  const half = new Float64Array(classes * width);
  blocks.forEach((right, m) => {
    blocks.forEach((left, n) => {
      // Block (n, m) of the Gram matrix times the right factor, then the left one.
      half.fill(0);
      for (let s = 0; s < width; s++)
        for (let d = 0; d < classes; d++)
          for (let c = 0; c < classes; c++)
            half[s * classes + c] +=
              gram.data[(m * classes + d) * gram.rows + n * classes + c] * right.data[s * classes + d];
      for (let s = 0; s < width; s++)
        for (let r = 0; r < width; r++) {
          let sum = 0;
          for (let c = 0; c < classes; c++) sum += left.data[r * classes + c] * half[s * classes + c];
          data[(m * width + s) * size + n * width + r] = sum;
        }
    });
  });
  return { rows: size, columns: size, data };
}

/** The diagonal of A. */
export function diagonalOf({ jacobian: { rows }, blocks }: Factored): Float64Array {
  const result = new Float64Array(rows.rows);
  blocks.forEach((S, n) => {
    for (let r = 0; r < S.columns; r++) {
      const own = new Float64Array(rows.rows);
      for (let c = 0; c < S.rows; c++) {
        const weight = S.data[r * S.rows + c];
        const from = column(rows, n * S.rows + c);
        for (let i = 0; i < own.length; i++) own[i] += weight * from[i];
      }
      for (let i = 0; i < own.length; i++) result[i] += own[i] ** 2;
    }
  });
  return result;
}

/** A square root S of a positive semidefinite matrix, M = S S'. */
export async function squareRoot(M: readonly (readonly number[])[]): Promise<Matrix> {
  const n = M.length;
  const { values, vectors } = await eigh({ rows: n, columns: n, data: Float64Array.from(M.flat()) });
  const roots = values.map((value) => Math.sqrt(Math.max(value, 0)));
  return { rows: n, columns: n, data: vectors.data.map((x, i) => x * roots[Math.floor(i / n)]) };
}
