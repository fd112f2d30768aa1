import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type InfluenceOptions,
  influence,
  type SelfInfluenceOptions,
  selfInfluence,
} from "../../../src/applications/influence/index.ts";
import { ggn, hessian, type Risk } from "../../../src/index.ts";
import { identity, type LinearOperator } from "../../../src/linalg/index.ts";
import {
  type ApproximatedMatrix,
  blockDiagonal,
  diagonal,
  ekfac,
  kfac,
  type StructuredOperator,
} from "../../../src/structured/index.ts";
import { difference } from "../../operators/closeness.ts";
import { applicationFixture, digitsRisk, digitsRows } from "../digits.ts";

const fixture = applicationFixture("digits_influence");
const trainRows: readonly number[] = fixture.train_rows.position_in_train;
const testRows: readonly number[] = fixture.test_rows.position_in_test;

let risk: Risk;
let queries: Risk;
beforeAll(async () => {
  risk = await digitsRisk();
  queries = await risk.on(digitsRows("test", { only: testRows }));
});
afterAll(() => risk.dispose());

/** 0.1 times the mean eigenvalue of each layer's block. */
async function heuristic(matrix: StructuredOperator): Promise<StructuredOperator> {
  const values = await matrix.eigenvalues();
  let start = 0;
  const means = matrix.blocks.map(({ block: { size } }) => {
    const own = values.subarray(start, start + size);
    start += size;
    return own.reduce((sum, value) => sum + value, 0) / size;
  });
  return matrix.withDamping((_, index) => 0.1 * means[index]!);
}

type Choice = Pick<InfluenceOptions, "damping" | "solver"> & { readonly matrix: LinearOperator };

const kronecker = (make: typeof kfac, of: ApproximatedMatrix) => async (): Promise<Choice> => ({
  matrix: await make(risk, { of, bias: "joint" }),
  damping: 0.01,
});
const heuristically = (make: typeof kfac, of: ApproximatedMatrix) => async (): Promise<Choice> => ({
  matrix: await heuristic(await make(risk, { of, bias: "joint" })),
  damping: 0,
});

const tight = { method: "cg", tolerance: 1e-13 } as const;
const eigenpairs = { method: "eigenpairs", rank: 20, seed: 0, tolerance: 1e-13 } as const;

const solvers: { readonly [name: string]: () => Promise<Choice> } = {
  identity: async () => ({ matrix: identity(risk.size), damping: 0 }),
  "hessian_damping_0.01": async () => ({ matrix: hessian(risk), damping: 0.01, solver: tight }),
  "ggn_damping_0.01": async () => ({ matrix: ggn(risk), damping: 0.01, solver: tight }),
  "ggn_damping_0.001": async () => ({ matrix: ggn(risk), damping: 0.001, solver: "dense" }),
  "ggn_diagonal_damping_0.01": async () => ({ matrix: await diagonal(risk), damping: 0.01 }),
  "empirical_fisher_diagonal_damping_0.01": async () => ({
    matrix: await diagonal(risk, { of: "empiricalFisher" }),
    damping: 0.01,
  }),
  hessian_20_eigenpairs_projected: async () => ({
    matrix: hessian(risk),
    damping: 0,
    solver: { ...eigenpairs, complement: false },
  }),
  "ggn_20_eigenpairs_damping_0.01_with_complement": async () => ({
    matrix: ggn(risk),
    damping: 0.01,
    solver: eigenpairs,
  }),
  "ggn_layer_blocks_damping_0.01": async () => ({ matrix: await blockDiagonal(risk), damping: 0.01 }),
  "hessian_damping_0.01_neumann_scale_1_terms_201": async () => ({
    matrix: hessian(risk),
    damping: 0.01,
    solver: { method: "lissa", scale: 1, terms: 201, tolerance: 0 },
  }),
  "kfac_type2_damping_0.01": kronecker(kfac, "ggn"),
  "ekfac_type2_damping_0.01": kronecker(ekfac, "ggn"),
  "kfac_empirical_damping_0.01": kronecker(kfac, "empiricalFisher"),
  "ekfac_empirical_damping_0.01": kronecker(ekfac, "empiricalFisher"),
  kfac_type2_damping_heuristic: heuristically(kfac, "ggn"),
  ekfac_type2_damping_heuristic: heuristically(ekfac, "ggn"),
  kfac_empirical_damping_heuristic: heuristically(kfac, "empiricalFisher"),
  ekfac_empirical_damping_heuristic: heuristically(ekfac, "empiricalFisher"),
};

describe("digits_influence.json", () => {
  test("has a solver of ours for each of its own", () => {
    expect(Object.keys(solvers).sort()).toEqual(Object.keys(fixture.influence).sort());
  });

  test.each(Object.keys(solvers))("%s", async (name) => {
    const expected = fixture.influence[name];
    const choice = await solvers[name]!();
    const found = await influence(risk, queries, { ...choice, top: 5 });
    const scores = found.queries.map((query) => query.scores!);
    for (const [t, row] of expected.pairwise.entries()) {
      expect(
        difference(
          Float64Array.from(trainRows, (n) => scores[t]![n]!),
          row,
        ),
      ).toBeLessThan(1e-9);
      const sum = scores[t]!.reduce((total, score) => total + score, 0);
      expect(Math.abs(sum - expected.sum_over_all_training_rows[t])).toBeLessThan(
        1e-9 * Math.max(...scores[t]!.map(Math.abs)) * risk.rows,
      );
      expect(found.queries[t]!.helpful.map(({ row: n }) => n)).toEqual(expected.largest_five_training_rows[t]);
      expect(found.queries[t]!.harmful.map(({ row: n }) => n)).toEqual(expected.smallest_five_training_rows[t]);
    }
    // Two hundred products a row take their time.
    const rows = name.includes("neumann") ? trainRows.slice(0, 3) : trainRows;
    const own = await selfInfluence(risk, { ...choice, rows } as SelfInfluenceOptions);
    expect(difference(own.scores, expected.self.slice(0, rows.length))).toBeLessThan(1e-9);
    expect(difference(own.losses, fixture.train_rows.loss.slice(0, rows.length))).toBeLessThan(1e-9);
    expect(
      difference(
        Float64Array.from(found.queries, ({ value }) => value),
        fixture.test_rows.loss,
      ),
    ).toBeLessThan(1e-9);
    expect(
      difference(
        Float64Array.from(found.queries, ({ gradientNorm }) => gradientNorm),
        fixture.gradient_norms.test,
      ),
    ).toBeLessThan(1e-9);
  });
});
