import { describe, expect, test } from "vitest";
import {
  diagPlusPlus,
  hutchinsonDiagonal,
  hutchinsonTrace,
  hutchPlusPlus,
  type LinearOperator,
  xdiag,
  xnysdiag,
  xnystrace,
  xtrace,
} from "../../src/linalg/index.ts";
import { testVectors } from "../../src/linalg/sketching/index.ts";
import { haarMatrix } from "./haar.ts";
import { geometric, length, operatorOf, range, rotated, rotatedMatrix } from "./knownOperators.ts";
import { diagonalMatrix, product, randomMatrix, transposed } from "./randomMatrices.ts";

type Dense = ReturnType<typeof randomMatrix>;
const sum = (values: ArrayLike<number>) => Array.from(values).reduce((so, x) => so + x, 0);
const mean = (values: readonly number[]) => sum(values) / values.length;
const dense = (data: Float64Array): Dense => ({ rows: Math.sqrt(data.length), columns: Math.sqrt(data.length), data });
const diagonalOf = ({ rows, data }: Dense) => range(rows, (i) => data[i * (rows + 1)]!);
const columnsBut = ({ rows, columns, data }: Dense, left: readonly number[]): Dense => ({
  rows,
  columns: columns - left.length,
  data: Float64Array.from(data.filter((_, at) => !left.includes(Math.floor(at / rows)))),
});
const only = ({ rows, data }: Dense, k: number): Dense => ({
  rows,
  columns: 1,
  data: data.slice(k * rows, (k + 1) * rows),
});
const minus = (A: Dense, B: Dense): Dense => ({ ...A, data: A.data.map((value, i) => value - B.data[i]!) });

/** Solution of a small symmetric positive definite system by elimination. */
function solved(A: Dense, B: Dense): Dense {
  const [n, a, b] = [A.rows, A.data.slice(), B.data.slice()];
  for (let k = 0; k < n; k++) {
    for (let i = k + 1; i < n; i++) {
      const factor = a[k * n + i]! / a[k * n + k]!;
      for (let j = k; j < n; j++) a[j * n + i]! -= factor * a[j * n + k]!;
      for (let c = 0; c < B.columns; c++) b[c * n + i]! -= factor * b[c * n + k]!;
    }
  }
  for (let c = 0; c < B.columns; c++) {
    for (let i = n - 1; i >= 0; i--) {
      for (let j = i + 1; j < n; j++) b[c * n + i]! -= a[j * n + i]! * b[c * n + j]!;
      b[c * n + i]! /= a[i * n + i]!;
    }
  }
  return { ...B, data: b };
}

/** Projection on the range of Y: `Y (Y'Y)^-1 Y'`. */
const projection = (Y: Dense) => product(Y, solved(product(transposed(Y), Y), transposed(Y)));

/** Test vectors as the estimators draw them. */
const vectors = (
  n: number,
  seed: number,
  { distribution, count }: { distribution: "signs" | "sphere"; count: number },
) => testVectors({ columns: n, seed, distribution }, { count, dtype: "float64" }) as Dense;

/** An estimate with test vector i from an approximation by all that are not left out. */
type Naive = (i: number, left: readonly number[]) => { readonly trace: number; readonly diagonal: Float64Array };

/** XTrace and XDiag as they are defined, one projection an estimate. */
const naive =
  (A: Dense, Omega: Dense, scaled: boolean): Naive =>
  (i, left) => {
    const Y = product(A, Omega);
    const others = columnsBut(Y, left);
    const P = projection(others);
    const omega = only(Omega, i);
    const rest = minus(omega, product(P, omega));
    const scale = scaled ? (A.rows - others.columns) / sum(rest.data.map((x) => x * x)) : 1;
    const sample = inner(rest, product(A, rest));
    const PA = product(P, A);
    const y = only(Y, i);
    const outside = minus(y, product(P, y));
    return {
      trace: sum(diagonalOf(product(PA, P))) + scale * sample,
      diagonal: diagonalOf(PA).map((x, j) => x + omega.data[j]! * outside.data[j]!),
    };
  };

/** XNysTrace and XNysDiag as they are defined, one Nyström approximation an estimate. */
const naiveNystrom =
  (A: Dense, Omega: Dense, scaled: boolean): Naive =>
  (i, left) => {
    const [Oi, Yi] = [columnsBut(Omega, left), columnsBut(product(A, Omega), left)];
    const approximation = product(Yi, solved(product(transposed(Oi), Yi), transposed(Yi)));
    const omega = only(Omega, i);
    const outside = minus(omega, product(projection(Oi), omega));
    const rest = product(minus(A, approximation), omega);
    const scale = scaled ? (A.rows - Oi.columns) / inner(outside, outside) : 1;
    const known = diagonalOf(approximation);
    return {
      trace: sum(known) + scale * inner(omega, rest),
      diagonal: known.map((x, j) => x + omega.data[j]! * rest.data[j]!),
    };
  };

/** Mean and standard error of m leave-one-out estimates: that of independent ones, and their covariance from estimates that leave out two. */
function leftOut(m: number, estimate: Naive, of: (found: ReturnType<Naive>) => number) {
  const samples = Array.from({ length: m }, (_, i) => of(estimate(i, [i])));
  const pairs = samples.flatMap((t, i) =>
    samples.slice(0, i).map((u, j) => (t - of(estimate(i, [i, j]))) * (u - of(estimate(j, [i, j])))),
  );
  return { value: mean(samples), standardError: Math.sqrt(spread(samples) ** 2 + Math.max(mean(pairs), 0)) };
}

const spread = (samples: readonly number[]) =>
  Math.sqrt(sum(samples.map((x) => (x - mean(samples)) ** 2)) / (samples.length * (samples.length - 1)));
const inner = (x: Dense, y: Dense) => sum(x.data.map((value, j) => value * y.data[j]!));

describe("the leave-one-out estimates and their errors equal their definition", () => {
  const [n, seed] = [24, 5];
  const unsymmetric = randomMatrix(n, n, 3);
  const psd = dense(rotatedMatrix(geometric(n, 0.8)));
  const expectTrace = (
    { trace, standardError }: { trace: number; standardError: number },
    { m, naive: estimate }: { m: number; naive: Naive },
  ) => {
    const expected = leftOut(m, estimate, (found) => found.trace);
    expect(Math.abs(trace - expected.value)).toBeLessThan(1e-10);
    expect(Math.abs(standardError / expected.standardError - 1)).toBeLessThan(1e-8);
  };
  const expectDiagonal = (
    { values, standardErrors }: { values: Float64Array; standardErrors: Float64Array },
    { m, naive: estimate }: { m: number; naive: Naive },
  ) => {
    const found = new Map<string, ReturnType<Naive>>();
    const once: Naive = (i, left) => {
      const key = `${i} of ${left}`;
      if (!found.has(key)) found.set(key, estimate(i, left));
      return found.get(key)!;
    };
    for (let j = 0; j < n; j++) {
      const expected = leftOut(m, once, ({ diagonal }) => diagonal[j]!);
      expect(Math.abs(values[j]! - expected.value)).toBeLessThan(1e-10);
      expect(Math.abs(standardErrors[j]! / expected.standardError - 1)).toBeLessThan(1e-8);
    }
  };

  test.each(["signs", "sphere"] as const)("xtrace with %s, of a matrix that is not symmetric", async (distribution) => {
    const A = operatorOf(unsymmetric.data, { symmetric: false });
    const Omega = vectors(n, seed, { distribution, count: 7 });
    const result = await xtrace(A, { matvecs: 15, seed, distribution });
    expect(result.matvecs).toBe(14);
    expectTrace(result, { m: 7, naive: naive(unsymmetric, Omega, distribution === "sphere") });
  });

  test("xdiag, of a matrix that is not symmetric", async () => {
    const adjoint = () => operatorOf(transposed(unsymmetric).data, { symmetric: false });
    const A = { ...operatorOf(unsymmetric.data, { symmetric: false }), adjoint };
    const Omega = vectors(n, seed, { distribution: "signs", count: 7 });
    expectDiagonal(await xdiag(A, { matvecs: 14, seed }), { m: 7, naive: naive(unsymmetric, Omega, false) });
  });

  test.each(["signs", "sphere"] as const)("xnystrace with %s", async (distribution) => {
    const Omega = vectors(n, seed, { distribution, count: 8 });
    const result = await xnystrace(operatorOf(psd.data), { matvecs: 8, seed, distribution });
    expect(result.matvecs).toBe(8);
    expectTrace(result, { m: 8, naive: naiveNystrom(psd, Omega, distribution === "sphere") });
  });

  test("xnysdiag", async () => {
    const Omega = vectors(n, seed, { distribution: "signs", count: 8 });
    const result = await xnysdiag(operatorOf(psd.data), { matvecs: 8, seed });
    expectDiagonal(result, { m: 8, naive: naiveNystrom(psd, Omega, false) });
  });
});

/** Root mean square over seeds of the error over the truth. */
async function errorOf(runs: number, error: (seed: number) => Promise<number>): Promise<number> {
  let squared = 0;
  for (let seed = 0; seed < runs; seed++) squared += (await error(seed)) ** 2;
  return Math.sqrt(squared / runs);
}

type Trace = (A: LinearOperator, options: { matvecs: number; seed: number }) => Promise<{ trace: number }>;
type Diagonal = (A: LinearOperator, options: { matvecs: number; seed: number }) => Promise<{ values: Float64Array }>;

describe("errors fall as the papers say", () => {
  // The spectra of Epperly, Tropp and Webber (2024, section 3.1) at a smaller order: flat, 1 / i^2, 0.7^i, and some ones above 1e-3.
  const n = 120;
  const spectra = {
    flat: range(n, (i) => 3 - (2 * i) / (n - 1)),
    poly: range(n, (i) => (i + 1) ** -2),
    exp: geometric(n, 0.7),
    step: range(n, (i) => (i < 20 ? 1 : 1e-3)),
  };
  const matrices = Object.fromEntries(Object.entries(spectra).map(([name, values]) => [name, haarMatrix(values)]));
  const operators = Object.fromEntries(Object.entries(matrices).map(([name, data]) => [name, operatorOf(data)]));
  const error = (method: Trace, spectrum: keyof typeof spectra, matvecs: number) =>
    errorOf(method === hutchinsonTrace ? 30 : 6, async (seed) => {
      const truth = sum(spectra[spectrum]);
      return (await method(operators[spectrum]!, { matvecs, seed })).trace / truth - 1;
    });
  const diagonalError = (method: Diagonal, spectrum: keyof typeof spectra, matvecs: number) =>
    errorOf(4, async (seed) => {
      const truth = diagonalOf(dense(matrices[spectrum]!));
      const { values } = await method(operators[spectrum]!, { matvecs, seed });
      return length(values.map((x, i) => x - truth[i]!)) / length(truth);
    });

  test("exponential decay: the error of xtrace falls like 0.7^(matvecs / 2), of xnystrace like 0.7^matvecs", async () => {
    const [few, many] = [await error(xtrace, "exp", 32), await error(xtrace, "exp", 64)];
    // 0.7^16 = 3.3e-3.
    expect(many / few).toBeLessThan(0.7 ** 12);
    expect(many / few).toBeGreaterThan(0.7 ** 24);
    const [f, m] = [await error(xnystrace, "exp", 24), await error(xnystrace, "exp", 48)];
    expect(m / f).toBeLessThan(0.7 ** 18);
    expect(m / f).toBeGreaterThan(0.7 ** 30);
    expect(await error(xnystrace, "exp", 110)).toBeLessThan(1e-13);
    expect(await error(xtrace, "exp", 118)).toBeLessThan(1e-9);
  });

  test("polynomial decay 1 / i^2: faster than matvecs^-1.5, and more accurate for xnystrace than for xtrace", async () => {
    const exponent = async (method: Trace) =>
      Math.log2((await error(method, "poly", 20)) / (await error(method, "poly", 80))) / 2;
    for (const method of [xtrace, xnystrace]) expect(await exponent(method)).toBeGreaterThan(1.5);
    expect(await error(xnystrace, "poly", 60)).toBeLessThan(await error(xtrace, "poly", 60));
    const plus = await exponent(hutchPlusPlus);
    expect(plus).toBeGreaterThan(1.2);
    expect(await exponent(hutchinsonTrace)).toBeLessThan(0.9);
  });

  test("hutchPlusPlus falls at least like 1 / matvecs where the spectrum decays, hutchinsonTrace like its root", async () => {
    for (const spectrum of ["poly", "exp"] as const) {
      const ratio = (await error(hutchPlusPlus, spectrum, 30)) / (await error(hutchPlusPlus, spectrum, 110));
      expect(ratio, spectrum).toBeGreaterThan(110 / 30);
      const root = (await error(hutchinsonTrace, spectrum, 30)) / (await error(hutchinsonTrace, spectrum, 110));
      expect(root, spectrum).toBeLessThan(3);
    }
  });

  test("a step of 20 ones is found by every method but hutchinsonTrace; a flat spectrum is no worse than its", async () => {
    const plain = await error(hutchinsonTrace, "step", 90);
    for (const method of [hutchPlusPlus, xtrace, xnystrace]) {
      expect(await error(method, "step", 90)).toBeLessThan(plain / 20);
      expect(await error(method, "flat", 90)).toBeLessThan(8 * (await error(hutchinsonTrace, "flat", 90)));
    }
  });

  test("diagonals: exponential decay for xdiag and xnysdiag, and all beat Hutchinson's where the spectrum decays", async () => {
    expect((await diagonalError(xdiag, "exp", 80)) / (await diagonalError(xdiag, "exp", 40))).toBeLessThan(0.7 ** 15);
    expect((await diagonalError(xnysdiag, "exp", 48)) / (await diagonalError(xnysdiag, "exp", 24))).toBeLessThan(
      0.7 ** 18,
    );
    for (const spectrum of ["poly", "exp", "step"] as const) {
      const plain = await diagonalError(hutchinsonDiagonal, spectrum, 90);
      for (const method of [diagPlusPlus, xdiag, xnysdiag] as Diagonal[]) {
        expect(await diagonalError(method, spectrum, 90)).toBeLessThan(plain / 10);
      }
    }
  });
});

describe("singular matrices", () => {
  test("low rank is found exactly, zero is zero, also with more test vectors than rank and repeated test vectors", async () => {
    for (const rank of [0, 1, 3]) {
      const values = range(30, (i) => (i < rank ? rank - i : 0));
      const data = rotatedMatrix(values);
      const A = operatorOf(data);
      for (const method of [hutchPlusPlus, xtrace, xnystrace] as Trace[]) {
        for (const seed of [0, 1]) {
          const { trace } = await method(A, { matvecs: 24, seed });
          expect(Math.abs(trace - sum(values))).toBeLessThan(1e-7 * Math.max(rank, 1e-5));
        }
      }
      for (const method of [diagPlusPlus, xdiag, xnysdiag] as Diagonal[]) {
        const { values: found } = await method(A, { matvecs: 24, seed: 0 });
        const truth = diagonalOf(dense(data));
        expect(length(found.map((x, i) => x - truth[i]!))).toBeLessThan(1e-6 * Math.max(rank, 1e-5));
      }
    }
  });

  test("three dimensions and two test vectors of signs, which are often the same up to sign, stay unbiased", async () => {
    const values = [5, 2, 0.5];
    const A = operatorOf(rotatedMatrix(values));
    const errors: number[] = [];
    for (let seed = 0; seed < 400; seed++) {
      const { trace } = await xtrace({ ...A, shape: [3, 3] }, { matvecs: 2, seed, distribution: "signs" });
      errors.push(trace - 7.5);
    }
    expect(Math.abs(mean(errors))).toBeLessThan(3.5 * spread(errors));
    const four = operatorOf(diagonalMatrix([4, 3, 2, 1]).data);
    const repeated: number[] = [];
    for (let seed = 0; seed < 100; seed++) {
      repeated.push((await xtrace({ ...four, shape: [4, 4] }, { matvecs: 3, seed, distribution: "signs" })).trace);
    }
    expect(repeated.every((trace) => Math.abs(trace - 10) < 1e-12)).toBe(true);
  });

  test("xnystrace and xnysdiag say that a matrix is indefinite and give Hutchinson's estimate", async () => {
    const values = range(40, (i) => (i % 2 === 0 ? 1 : -1) * (i + 1));
    const data = rotatedMatrix(values);
    const A = operatorOf(data);
    const result = await xnystrace(A, { matvecs: 20, seed: 0 });
    expect(result.status).toBe("indefinite");
    expect(result.message).toBe(
      "the matrix is not positive semidefinite, so this is the average of the probes alone; use xtrace or xdiag, which take any matrix",
    );
    expect(result.interval.lower).toBeLessThan(sum(values));
    expect(result.interval.upper).toBeGreaterThan(sum(values));
    const diagonal = await xnysdiag(A, { matvecs: 20, seed: 0 });
    expect(diagonal.status).toBe("indefinite");
    const within = Array.from(diagonal.values).filter(
      (x, i) => Math.abs(x - data[i * 41]!) <= diagonal.certainty.quantile * diagonal.standardErrors[i]!,
    );
    expect(within.length).toBeGreaterThan(33);
  });
});

test("a run that is interrupted among the second products is a run with fewer test vectors", async () => {
  const A = rotated(geometric(50, 0.8));
  const stopping = (k: number): LinearOperator => {
    let count = 0;
    return { ...A, matvec: async (x) => (++count === k ? new Float64Array(50).fill(Number.NaN) : A.matvec(x)) };
  };
  const whole = await xtrace(A, { matvecs: 10, seed: 4 });
  const partial = await xtrace(stopping(16), { matvecs: 20, seed: 4 });
  expect(partial).toMatchObject({ status: "nonfinite", matvecs: 16 });
  expect(Math.abs(partial.trace / whole.trace - 1)).toBeLessThan(1e-12);
  const wholeDiagonal = await xdiag(A, { matvecs: 10, seed: 4 });
  const partialDiagonal = await xdiag(stopping(16), { matvecs: 20, seed: 4 });
  expect(length(partialDiagonal.values.map((x, i) => x - wholeDiagonal.values[i]!))).toBeLessThan(1e-12);
});

test("budgets too small for one test vector, and states of another distribution, are refused", async () => {
  const A = rotated(geometric(10, 0.8));
  await expect(xtrace(A, { matvecs: 1, seed: 0 })).rejects.toThrow(
    "xtrace expects matvecs to be at least 2, got 1; hutchinsonTrace takes any number",
  );
  await expect(xdiag(A, { matvecs: 1, seed: 0 })).rejects.toThrow("xdiag expects matvecs to be at least 2, got 1");
  const saved = (method: string) => ({ method, columns: 10, seed: 0, distribution: "gaussian" }) as never;
  await expect(xtrace(A, { matvecs: 4, seed: 0, state: saved("xtrace") })).rejects.toThrow(
    "xtrace expects the distribution that its state was made with; pass the same",
  );
  await expect(xnystrace(A, { matvecs: 4, seed: 0, state: saved("xnystrace") })).rejects.toThrow(
    "xnystrace expects the distribution that its state was made with; pass the same",
  );
  await expect(xtrace(A, { matvecs: 40, seed: 0, state: saved("xtrace") })).rejects.toThrow(
    "xtrace resumes from a state of method hutchinson with 10 columns where matvecs reaches n, got method xtrace with 10 columns; pass the state that the same call gave",
  );
});
