import { expect, test } from "vitest";
import { cholesky, choleskySolve, toDense } from "../../src/linalg/index.ts";
import { stream } from "../../src/random/index.ts";
import {
  denseBlock,
  diagonalBlock,
  diagonalKronecker,
  kronecker,
  lowRankPlusDiagonalBlock,
  type PlacedBlock,
  structuredOperator,
} from "../../src/structured/index.ts";
import { expectClose } from "../operators/closeness.ts";

const random = stream(1, "structured algebra");
const normals = (n: number) => Float64Array.from({ length: n }, () => random.normal());
function spd(n: number, rank = n) {
  const R = normals(n * rank);
  const data = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++)
      for (let k = 0; k < rank; k++) data[i * n + j] += (R[i * rank + k] * R[j * rank + k]) / rank;
  return { rows: n, columns: n, data };
}

test("quick", async () => {
  const blocks: PlacedBlock[] = [];
  let at = 0;
  const place = (block: PlacedBlock["block"], extra = {}) => {
    blocks.push({
      block,
      name: `b${blocks.length}`,
      parameters: [blocks.length],
      place: { offset: at, ...extra },
      reason: "",
    });
    at += block.size;
  };
  place(kronecker({ A: spd(3), B: spd(4) }));
  place(kronecker({ A: spd(2), B: spd(5) }), { transposed: [2, 5] });
  place(denseBlock(spd(6)));
  place(diagonalBlock(normals(4).map(Math.abs)));
  place(diagonalKronecker({ A: normals(5).map(Math.abs), B: spd(3) }));
  place(
    lowRankPlusDiagonalBlock({
      vectors: { rows: 8, columns: 3, data: normals(24) },
      values: Float64Array.of(3, 1, 0.5),
      diagonal: normals(8).map((x) => Math.abs(x) + 0.1),
    }),
  );
  await using K = structuredOperator({ size: at, blocks, dtype: "float64" });
  const M = await toDense(K);
  const d = 0.3;
  const D = { ...M, data: Float64Array.from(M.data) };
  for (let i = 0; i < at; i++) D.data[i * at + i] += d;
  const chol = await cholesky(D);
  const x = normals(at);
  const solved = await choleskySolve(chol, { rows: at, columns: 1, data: x });
  expectClose(await K.inverse({ damping: d }).matvec(x), solved.data, 1e-10);
  let logdet = 0;
  for (let i = 0; i < at; i++) logdet += 2 * Math.log(chol.data[i * at + i]);
  expect(await K.logdet({ damping: d })).toBeCloseTo(logdet, 9);
  const S = K.inverseRoot({ damping: d });
  const St = await S.adjoint!().matvec(x);
  expectClose(await S.matvec(St), solved.data, 1e-10);
  const diag = await K.inverse({ damping: d }).diagonal();
  const inv = await toDense(K.inverse({ damping: d }));
  expectClose(
    diag,
    Float64Array.from({ length: at }, (_, i) => inv.data[i * at + i]),
    1e-10,
  );
});
