import { describe, expect, test } from "vitest";
import { runToEnd } from "../../src/linalg/runs/index.ts";
import { sampled } from "../sampled.ts";
import { eigensolverRows } from "./eigensolverRows.ts";
import { counted, distance, geometric, range, rotated } from "./knownOperators.ts";

// Eigensolver x spectrum: every method on every spectrum, in both precisions, against the eigenvalues that the matrix was made of.

interface Spectrum {
  readonly values: Float64Array;
  /** Whether an eigenvalue at an end occurs several times. */
  readonly repeated?: true;
  /** Whether the largest ones lie so close together that only Krylov methods tell them apart. */
  readonly close?: true;
}

const spectra: Readonly<Record<string, Spectrum>> = {
  flat: { values: range(30, (i) => 1 + i / 30) },
  geometric: { values: geometric(40, 0.85) },
  step: { values: range(40, (i) => (i < 4 ? 9 : 1) + i / 1000), close: true },
  repeated: { values: range(40, (i) => [5, 5, 2, -1][i % 4]!), repeated: true },
  clustered: { values: range(40, (i) => 1 + (i < 3 ? 1 + 1e-3 * i : i / 80)), close: true },
  "one outlier": { values: range(50, (i) => (i === 0 ? 30 : i / 50)) },
  "nearly singular": { values: range(40, (i) => (i === 0 ? 1e-9 : 1 + i / 8)) },
  singular: { values: range(40, (i) => (i < 5 ? 10 - i : 0)), repeated: true },
  indefinite: { values: range(40, (i) => (i % 2 ? 1 : -1) * (1 + i)) },
  "negative definite": { values: range(30, (i) => -1 - i) },
  zero: { values: new Float64Array(20), repeated: true },
  "size 1": { values: Float64Array.of(-2.5) },
  "size 2": { values: Float64Array.of(4, -1) },
};

const finders = Object.keys(eigensolverRows).filter((name) => eigensolverRows[name]!.wanted);

describe.each(finders)("%s", (name) => {
  const { steps, wanted, found, most = 3, single, slow } = eigensolverRows[name]!;
  test.each(sampled(Object.entries(spectra), 4))("%s", async (_, { values, repeated, close }) => {
    const k = Math.min(most, values.length, single && repeated ? 1 : 3);
    const scale = Math.max(...values.map(Math.abs)) || 1;
    for (const [dtype, tolerance] of [
      ["float64", 1e-8],
      ["float32", 1e-3],
    ] as const) {
      const A = counted(rotated(values, { seed: 3, dtype }));
      // The budget goes far beyond n.
      const result = await runToEnd(steps(A, { k, seed: 0, tolerance, matvecs: 20_000 }));
      expect(slow && close ? ["converged", "budget"] : ["converged"], result.message).toContain(result.status);
      expect(A.count()).toBe(result.matvecs);
      if (result.status === "budget") continue;
      const truth = wanted!(Array.from(values), k);
      const got = Array.from(found!(result as never)).slice(0, k);
      expect(distance(got, truth), `${dtype} ${got} ${truth}`).toBeLessThanOrEqual(3 * tolerance * scale);
    }
  });

  test("a budget that is too small, and a tolerance below rounding", async () => {
    const values = range(80, (i) => 1 + i / 80);
    const A = counted(rotated(values));
    const short = await runToEnd(steps(A, { k: Math.min(most, 3), seed: 0, tolerance: 1e-10, matvecs: 20 }));
    expect(short.status, short.message).toBe("budget");
    expect(A.count()).toBe(short.matvecs);
    expect(short.matvecs).toBeLessThanOrEqual(20);
    const coarse = rotated(geometric(30, 0.6), { dtype: "float32" });
    const beyond = await runToEnd(steps(coarse, { k: 1, seed: 0, tolerance: 1e-13, matvecs: 2000 }));
    expect(["stagnated", "budget", "breakdown"], beyond.message).toContain(beyond.status);
  });
});

describe.each(Object.keys(eigensolverRows))("%s", (name) => {
  const { steps, cost, most = 3 } = eigensolverRows[name]!;
  test("makes as many products a step and at the end as documented", async () => {
    const A = counted(rotated(geometric(60, 1.1)));
    const k = Math.min(3, most);
    const run = steps(A, { k, seed: 0, tolerance: 1e-6 });
    const made: number[] = [];
    let before = 0;
    let next = await run.next();
    for (; !next.done; next = await run.next()) {
      made.push(A.count() - before);
      before = A.count();
    }
    expect(next.value.status, next.value.message).toBe("converged");
    expect(A.count()).toBe(next.value.matvecs);
    if (name.startsWith("lobpcg")) {
      // The start vectors and then at most as many, fewer as they converge; k at the end.
      expect(made[0]).toBe(k + 2);
      expect(Math.max(...made)).toBe(k + 2);
      expect(made.slice(1).some((count) => count < k + 2)).toBe(true);
      expect(A.count() - before).toBe(k);
    } else if (cost) {
      const { step, end } = cost(k);
      expect(new Set(made)).toEqual(new Set([step]));
      expect(A.count() - before).toBe(end);
    }
  });
});
