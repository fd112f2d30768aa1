import { expect, test } from "vitest";
import { matmat, toDense } from "../../src/linalg/index.ts";
import { stream } from "../../src/random/index.ts";
import {
  denseBlock,
  diagonalBlock,
  eigenKronecker,
  indicesOf,
  kronecker,
  lowRankPlusDiagonalBlock,
  type PlacedBlock,
  structuredOperator,
} from "../../src/structured/index.ts";
import { difference } from "../operators/closeness.ts";

const random = stream(6, "eigenbasis");

/** A random positive definite matrix. */
function positive(n: number) {
  const X = Float64Array.from({ length: n * n }, () => random.normal());
  const data = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) for (let k = 0; k < n; k++) data[i * n + j] += X[i * n + k]! * X[j * n + k]!;
  }
  return { rows: n, columns: n, data };
}

const place = (offset: number) => ({ name: `at ${offset}`, parameters: [], place: { offset }, reason: "test" });
const itself = { damping: { value: 0, kind: "exact" as const }, power: 1 };
const inverse = { damping: { value: 0.3, kind: "exact" as const }, power: -1 };

test("Q' and the eigenvalues give the matrix again, wherever blocks lie", async () => {
  const blocks: readonly PlacedBlock[] = [
    { ...place(0), block: kronecker({ A: positive(3), B: positive(2) }), place: { offset: 0, transposed: [2, 3] } },
    { ...place(6), block: denseBlock(positive(3)), place: { indices: Int32Array.of(8, 6, 10) } },
    { ...place(7), block: diagonalBlock(Float64Array.of(1, 2)), place: { indices: Int32Array.of(7, 9) } },
  ];
  const K = structuredOperator({ size: 11, blocks, dtype: "float64" });
  const { values, transform } = (await K.eigenbasis())!;
  const Q = await toDense(transform);
  const back = new Float64Array(121);
  for (let i = 0; i < 11; i++) {
    for (let j = 0; j < 11; j++) {
      for (let k = 0; k < 11; k++) back[j * 11 + i] += Q.data[i * 11 + k]! * values[k]! * Q.data[j * 11 + k]!;
    }
  }
  expect(difference(back, (await toDense(K)).data)).toBeLessThan(1e-12);
  const low = lowRankPlusDiagonalBlock({
    vectors: { rows: 3, columns: 1, data: Float64Array.of(1, 2, 3) },
    values: Float64Array.of(2),
    diagonal: Float64Array.of(1, 2, 3),
  });
  const other = structuredOperator({ size: 3, blocks: [{ ...place(0), block: low }], dtype: "float64" });
  expect(await other.eigenbasis()).toBeUndefined();
});

test.each([
  ["dense", denseBlock(positive(4))],
  ["diagonal", diagonalBlock(Float64Array.of(0, 1, 2, 3))],
  [
    "low rank",
    lowRankPlusDiagonalBlock({
      vectors: { rows: 4, columns: 2, data: Float64Array.from({ length: 8 }, (_, i) => Math.cos(i)) },
      values: Float64Array.of(2, 1),
      diagonal: Float64Array.of(1, 0, 2, 3),
    }),
  ],
])("a diagonal added to a block: %s", async (_, block) => {
  const added = Float64Array.of(0.5, 1, 2, 0);
  const dense = async (own: typeof block) =>
    toDense(structuredOperator({ size: 4, blocks: [{ ...place(0), block: own }], dtype: "float64" }));
  const [sum, plain] = [await dense(block.plusDiagonal!(added)), await dense(block)];
  added.forEach((x, i) => {
    plain.data[i * 5]! += x;
  });
  expect(difference(sum.data, plain.data)).toBeLessThan(1e-14);
});

test("a low-rank matrix plus a constant diagonal has eigenvalues", async () => {
  const parts = {
    vectors: { rows: 5, columns: 2, data: Float64Array.from({ length: 10 }, (_, i) => Math.sin(i + 1)) },
    values: Float64Array.of(2, 0.5),
  };
  const low = lowRankPlusDiagonalBlock({ ...parts, diagonal: new Float64Array(5).fill(0.7) });
  const K = structuredOperator({ size: 5, blocks: [{ ...place(0), block: low }], dtype: "float64" });
  const matrix = denseBlock({ rows: 5, columns: 5, data: Float64Array.from((await toDense(K)).data) });
  const sorted = (values: Float64Array) => values.slice().sort();
  for (const f of [itself, inverse]) {
    expect(difference(sorted(await low.eigenvalues(f)), sorted(await matrix.eigenvalues(f)))).toBeLessThan(1e-12);
  }
});

test("forms of left vectors are those of the dense inverse", async () => {
  const [m, n] = [3, 2];
  const B = positive(n);
  const QB = (await denseBlock(B).eigenvectors!())!;
  const E = Float64Array.from({ length: m * n }, (_, i) => i);
  const a = Float64Array.from({ length: 2 * m }, () => random.normal());
  for (const block of [kronecker({ A: positive(m), B }), eigenKronecker({ QB, E })]) {
    const placed = { ...place(0), block };
    const K = structuredOperator({ size: m * n, blocks: [placed], dtype: "float64" });
    const { data } = await toDense(K.inverse({ damping: 0.3 }));
    const { basis, weights } = await block.leftForms!(inverse, { data: a, rows: 2 });
    for (let row = 0; row < 2; row++) {
      for (let c = 0; c < n; c++) {
        for (let d = 0; d < n; d++) {
          let expected = 0;
          for (let i = 0; i < m; i++) {
            for (let j = 0; j < m; j++)
              expected += a[row * m + i]! * data[(i * n + c) * m * n + j * n + d]! * a[row * m + j]!;
          }
          let found = 0;
          for (let k = 0; k < n; k++)
            found += basis!.data[k * n + c]! * weights[row * n + k]! * basis!.data[k * n + d]!;
          expect(Math.abs(found - expected)).toBeLessThan(1e-12 * (1 + Math.abs(expected)));
        }
      }
    }
    expect(indicesOf(placed)).toHaveLength(m * n);
    expect((await matmat(K, { rows: m * n, columns: 1, data: new Float64Array(m * n) })).data).toHaveLength(m * n);
  }
});
