import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cholesky, choleskySolve, eigsh, type LinearOperator, toDense } from "../../src/linalg/index.ts";
import { empiricalFisher, ggn, hessian, type Risk } from "../../src/operators/index.ts";
import type { Matrix, Vector } from "../../src/tensors/index.ts";
import {
  expectDiagonal,
  expectEigenvalues,
  expectNear,
  expectVector,
  type Fixture,
  LIMIT,
  type LossName,
  norm,
  readFixture,
  type StoredLoss,
  type StoredMatrix,
} from "./fixture.ts";

const matrices = { hessian, ggn, empirical_fisher: empiricalFisher };

function diagonalOf({ rows, data }: Matrix): Float64Array {
  return Float64Array.from({ length: rows }, (_, i) => data[i * rows + i]);
}

/**
 * Holds the matrices of 1,210 parameters of these cases and losses to PyTorch's numbers. They are formed, column by column; extreme
 * eigenvalues come from Lanczos.
 */
export function describeDigits(cases: readonly (readonly [caseName: string, loss: LossName])[]): void {
  let fixture: Fixture;
  beforeAll(async () => {
    fixture = await readFixture("digits_mlp_op13");
  });

  describe.each(cases)("%s, %s", (caseName, loss) => {
    let risk: Risk;
    let stored: StoredLoss;
    beforeAll(async () => {
      stored = fixture.stored(caseName, loss);
      risk = await fixture.open({ caseName, loss });
    });
    afterAll(() => risk.dispose());

    test.each(Object.keys(matrices) as (keyof typeof matrices)[])("%s", async (name) => {
      const expected = stored[name];
      const A = matrices[name](risk);
      const formed = await toDense(A);
      const diagonal = diagonalOf(formed);
      const frobenius = norm(formed.data);
      expectDiagonal(diagonal, expected.diagonal);
      expectNear(
        diagonal.reduce((sum, x) => sum + x, 0),
        expected.trace,
        frobenius * LIMIT,
      );
      expectNear(frobenius, expected.frobenius!, frobenius * LIMIT);
      await expectExtremes(A, { expected, formed, diagonal });
      if (expected.damped)
        await expectDamped(formed, { expected: expected.damped, gradient: await risk.gradient(), fixture });
    });
  });
}

async function expectExtremes(
  A: LinearOperator,
  facts: { readonly expected: StoredMatrix; readonly formed: Matrix; readonly diagonal: Float64Array },
): Promise<void> {
  const { expected, formed, diagonal } = facts;
  const top = expected.eigenvalues_top20!;
  const bottom = expected.eigenvalues_bottom10;
  const scale = Math.max(top[0], -(bottom?.[0] ?? 0));
  const options = { seed: 0, tolerance: 3e-10, matvecs: 2000 };
  const largest = await eigsh(A, { k: 20, which: "largest", ...options });
  expect(largest.status).toBe("converged");
  expectEigenvalues(largest.values, { stored: top, scale });
  if (bottom === undefined) return;
  if (bottom[0] < -LIMIT * scale) {
    const smallest = await eigsh(A, { k: 10, which: "smallest", ...options });
    expect(smallest.status).toBe("converged");
    expectEigenvalues(smallest.values, { stored: bottom, scale });
    return;
  }
  // Smallest eigenvalues are 0 up to rounding: none is below, since A + 1e-10 I has a Cholesky factor, and at least ten are not above,
  // since ten parameters belong to pixels that are black in every image.
  bottom.forEach((x) => {
    expectNear(x, 0, LIMIT * scale);
  });
  await expect(cholesky(shifted(formed, 1e-10 * scale))).resolves.toBeDefined();
  expect(diagonal.filter((x) => x === 0).length).toBeGreaterThanOrEqual(10);
}

async function expectDamped(
  formed: Matrix,
  facts: {
    readonly expected: NonNullable<StoredMatrix["damped"]>;
    readonly gradient: Vector;
    readonly fixture: Fixture;
  },
): Promise<void> {
  const { expected, gradient, fixture } = facts;
  const L = await cholesky(shifted(formed, expected.damping));
  const logdet = 2 * diagonalOf(L).reduce((sum, x) => sum + Math.log(x), 0);
  expectNear(logdet, expected.logdet, LIMIT * Math.abs(expected.logdet));
  const solution = await choleskySolve(L, { rows: formed.rows, columns: 1, data: gradient });
  expectVector(solution.data, expected.solution_for_mean_gradient, fixture);
}

function shifted({ rows, columns, data }: Matrix, by: number): Matrix {
  return { rows, columns, data: data.map((x, i) => (i % (rows + 1) === 0 ? x + by : x)) };
}
