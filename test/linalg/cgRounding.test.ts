import { describe, expect, test } from "vitest";
import { cg, cgSteps, type LinearOperator } from "../../src/linalg/index.ts";
import { toPrecision, type Vector } from "../../src/tensors/index.ts";
import { counted, length, randomVector, range, rotated, trueResidual } from "./knownOperators.ts";

describe("cg and rounding", () => {
  const spectra: Readonly<Record<string, Float64Array>> = {
    "a flat one": range(60, (i) => 1 + i / 60),
    "condition 100": range(80, (i) => 1 + (99 * i) / 79),
    "condition 1e4, geometric": range(60, (i) => 1e-4 ** (i / 59)),
    "a damped low rank": range(100, (i) => (i < 12 ? 40 / (1 + i) : 0) + 0.05),
  };

  /** Residual norms computed from x, in float64, of textbook conjugate gradients in the vectors' precision; their least. */
  async function plainLeast(A: LinearOperator, exact: LinearOperator, { b, steps }: { b: Vector; steps: number }) {
    const [x, r] = [b.slice().fill(0), b.slice()];
    const p = r.slice();
    let least = Number.POSITIVE_INFINITY;
    const dot = (u: Vector, v: Vector) => Array.from(u).reduce((so, value, i) => so + value * v[i]!, 0);
    let squared = dot(r, r);
    for (let k = 0; k < steps && squared > 0; k++) {
      const Ap = await A.matvec(p);
      const alpha = squared / dot(p, Ap);
      for (let i = 0; i < x.length; i++) [x[i], r[i]] = [x[i]! + alpha * p[i]!, r[i]! - alpha * Ap[i]!];
      const next = dot(r, r);
      for (let i = 0; i < p.length; i++) p[i] = r[i]! + (next / squared) * p[i]!;
      squared = next;
      least = Math.min(least, await trueResidual(exact, x, b));
    }
    return least;
  }

  describe.each(Object.entries(spectra))("%s", (_, values) => {
    test.each(["float32", "float64"] as const)("%s: tolerance 0 attains all that rounding allows", async (dtype) => {
      const [A, exact] = [rotated(values, { dtype }), rotated(values)];
      const b = toPrecision(randomVector(values.length, 4), dtype);
      const result = await cg(A, b, { tolerance: 0, matvecs: 2000 });
      expect(result.status, result.message).toBe("stagnated");
      // No step of the textbook method comes as far, however many it makes.
      const attained = await trueResidual(exact, result.x, b);
      expect(attained).toBeLessThanOrEqual(3 * (await plainLeast(A, exact, { b, steps: 300 })));
      expect(result.message).toMatch(
        /no longer falls .*: rounding in float\d\d allows no less;|has not fallen for \d+ steps/,
      );
      const named = Number(/\((\S+) \|\|b\|\|\) after/.exec(result.message)![1]) * length(b);
      expect(Math.abs(named / result.residualNorm - 1)).toBeLessThan(0.01);
      expect(named).toBeGreaterThan(attained / 3);
      expect(named).toBeLessThan(attained * 3);
    });

    test.each(["float32", "float64"] as const)(
      "%s: what is within reach converges, what is not stagnates",
      async (dtype) => {
        const A = rotated(values, { dtype });
        for (let seed = 0; seed < 10; seed++) {
          const b = toPrecision(randomVector(values.length, seed), dtype);
          const { residualNorm } = await cg(A, b, { tolerance: 0, matvecs: 2000 });
          const attained = residualNorm / length(b);
          for (const factor of [3, 10, 1e3]) {
            const within = await cg(A, b, { tolerance: factor * attained, matvecs: 2000 });
            expect(within.status, `${factor}: ${within.message}`).toBe("converged");
          }
          const beyond = await cg(A, b, { tolerance: attained / 10, matvecs: 2000 });
          expect(beyond.status, beyond.message).toBe("stagnated");
        }
      },
    );
  });

  test("starts again from the residual of x as long as that lowers it by a tenth, and no longer", async () => {
    for (let seed = 0; seed < 20; seed++) {
      const A = rotated(spectra["a damped low rank"]!, { dtype: "float32" });
      const b = toPrecision(randomVector(100, seed), "float32");
      const run = cgSteps(A, b, { tolerance: 0 });
      const claims: number[] = [];
      let next = await run.next();
      for (; !next.done; next = await run.next()) {
        const { last } = next.value.verifiedResiduals;
        if (last < Number.POSITIVE_INFINITY && last !== claims.at(-1)) claims.push(last);
      }
      expect(next.value.status).toBe("stagnated");
      const shares = claims.slice(1).map((claim, i) => claim / claims[i]!);
      expect(shares.at(-1)).toBeGreaterThan(0.9);
      expect(Math.max(0, ...shares.slice(0, -1))).toBeLessThanOrEqual(0.9);
      // The least of them, which are over ||b||, or less where a step between two of them had its residual computed from x.
      expect(next.value.residualNorm / length(b)).toBeLessThanOrEqual(Math.min(...claims) * (1 + 1e-12));
    }
  });

  test("with tolerance 0 a budget that still lowers the residual is spent, and not a product more", async () => {
    for (const dtype of ["float32", "float64"] as const) {
      for (const matvecs of [5, 11, 20]) {
        const A = counted(
          rotated(
            range(80, (i) => 1 + (99 * i) / 79),
            { dtype },
          ),
        );
        const result = await cg(A, randomVector(80, 1), { tolerance: 0, matvecs });
        expect(result.status).toBe("budget");
        expect([A.count(), result.matvecs]).toEqual([matvecs, matvecs]);
      }
    }
  });
});
