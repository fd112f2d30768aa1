import { describe, expect, test } from "vitest";
import {
  diagPlusPlus,
  hutchinsonDiagonal,
  hutchinsonMoments,
  hutchinsonTrace,
  rowNorms,
  schattenNorm,
  spectralNorm,
  squaredFrobeniusNorm,
} from "../../src/linalg/index.ts";
import { sampled } from "../sampled.ts";
import { haarMatrix } from "./haar.ts";
import {
  counted,
  failing,
  geometric,
  operatorOf,
  orthogonal,
  range,
  rotated,
  rotatedMatrix,
} from "./knownOperators.ts";
import { randomMatrix, transposed } from "./randomMatrices.ts";

const total = (values: ArrayLike<number>, f: (x: number) => number = (x) => x) =>
  Array.from(values).reduce((so, x) => so + f(x), 0);
const square = (x: number) => x * x;

describe("rowNorms", () => {
  const dense = randomMatrix(12, 70, 4);
  const A = operatorOf(dense.data, { rows: 12, symmetric: false });
  const truth = range(12, (i) => total(range(70, (j) => dense.data[j * 12 + i]! ** 2)));

  test("are exact from n products on, also of a matrix that is not square", async () => {
    const { values, standardErrors, matvecs, certainty } = await rowNorms(A, { matvecs: 100, seed: 0 });
    expect([matvecs, certainty.quantile]).toEqual([70, 0]);
    values.forEach((value, i) => {
      expect(Math.abs(value / truth[i]! - 1)).toBeLessThan(1e-12);
    });
    expect(Math.max(...standardErrors)).toBe(0);
  });

  test("are covered by their intervals, and their tolerance is about all of them", async () => {
    let inside = 0;
    for (let seed = 0; seed < 100; seed++) {
      const { values, standardErrors, certainty } = await rowNorms(A, { matvecs: 50, seed });
      if (Math.abs(values[5]! - truth[5]!) <= certainty.quantile * standardErrors[5]!) inside++;
    }
    expect(inside).toBeGreaterThanOrEqual(88);
    const wide = operatorOf(randomMatrix(8, 600, 1).data, { rows: 8, symmetric: false });
    const { matvecs, status } = await rowNorms(wide, { matvecs: 599, seed: 0, tolerance: 0.4 });
    expect(status).toBe("converged");
    expect(matvecs).toBeLessThan(300);
  });
});

describe("deflation by a given basis", () => {
  const n = 80;
  const values = range(n, (i) => (i < 2 ? 200 - 50 * i : Math.cos(i)));
  const dense = rotatedMatrix(values);
  const A = operatorOf(dense);
  const leading = { rows: n, columns: 2, data: orthogonal(n, 1).slice(0, 2 * n) };

  test("leaves the noise of the rest alone; each column costs a product", async () => {
    const B = counted(A, { matmat: true });
    const plain = await hutchinsonMoments(A, { matvecs: 42, seed: 0 });
    const deflated = await hutchinsonMoments(B, { matvecs: 42, seed: 0, deflation: leading });
    expect([B.count(), deflated.matvecs, deflated.certainty.probes]).toEqual([42, 42, 40]);
    for (const key of ["trace", "squaredFrobenius"] as const) {
      expect(deflated[key].standardError).toBeLessThan(plain[key].standardError / 10);
    }
    expect(Math.abs(deflated.trace.value - total(values))).toBeLessThan(4 * deflated.trace.standardError);
    expect(Math.abs(deflated.squaredFrobenius.value - total(values, square))).toBeLessThan(
      4 * deflated.squaredFrobenius.standardError,
    );
    expect(total(deflated.diagonal.standardErrors)).toBeLessThan(total(plain.diagonal.standardErrors) / 5);
  });

  test("stays unbiased for any basis and any matrix, in trace, diagonal, norm, rows and blocks", async () => {
    const { data } = randomMatrix(20, 20, 6);
    const B = operatorOf(data, { symmetric: false });
    const S = operatorOf(Float64Array.from(data, (x, at) => (x + data[(at % 20) * 20 + Math.floor(at / 20)]!) / 2));
    const deflation = { rows: 20, columns: 3, data: orthogonal(20, 4).slice(0, 60) };
    for (const [matrix, entries] of [
      [B, data],
      [S, undefined],
    ] as const) {
      const at = async (i: number) => (await matrix.matvec(range(20, (j) => Number(j === i))))[i]!;
      const truth = entries ? entries[5 * 21]! : await at(5);
      const trace = total(await Promise.all(Array.from({ length: 20 }, (_, i) => at(i))));
      const block = total(await Promise.all([2, 3, 4].map(at)));
      const sums = { trace: 0, entry: 0, block: 0 };
      const squares = { trace: 0, entry: 0, block: 0 };
      const runs = 300;
      for (let seed = 0; seed < runs; seed++) {
        const options = { matvecs: 9, seed, deflation, blocks: [{ name: "some", start: 2, end: 5 }] };
        const result = await hutchinsonMoments(matrix, options);
        const misses = {
          trace: result.trace.value - trace,
          entry: result.diagonal.values[5]! - truth,
          block: result.blocks[0]!.trace - block,
        };
        for (const key of ["trace", "entry", "block"] as const) {
          sums[key] += misses[key];
          squares[key] += misses[key] ** 2;
        }
      }
      for (const key of ["trace", "entry", "block"] as const) {
        expect(Math.abs(sums[key] / runs)).toBeLessThan(3.5 * Math.sqrt(squares[key] / runs / runs));
      }
    }
    let [frobenius, rows] = [0, 0];
    for (let seed = 0; seed < 200; seed++) {
      frobenius += (await squaredFrobeniusNorm(B, { matvecs: 15, seed, deflation })).squaredNorm / 200;
      rows += total((await rowNorms(B, { matvecs: 15, seed, deflation })).values) / 200;
    }
    expect(Math.abs(frobenius / total(data, square) - 1)).toBeLessThan(0.03);
    expect(Math.abs(rows / total(data, square) - 1)).toBeLessThan(0.03);
  });

  test("a basis that is not orthonormal, does not fit, or leaves no probe is refused", async () => {
    const options = { matvecs: 20, seed: 0 };
    const doubled = { ...leading, data: leading.data.map((x) => 2 * x) };
    await expect(hutchinsonTrace(A, { ...options, deflation: doubled })).rejects.toThrow(
      "hutchinsonTrace expects deflation to have orthonormal columns, got Q'Q off by 3.0; take Q of its qr",
    );
    await expect(hutchinsonTrace(A, { ...options, deflation: { ...leading, rows: 40, columns: 4 } })).rejects.toThrow(
      "hutchinsonTrace expects deflation to be a basis of 80 rows and fewer columns, got 40 x 4 with 160 entries",
    );
    await expect(hutchinsonDiagonal(A, { matvecs: 2, seed: 0, deflation: leading })).rejects.toThrow(
      "hutchinsonDiagonal expects matvecs to be more than the 2 columns of deflation, got 2; each costs a product",
    );
  });

  test("a run that ends within the basis knows nothing, and says so", async () => {
    const broken = failing(A, 2, (y) => y.fill(Number.NaN));
    const { trace, interval, status } = await hutchinsonTrace(broken, { matvecs: 20, seed: 0, deflation: leading });
    expect([trace, status]).toEqual([Number.NaN, "nonfinite"]);
    expect([interval.lower, interval.upper]).toEqual([Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]);
  });

  test("with probes on the sphere as well", async () => {
    const { interval } = await hutchinsonTrace(A, { matvecs: 60, seed: 1, deflation: leading, distribution: "sphere" });
    expect(interval.lower).toBeLessThan(total(values));
    expect(interval.upper).toBeGreaterThan(total(values));
  });
});

test("diagPlusPlus of a matrix that is not symmetric takes its adjoint for the sketch", async () => {
  const data = randomMatrix(40, 3, 1);
  const other = transposed(randomMatrix(40, 3, 2));
  const lowRank = Float64Array.from({ length: 1600 }, (_, at) => {
    const [i, j] = [at % 40, Math.floor(at / 40)];
    return total([0, 1, 2], (k) => data.data[k * 40 + i]! * other.data[j * 3 + k]!);
  });
  const A = {
    ...operatorOf(lowRank, { symmetric: false }),
    adjoint: () => operatorOf(transposed({ rows: 40, columns: 40, data: lowRank }).data, { symmetric: false }),
  };
  const { values, matvecs } = await diagPlusPlus(A, { matvecs: 18, seed: 0 });
  expect(matvecs).toBeLessThanOrEqual(18);
  for (let i = 0; i < 40; i++) expect(Math.abs(values[i]! - lowRank[i * 41]!)).toBeLessThan(1e-10);
});

describe("spectralNorm", () => {
  const spectra = {
    flat: range(200, (i) => 1 + i / 200),
    geometric: geometric(200, 0.9),
    indefinite: range(200, (i) => Math.sin(i) * (1 + i / 100)),
    negative: range(200, (i) => -3 + (i % 3)),
    outlier: range(200, (i) => (i === 0 ? 100 : 1)),
  };
  test.each(sampled(Object.entries(spectra), 2))(
    "%s: between its bounds for every seed, to the tolerance asked",
    async (_, values) => {
      const dense = haarMatrix(values);
      const largest = Math.max(...values.map(Math.abs));
      const psd = values.every((x) => x >= 0);
      for (let seed = 0; seed < 12; seed++) {
        const { norm, upperBound, status } = await spectralNorm(
          { ...operatorOf(dense), psd },
          { seed, tolerance: 0.1 },
        );
        expect(status).toBe("converged");
        expect(norm).toBeLessThanOrEqual(largest * (1 + 1e-12));
        expect(upperBound).toBeGreaterThanOrEqual(largest * (1 - 1e-12));
        expect(upperBound).toBeLessThanOrEqual(1.1 * norm);
      }
    },
  );

  test("of a short run the bound is far, and of one too short it is infinite", async () => {
    const A = operatorOf(haarMatrix(spectra.flat));
    expect((await spectralNorm(A, { seed: 0, matvecs: 3 })).upperBound).toBe(Number.POSITIVE_INFINITY);
    const { upperBound, status, message } = await spectralNorm(A, { seed: 0, matvecs: 24 });
    expect(status).toBe("budget");
    expect(upperBound).toBeGreaterThan(2);
    expect(message).toMatch(/^the upper bound is 0\.\d+ of the norm above it, 0\.05 asked for; raise matvecs/);
    const dense = randomMatrix(5, 9, 1);
    const rectangular = {
      ...operatorOf(dense.data, { rows: 5, symmetric: false }),
      adjoint: () => operatorOf(transposed(dense).data, { rows: 9, symmetric: false }),
    };
    await expect(spectralNorm(rectangular, { seed: 0, matvecs: 1 })).rejects.toThrow(
      "spectralNorm expects matvecs to be at least 2 for an operator that is not symmetric, got 1; a step takes A and A'",
    );
  });
});

describe("schattenNorm", () => {
  test("covers the truth for symmetric matrices, for even and odd exponents", async () => {
    const values = range(90, (i) => Math.sin(i) * 2);
    const A = rotated(values);
    for (const p of [1, 2, 3, 6]) {
      const truth = total(values, (x) => Math.abs(x) ** p) ** (1 / p);
      let inside = 0;
      for (let seed = 0; seed < 30; seed++) {
        const { interval } = await schattenNorm(A, { p, steps: 40, probes: 12, seed });
        if (interval.lower <= truth && truth <= interval.upper) inside++;
      }
      expect(inside, `p = ${p}`).toBeGreaterThanOrEqual(25);
    }
  });
  test("refuses exponents below one and infinity", async () => {
    for (const p of [0.5, Number.POSITIVE_INFINITY, Number.NaN]) {
      await expect(schattenNorm(rotated([1, 2]), { p, steps: 2, probes: 1, seed: 0 })).rejects.toThrow(
        `schattenNorm expects p to be a number from 1, got ${p}; spectralNorm is the one for Infinity`,
      );
    }
  });
});
