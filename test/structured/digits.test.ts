import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cg, damped, toDense } from "../../src/linalg/index.ts";
import { ggn, type Risk } from "../../src/operators/index.ts";
import {
  approximationError,
  blockDiagonal,
  diagonal,
  ekfac,
  gramGgn,
  kfac,
  lowRankPlusDiagonal,
  type StructuredOperator,
} from "../../src/structured/index.ts";
import type { Matrix, Vector } from "../../src/tensors/index.ts";
import { expectClose } from "../operators/closeness.ts";
import { expectVector, type Fixture, type LossName, readFixture, type StoredVector } from "../operators/fixture.ts";

// Diagonals, blocks and their inverses of a trained network, by dense linear algebra in NumPy.

interface StoredMatrix {
  readonly diagonal: readonly number[];
  readonly trace_by_tensor: { readonly [name: string]: number };
  readonly relative_error_of: {
    readonly diagonal: number;
    readonly tensor_blocks: number;
    readonly layer_blocks: number;
  };
  readonly block_inverse?: {
    readonly damping: number;
    readonly tensor_blocks_product_v: StoredVector;
    readonly tensor_blocks_logdet: number;
    readonly layer_blocks_product_v: StoredVector;
    readonly layer_blocks_logdet: number;
    readonly diagonal_product_v: StoredVector;
    readonly diagonal_logdet: number;
  };
}

interface StoredLosses {
  readonly [loss: string]: {
    readonly ggn: StoredMatrix;
    readonly empirical_fisher: StoredMatrix;
    readonly gram: {
      readonly eigenvalues_top20: readonly number[];
      readonly "damped_solve_0.1_of_mean_gradient": StoredVector;
    };
    readonly low_rank_plus_diagonal: {
      readonly rank: number;
      readonly damping: number;
      readonly eigenvalues: readonly number[];
      readonly trace_undamped: number;
      readonly frobenius_undamped: number;
      readonly logdet: number;
      readonly inverse_product_v: StoredVector;
      readonly relative_error: number;
    };
  };
}

const LIMIT = 1e-9;
let fixture: Fixture;
let stored: StoredLosses;
let risk: Risk;

beforeAll(async () => {
  fixture = await readFixture("digits_mlp_op13");
  const text = await readFile(new URL("../fixtures/structured/digits_diagonals.json", import.meta.url), "utf8");
  stored = (JSON.parse(text) as { readonly losses: StoredLosses }).losses;
  risk = await fixture.open({ caseName: "train", loss: "cross_entropy" });
});
afterAll(() => risk.dispose());

const near = (actual: number, expected: number) => expect(Math.abs(actual / expected - 1)).toBeLessThan(LIMIT);

describe.each(["cross_entropy", "mse", "bce_with_logits"] as const)("%s", (loss: LossName) => {
  test("diagonals, traces and inverses of exact blocks", async () => {
    await using own = await fixture.open({ caseName: "train", loss, batchSize: 500 });
    for (const [of, of_] of [
      ["ggn", "ggn"],
      ["empiricalFisher", "empirical_fisher"],
    ] as const) {
      const { diagonal: expected, trace_by_tensor, block_inverse } = stored[loss][of_];
      await using D = await diagonal(own, { of });
      expectClose(await D.diagonal(), expected, LIMIT);
      for (const { name, offset, size } of own.parameters) {
        const part = (await D.diagonal()).subarray(offset, offset + size);
        near(
          Array.from(part).reduce((sum, x) => sum + x, 0),
          trace_by_tensor[name],
        );
      }
      if (block_inverse === undefined) continue;
      const { damping } = block_inverse;
      const { v, w } = fixture;
      const expectInverse = async (K: StructuredOperator, product: StoredVector, logdet: number) => {
        expectVector(await K.inverse({ damping }).matvec(v), product, { v, w });
        near(await K.logdet({ damping }), logdet);
      };
      await expectInverse(D, block_inverse.diagonal_product_v, block_inverse.diagonal_logdet);
      await using tensors = await blockDiagonal(own, { of, by: "parameter" });
      await expectInverse(tensors, block_inverse.tensor_blocks_product_v, block_inverse.tensor_blocks_logdet);
      await using layers = await blockDiagonal(own, { of });
      await expectInverse(layers, block_inverse.layer_blocks_product_v, block_inverse.layer_blocks_logdet);
    }
  });
});

test("eigenvalues and a damped solution through the Gram matrix of 50 rows", async () => {
  const { gram } = stored.cross_entropy;
  await using few = await fixture.open({ caseName: "train50", loss: "cross_entropy" });
  const G = await gramGgn(few);
  expectClose(G.values.slice(0, 20), gram.eigenvalues_top20, LIMIT);
  const { v, w } = fixture;
  expectVector(
    await G.inverse({ damping: 0.1 }).matvec(await few.gradient()),
    gram["damped_solve_0.1_of_mean_gradient"],
    { v, w },
  );
});

test("low rank plus diagonal", async () => {
  const expected = stored.cross_entropy.low_rank_plus_diagonal;
  await using D = await diagonal(risk);
  await using K = await lowRankPlusDiagonal(ggn(risk), {
    rank: expected.rank,
    diagonal: await D.diagonal(),
    seed: 0,
    tolerance: 1e-13,
  });
  expectClose(K.values, expected.eigenvalues, LIMIT);
  near(await K.trace(), expected.trace_undamped);
  near(await K.logdet({ damping: expected.damping }), expected.logdet);
  const { v, w } = fixture;
  expectVector(await K.inverse({ damping: expected.damping }).matvec(v), expected.inverse_product_v, { v, w });
});

describe("errors of approximations against the dense matrix", () => {
  let G: Matrix;
  beforeAll(async () => {
    G = await toDense(ggn(risk));
  });
  const norm = (x: Vector) => Math.sqrt(Array.from(x).reduce((sum, y) => sum + y * y, 0));

  test("the intervals hold the truth, and the gain is that of CG", async () => {
    await using D = await diagonal(risk);
    await using K = await kfac(risk);
    await using E = await ekfac(risk);
    const A = ggn(risk);
    const relative = async (operator: StructuredOperator) => {
      const { data } = await toDense(operator);
      return norm(data.map((x, i) => x - G.data[i])) / norm(G.data);
    };
    near(await relative(D), stored.cross_entropy.ggn.relative_error_of.diagonal);
    const [ofKfac, ofEkfac] = [await relative(K), await relative(E)];
    expect(ofEkfac).toBeLessThan(ofKfac);
    let held = 0;
    for (let seed = 0; seed < 10; seed++) {
      const { relativeError, interval, standardError } = await approximationError(A, K, { seed, probes: 30 });
      if (interval.lower <= ofKfac && ofKfac <= interval.upper) held++;
      expect(Math.abs(relativeError - ofKfac)).toBeLessThan(6 * standardError);
    }
    expect(held).toBeGreaterThanOrEqual(7);
    const damping = 1e-3;
    const gradient = await risk.gradient();
    const steps = async (operator?: StructuredOperator) => {
      const preconditioner = operator?.inverse({ damping });
      const { status, matvecs } = await cg(damped(A, damping), gradient, {
        tolerance: 1e-6,
        ...(preconditioner && { preconditioner }),
      });
      expect(status).toBe("converged");
      return matvecs;
    };
    // Few eigenvalues stand out of the damping here: removing these helps CG, while Kronecker factors spread all others.
    await using L = await lowRankPlusDiagonal(A, { rank: 40, diagonal: await D.diagonal(), seed: 0 });
    const [plain, withLowRank, withEkfac] = [await steps(), await steps(L), await steps(E)];
    expect(withLowRank).toBeLessThan(plain);
    const gain = async (operator: StructuredOperator) =>
      (await approximationError(A, operator, { seed: 0, probes: 2, damping })).preconditioned!;
    const [ofLowRank, ofEkfacGain] = [await gain(L), await gain(E)];
    expect(ofLowRank.smallest).toBeGreaterThan(0);
    expect(ofLowRank.condition < ofEkfacGain.condition).toBe(withLowRank < withEkfac);
  });

  test("block by block", async () => {
    await using K = await blockDiagonal(risk, { by: "parameter" });
    const { blocks, outside, relativeError } = await approximationError(ggn(risk), K, {
      seed: 1,
      probes: 12,
      byBlock: true,
    });
    expect(blocks!.length).toBe(4);
    for (const block of blocks!) expect(block.relativeError).toBeLessThan(1e-10);
    const truth = stored.cross_entropy.ggn.relative_error_of.tensor_blocks;
    expect(Math.abs(Math.sqrt(outside!) - relativeError)).toBeLessThan(1e-10);
    expect(Math.abs(relativeError - truth)).toBeLessThan(0.1);
  });
});
