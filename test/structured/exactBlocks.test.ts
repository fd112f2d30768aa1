import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CurvatureError } from "../../src/errors/index.ts";
import { cholesky, choleskySolve, toDense } from "../../src/linalg/index.ts";
import { empiricalFisher, empiricalRisk, fisher, ggn, type Risk } from "../../src/operators/index.ts";
import {
  type ApproximatedMatrix,
  blockDiagonal,
  diagonal,
  ekfac,
  gramGgn,
  indicesOf,
  kfac,
  type StructuredOperator,
} from "../../src/structured/index.ts";
import type { Matrix, Vector } from "../../src/tensors/index.ts";
import { difference, expectClose } from "../operators/closeness.ts";
import { dataOf, type RiskCase, riskCases } from "../operators/riskCases.ts";
import { sampled } from "../sampled.ts";

const LIMIT = 1e-10;

async function riskOf({ model, loss, ...rest }: RiskCase, batchSize = 9): Promise<Risk> {
  return empiricalRisk({ model, loss, data: dataOf({ model, loss, ...rest }, batchSize), dtype: "float64" });
}

/** The matrices that a case has, each with its dense truth. */
function matricesOf(risk: Risk): readonly (readonly [ApproximatedMatrix, Promise<Matrix>])[] {
  const { convex, likelihood } = risk.lossFunction;
  const sampled = { type: 1, labels: 2, seed: 3 } as const;
  return [
    ...(convex ? [["ggn", toDense(ggn(risk))] as const] : []),
    ["empiricalFisher", toDense(empiricalFisher(risk))],
    ...(likelihood
      ? [[{ type: 2 }, toDense(fisher(risk, { type: 2 }))] as const, [sampled, toDense(fisher(risk, sampled))] as const]
      : []),
  ];
}

/** The parts of a dense matrix that lie within blocks. */
function withinBlocks(G: Matrix, { blocks }: StructuredOperator): Float64Array {
  const n = G.rows;
  const owner = new Int32Array(n);
  blocks.forEach((placed, index) => {
    for (const entry of indicesOf(placed)) owner[entry] = index;
  });
  return Float64Array.from(G.data, (x, k) => (owner[k % n] === owner[Math.floor(k / n)] ? x : 0));
}

describe.each(sampled(Object.entries(riskCases), 4))("%s", (_, riskCase) => {
  test("dense blocks and diagonals are those of the matrix", async () => {
    await using risk = await riskOf(riskCase);
    for (const [of, dense] of matricesOf(risk)) {
      const G = await dense;
      await using blocks = await blockDiagonal(risk, { of, terms: "exact" });
      expectClose((await toDense(blocks)).data, withinBlocks(G, blocks), LIMIT);
      expect(blocks.blocks.every(({ block }) => block.kind === "dense")).toBe(true);
      await using entries = await diagonal(risk, { of, terms: "exact" });
      expectClose(
        await entries.diagonal(),
        Float64Array.from({ length: risk.size }, (__, i) => G.data[i * risk.size + i]),
        LIMIT,
      );
    }
  });

  test("the Gram matrix gives the matrix, its inverse and its determinant", async () => {
    await using risk = await riskOf(riskCase, 4);
    for (const [of, dense] of matricesOf(risk)) {
      const G = await dense;
      const through = await gramGgn(risk, { of }).catch((error: CurvatureError) => error);
      if (through instanceof CurvatureError) {
        expect(through.message).toMatch(/enter outside of layers/);
        continue;
      }
      const x = Float64Array.from({ length: risk.size }, (__, i) => Math.cos(0.37 * i + 0.1));
      const product = (A: Matrix, v: Vector) =>
        Float64Array.from(v, (__, i) => Array.from(v).reduce((sum, y, j) => sum + A.data[j * A.rows + i] * y, 0));
      expectClose(await through.matvec(x), product(G, x), LIMIT);
      const damped = { ...G, data: Float64Array.from(G.data, (y, k) => y + (k % (risk.size + 1) === 0 ? 0.1 : 0)) };
      const factor = await cholesky(damped);
      const solved = await choleskySolve(factor, { rows: risk.size, columns: 1, data: x });
      expectClose(await through.inverse({ damping: 0.1 }).matvec(x), solved.data, LIMIT);
      let logdet = 0;
      for (let i = 0; i < risk.size; i++) logdet += 2 * Math.log(factor.data[i * (risk.size + 1)]);
      expect(await through.logdet({ damping: 0.1 })).toBeCloseTo(logdet, 9);
      const e = await through.eigenvector(0);
      expectClose(
        product(G, e),
        Array.from(e, (y) => y * through.values[0]),
        LIMIT,
      );
    }
  });

  test("EKFAC has the trace of the matrix, and is never further from its blocks than KFAC", async () => {
    await using risk = await riskOf(riskCase);
    for (const [of, dense] of matricesOf(risk)) {
      const G = await dense;
      const trace = Array.from({ length: risk.size }, (__, i) => G.data[i * (risk.size + 1)]).reduce((a, b) => a + b);
      for (const sharing of ["expand", "reduce", "twoSided"] as const) {
        await using plain = await kfac(risk, { of, sharing, terms: "exact" });
        await using corrected = await ekfac(risk, { of, sharing, terms: "exact" });
        expect(plain.coverage.map(({ kinds }) => kinds.length > 0)).toEqual(risk.parameters.map(() => true));
        expect(Math.abs((await corrected.trace()) - trace)).toBeLessThan(LIMIT * trace);
        if (sharing === "twoSided") expect(Math.abs((await plain.trace()) - trace)).toBeLessThan(LIMIT * trace);
        const truth = withinBlocks(G, corrected);
        const error = async (K: StructuredOperator) => distance((await toDense(K)).data, truth);
        const [ofPlain, ofCorrected] = [await error(plain), await error(corrected)];
        expect(ofCorrected).toBeLessThanOrEqual(ofPlain * (1 + 1e-9) + 1e-12);
        // |G - K|^2 = |G|^2 - |E|^2, exact blocks included.
        const squares = distance(truth, new Float64Array(truth.length)) ** 2 - (await corrected.frobeniusNorm()) ** 2;
        expect(Math.abs(ofCorrected ** 2 - squares)).toBeLessThan(
          1e-9 * distance(truth, new Float64Array(truth.length)) ** 2,
        );
      }
    }
  });

  test("batches of any cut give the same factors", async () => {
    await using whole = await riskOf(riskCase);
    const of = whole.lossFunction.convex ? "ggn" : "empiricalFisher";
    const options = { of, terms: "exact" } as const;
    await using expected = await kfac(whole, options);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 8 }), async (batchSize) => {
        await using cut = await riskOf(riskCase, batchSize);
        await using K = await kfac(cut, options);
        K.blocks.forEach(({ block: { arrays } }, index) => {
          for (const [name, { data }] of Object.entries(arrays)) {
            const other = expected.blocks[index].block.arrays[name].data as Float64Array;
            expect(difference(data as Float64Array, other)).toBeLessThan(1e-12);
          }
        });
      }),
      { numRuns: 3 },
    );
  });
});

test("inputs alone: the factors of the inputs, and the identity", async () => {
  await using risk = await riskOf(riskCases["cross-entropy"]);
  await using K = await kfac(risk, { of: "inputs" });
  await using whole = await kfac(risk);
  for (const [index, { block }] of K.blocks.entries()) {
    const { entries, A, B } = block.arrays;
    if (block.kind === "diagonal") {
      expect([...(entries.data as Float64Array)]).toEqual(new Array(block.size).fill(1));
      continue;
    }
    expect(A.data).toEqual(whole.blocks[index].block.arrays.A.data);
    const [n] = B.dims;
    expect([...(B.data as Float64Array)]).toEqual(Array.from({ length: n * n }, (_, k) => Number(k % (n + 1) === 0)));
  }
  await expect(ekfac(risk, { of: "inputs" })).rejects.toThrow(/is for kfac/);
});

function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2;
  return Math.sqrt(sum);
}
