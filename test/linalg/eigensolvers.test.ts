import { describe, expect, test } from "vitest";
import {
  type BlockEigshOptions,
  blockEigsh,
  type LinearOperator,
  type LobpcgOptions,
  lobpcg,
} from "../../src/linalg/index.ts";
import { column } from "../../src/tensors/index.ts";
import { counted, distance, geometric, range, residualOf, rotated } from "./knownOperators.ts";
import { departureFromOrthonormal } from "./randomMatrices.ts";

/** Spectra that make trouble. */
const spectra: Readonly<Record<string, Float64Array>> = {
  geometric: geometric(60, 0.9),
  "outliers, a bulk near zero, a negative tail": range(100, (i) =>
    i < 5 ? 1 / (1 + i) : i < 90 ? 1e-4 * (100 - i) : -1e-2 * (i - 89),
  ),
  "repeated ends": range(80, (i) => (i < 4 ? 7 : i > 76 ? -3 : i / 50)),
  "few distinct values": range(60, (i) => [5, 5, 2, -1, 0][i % 5]!),
  clustered: range(60, (i) => 1 + (i < 3 ? 1 + 1e-4 * i : i / 100)),
  "rank deficient": range(60, (i) => (i < 6 ? 12 - i : 0)),
  zero: new Float64Array(30),
  "size 1": Float64Array.of(-2.5),
  "size 2": Float64Array.of(4, -1),
};

describe.each(Object.entries(spectra))("%s", (_, values) => {
  const scale = Math.max(...values.map(Math.abs));
  const k = Math.min(5, values.length);
  const ascending = Array.from(values).sort((a, b) => a - b);

  test.each([
    ["blockEigsh", (A: LinearOperator, o: BlockEigshOptions) => blockEigsh(A, { ...o, blockSize: k })],
    ["lobpcg", (A: LinearOperator, o: LobpcgOptions & BlockEigshOptions) => lobpcg(A, o as LobpcgOptions)],
  ] as const)("%s finds both ends, copies included", async (__, method) => {
    for (const which of ["largest", "smallest"] as const) {
      const A = counted(rotated(values, { seed: 3 }), { matmat: true });
      const result = await method(A, { k, which: which as "largest", seed: 0, tolerance: 1e-8, matvecs: 4000 });
      expect(result.status, result.message).toBe("converged");
      const wanted = (which === "largest" ? ascending.toReversed() : ascending).slice(0, k);
      expect(distance(result.values, wanted)).toBeLessThanOrEqual(1e-8 * scale);
      expect(departureFromOrthonormal(result.vectors)).toBeLessThan(1e-11);
      expect(A.count()).toBe(result.matvecs);
      for (let i = 0; i < k; i++) {
        const residual = await residualOf(A, column(result.vectors, i), result.values[i]!);
        expect(Math.abs(residual - result.residualNorms[i]!)).toBeLessThan(1e-13 * (scale || 1));
      }
    }
  });
});
