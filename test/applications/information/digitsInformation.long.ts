import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tic } from "../../../src/applications/information/index.ts";
import { empiricalFisher, ggn, hessian, type LinearOperator, type Risk } from "../../../src/index.ts";
import { cholesky, choleskySolve, hutchinsonDiagonal, toDense } from "../../../src/linalg/index.ts";
import { applicationFixture, digitsRisk, relative } from "../digits.ts";

const fixture = applicationFixture("digits_information");
let risk: Risk;
beforeAll(async () => {
  risk = await digitsRisk();
});
afterAll(() => risk.dispose());

/** The operator with a dense inverse. */
async function withDenseInverse(A: LinearOperator): Promise<LinearOperator> {
  const [n] = A.shape;
  const { data } = await toDense(A);
  return {
    ...A,
    inverse: ({ damping }) => {
      const shifted = data.map((entry, k) => entry + (k % (n + 1) === 0 ? damping : 0));
      const unit = { rows: n, columns: n, data: data.map((_, k) => (k % (n + 1) === 0 ? 1 : 0)) };
      const root = cholesky({ rows: n, columns: n, data: shifted });
      const whole = root.then((factor) => choleskySolve(factor, unit));
      return {
        ...A,
        async matvec(x) {
          const { data: inverse } = await whole;
          const y = new Float64Array(n);
          for (let k = 0; k < n; k++) for (let i = 0; i < n; i++) y[i]! += inverse[k * n + i]! * x[k]!;
          return y;
        },
      };
    },
  };
}

interface TakeuchiRow {
  readonly matrix: "hessian" | "ggn";
  readonly damping: number;
  readonly penalty_empirical_fisher: number;
  readonly tic_empirical_fisher: number;
  readonly penalty_gradient_covariance: number;
  readonly tic_gradient_covariance: number;
  readonly diagonal_penalty: number;
  readonly trace_ratio: number;
}

describe("TIC", () => {
  test("exact, by any operator with an inverse, both moments", async () => {
    const inverses = { hessian: await withDenseInverse(hessian(risk)), ggn: await withDenseInverse(ggn(risk)) };
    const F = await hutchinsonDiagonal(empiricalFisher(risk), { matvecs: risk.size, seed: 0 });
    for (const row of fixture.takeuchi.values as readonly TakeuchiRow[]) {
      const matrix = inverses[row.matrix];
      const options = { seed: 0, damping: row.damping, matrix, probes: risk.size };
      const found = await tic(risk, options);
      expect(relative(found.penalty.value, row.penalty_empirical_fisher)).toBeLessThan(1e-9);
      expect(relative(found.tic.value, row.tic_empirical_fisher)).toBeLessThan(1e-9);
      expect(relative(found.aic, fixture.takeuchi.aic)).toBeLessThan(1e-9);
      expect(relative(found.negativeLogLikelihood, fixture.negative_log_likelihood_sum)).toBeLessThan(1e-9);
      expect(found.penalty.standardError).toBe(0);
      if (row.damping !== 0.01) continue;
      const centred = await tic(risk, { ...options, moment: "covariance" });
      expect(relative(centred.penalty.value, row.penalty_gradient_covariance)).toBeLessThan(1e-9);
      expect(relative(centred.tic.value, row.tic_gradient_covariance)).toBeLessThan(1e-9);
      const A = await hutchinsonDiagonal(row.matrix === "hessian" ? hessian(risk) : ggn(risk), {
        matvecs: risk.size,
        seed: 0,
      });
      let [penalty, traceF, traceA] = [0, 0, 0];
      F.values.forEach((entry, i) => {
        penalty += entry / (A.values[i]! + row.damping);
        traceF += entry;
        traceA += A.values[i]!;
      });
      expect(relative(penalty, row.diagonal_penalty)).toBeLessThan(1e-9);
      expect(relative(traceF / traceA, row.trace_ratio)).toBeLessThan(1e-9);
    }
  });
});
