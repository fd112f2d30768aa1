import { describe, expect, test } from "vitest";
import { CurvatureError } from "../../src/errors/index.ts";
import {
  damped,
  type HutchinsonOptions,
  type HutchinsonState,
  hutchinsonDiagonal,
  hutchinsonMoments,
  hutchinsonTrace,
  hutchPlusPlus,
  hutchPlusPlusSteps,
  type LinearOperator,
  type Progress,
  rowNorms,
  squaredFrobeniusNorm,
  type TraceEstimate,
  xtrace,
} from "../../src/linalg/index.ts";
import { probeSteps } from "../../src/linalg/traces/index.ts";
import type { Matrix } from "../../src/tensors/index.ts";
import { counted, formed, geometric, operatorOf, orthogonal, randomVector, rotated } from "./knownOperators.ts";

// Traces by quadratic forms: the same numbers as by products, from an operator that has both.

const n = 60;
const values = Float64Array.from({ length: n }, (_, i) => 3 * Math.cos(i) + 10 * 0.7 ** i);
const symmetric = rotated(values);
const unsymmetric = operatorOf(randomVector(n * n, 2), { symmetric: false });
const basis = (columns: number): Matrix => ({
  rows: n,
  columns,
  data: orthogonal(n, 3).slice(0, n * columns),
});

/** The estimate but for rounding in its last digits. */
function expectSame(a: TraceEstimate, b: TraceEstimate, digits = 1e-12): void {
  const numbers = ({ trace, standardError, interval }: TraceEstimate) => [
    trace,
    standardError,
    interval.lower,
    interval.upper,
  ];
  const size = Math.abs(b.trace) + b.standardError;
  for (const [i, value] of numbers(a).entries()) {
    expect(Math.abs(value - numbers(b)[i]!)).toBeLessThanOrEqual(digits * size);
  }
  const said = ({ status, message, matvecs }: TraceEstimate) => ({ status, message, matvecs });
  expect(said(a)).toEqual(said(b));
}

describe("hutchinsonTrace by forms", () => {
  const cases: Record<string, Partial<HutchinsonOptions>> = {
    probes: {},
    "Gaussian probes in blocks": { distribution: "gaussian", blockSize: 7 },
    "probes one at a time": { blockSize: 1 },
    "a deflation basis": { deflation: basis(9) },
    "a deflation basis in blocks": { deflation: basis(9), blockSize: 4 },
    "a tolerance that is met": { tolerance: 2, matvecs: 59 },
    "a tolerance that is not": { tolerance: 1e-3, matvecs: 50, deflation: basis(2) },
    "all unit vectors": { matvecs: n + 3 },
  };
  for (const [name, more] of Object.entries(cases)) {
    test(`${name}: as by products, of any square matrix, without a product`, async () => {
      for (const B of [symmetric, unsymmetric]) {
        const options = { matvecs: 30, seed: 4, ...more };
        const A = formed(B);
        const found = await hutchinsonTrace(A, options);
        expectSame(found, await hutchinsonTrace(B, options));
        expect(A.counts).toEqual({ forms: found.matvecs, products: 0 });
      }
    });
  }

  test("of a float32 operator, to its rounding", async () => {
    const single = rotated(values, { dtype: "float32" });
    const options = { matvecs: 40, seed: 1, deflation: basis(5) };
    expectSame(await hutchinsonTrace(formed(single), options), await hutchinsonTrace(single, options), 1e-6);
  });

  test("covers the exact trace where all unit vectors are used", async () => {
    const exact = await hutchinsonTrace(formed(symmetric), { matvecs: n, seed: 0 });
    expect(exact.standardError).toBe(0);
    expect(exact.trace).toBeCloseTo(
      values.reduce((so, x) => so + x, 0),
      9,
    );
  });

  test("goes through the algebra to the operator that has them", async () => {
    const A = formed(symmetric);
    const { trace } = await hutchinsonTrace(damped(A, 2), { matvecs: n, seed: 0 });
    expect(trace).toBeCloseTo(values.reduce((so, x) => so + x, 0) + 2 * n, 9);
    expect(A.counts).toEqual({ forms: n, products: 0 });
  });

  test("tells progress as products do", async () => {
    const told = async (A: LinearOperator) => {
      const all: Progress[] = [];
      const onProgress = (progress: Progress) => all.push(progress);
      await hutchinsonTrace(A, { matvecs: 20, seed: 0, deflation: basis(3), blockSize: 4, onProgress });
      return all;
    };
    const byForms = await told(formed(symmetric));
    expect(byForms).toEqual(await told(symmetric));
    expect(byForms.at(-1)).toEqual({ stage: "hutchinsonTrace", done: 20, total: 20 });
  });
});

describe("what needs products makes them, whatever forms there are", () => {
  test("norms, diagonals and all moments", async () => {
    const options = { matvecs: 20, seed: 0 };
    for (const estimate of [hutchinsonMoments, hutchinsonDiagonal, rowNorms, squaredFrobeniusNorm]) {
      const A = formed(symmetric);
      expect(await estimate(A, options)).toEqual(await estimate(symmetric, options));
      expect(A.counts).toEqual({ forms: 0, products: 20 });
    }
  });
});

/** The operator whose k-th form, counted over all calls, is what `change` makes of it. */
function changed(k: number, change: (form: number) => number): LinearOperator {
  let count = 0;
  const A = formed(symmetric);
  return {
    ...A,
    quadraticForms: async (X, options) =>
      (await A.quadraticForms!(X, options)).map((form) => (++count === k ? change(form) : form)),
  };
}

describe("endings of a run by forms", () => {
  test("a form that is not finite ends it with what was known before, as a product does", async () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      for (const deflation of [basis(0), basis(4), basis(12)]) {
        const options = { seed: 1, blockSize: 5, deflation };
        const found = await hutchinsonTrace(
          changed(9, () => value),
          { ...options, matvecs: 30 },
        );
        const { status, message, matvecs } = found;
        expect({ status, matvecs }).toEqual({ status: "nonfinite", matvecs: 8 });
        expect(message).toMatch(/^quadratic form 9 of hutchinsonTrace is infinite or NaN; the result is the best from/);
        if (deflation.columns > 8) continue;
        const known = await hutchinsonTrace(symmetric, { ...options, matvecs: 8 });
        expect(found.trace).toBeCloseTo(known.trace, 10);
        expect(found.standardError).toBeCloseTo(known.standardError, 10);
      }
    }
  });

  test("an error is rejected with its cause and a state that resumes to the same bits", async () => {
    const cause = new RangeError("out of memory");
    const options = { matvecs: 30, seed: 1, blockSize: 5, deflation: basis(7) };
    for (const k of [3, 21]) {
      const A = changed(k, () => {
        throw cause;
      });
      const error: unknown = await hutchinsonTrace(A, options).catch((thrown: unknown) => thrown);
      if (!(error instanceof CurvatureError)) throw error;
      const done = k === 3 ? 0 : 17;
      expect([error.code, error.cause]).toEqual(["runtime", cause]);
      expect(error.message).toBe(
        `hutchinsonTrace expected quadratic form ${done + 1} of the operator, which failed: out of memory; resume from error.state`,
      );
      const B = formed(symmetric);
      const state = structuredClone(error.state) as HutchinsonState;
      expect(await hutchinsonTrace(B, { ...options, state })).toEqual(
        await hutchinsonTrace(formed(symmetric), options),
      );
      expect(B.counts).toEqual({ forms: 30 - done, products: 0 });
    }
  });

  test("a signal stops it before the next block, or inside the operator", async () => {
    for (const inside of [false, true]) {
      const controller = new AbortController();
      const A = formed(symmetric);
      let calls = 0;
      const B: LinearOperator = {
        ...A,
        async quadraticForms(X, { signal } = {}) {
          if (++calls === 3) controller.abort();
          if (inside) signal?.throwIfAborted();
          return A.quadraticForms!(X);
        },
      };
      const { signal } = controller;
      const { status, matvecs, message } = await hutchinsonTrace(B, { matvecs: 30, seed: 0, blockSize: 4, signal });
      expect({ status, matvecs }).toEqual({ status: "aborted", matvecs: inside ? 8 : 12 });
      expect(message).toMatch(/^hutchinsonTrace was aborted after (8|12) products; the result is the best so far$/);
    }
  });

  test("forms that are not one a column are refused", async () => {
    const A = { ...formed(symmetric), quadraticForms: async () => new Float64Array(1) };
    await expect(hutchinsonTrace(A, { matvecs: 8, seed: 0 })).rejects.toThrow(
      "hutchinsonTrace expected the operator's quadraticForms to give a Float64Array of 8 numbers, one a column, got 1 in a Float64Array; correct it",
    );
  });
});

describe("states of a run by forms", () => {
  const options = { matvecs: 30, seed: 2, blockSize: 4, deflation: basis(6) };
  const setup = { ...options, name: "hutchinsonTrace", watch: "trace", blocks: [], entries: "none" } as const;
  const statesOf = async (A: LinearOperator) => {
    const states: HutchinsonState[] = [];
    for await (const state of probeSteps(A, setup)) states.push(structuredClone(state));
    return states;
  };

  test("have no norms, and resume to the same bits", async () => {
    const whole = await hutchinsonTrace(formed(symmetric), options);
    const states = await statesOf(formed(symmetric));
    expect(states.length).toBe(8);
    for (const state of states) {
      expect("squaredFrobenius" in state || "squaredFrobenius" in state.deflated).toBe(false);
      expect(await hutchinsonTrace(formed(symmetric), { ...options, state })).toEqual(whole);
    }
  });

  test("go on by products where there are no forms any more, and those by products go on by forms", async () => {
    const whole = await hutchinsonTrace(symmetric, options);
    for (const state of await statesOf(formed(symmetric))) {
      expectSame(await hutchinsonTrace(symmetric, { ...options, state }), whole);
    }
    for (const state of await statesOf(symmetric)) {
      const A = formed(symmetric);
      expectSame(await hutchinsonTrace(A, { ...options, state }), whole);
      expect(A.counts).toEqual({ forms: 30 - state.matvecs, products: 0 });
    }
  });

  test("are refused by what needs more than the trace", async () => {
    const [state] = await statesOf(formed(symmetric));
    for (const estimate of [hutchinsonMoments, hutchinsonDiagonal, rowNorms, squaredFrobeniusNorm]) {
      await expect(estimate(symmetric, { ...options, state: state! })).rejects.toThrow(
        `${estimate.name} expects a state with sums of all that it estimates, got one of a run by quadratic forms, which tell the trace alone; pass the state that the same call gave`,
      );
    }
    const [byProducts] = await statesOf(symmetric);
    await expect(hutchinsonMoments(symmetric, { ...options, state: byProducts! })).rejects.toThrow(
      "hutchinsonMoments expects a state with sums of all that it estimates, got one of a run without sums for entries; pass the state that the same call gave",
    );
    const norm = await squaredFrobeniusNorm(symmetric, { ...options, state: byProducts! });
    expect(norm.squaredNorm).toBe((await squaredFrobeniusNorm(symmetric, options)).squaredNorm);
  });
});

describe("hutchPlusPlus by forms", () => {
  test("as by products, which only its first third makes", async () => {
    for (const B of [symmetric, unsymmetric, rotated(geometric(n, 0.8))]) {
      for (const more of [{}, { blockSize: 5 }, { tolerance: 0.5, matvecs: 59 }]) {
        const options = { matvecs: 45, seed: 3, ...more };
        const A = formed(B);
        const found = await hutchPlusPlus(A, options);
        expectSame(found, await hutchPlusPlus(B, options));
        const sketched = Math.floor(options.matvecs / 3);
        expect(A.counts).toEqual({ forms: found.matvecs - sketched, products: sketched });
      }
    }
  });

  test("resumes from each of its states to the same bits", async () => {
    const options = { matvecs: 42, seed: 0, blockSize: 5 };
    const whole = await hutchPlusPlus(formed(symmetric), options);
    for await (const state of hutchPlusPlusSteps(formed(symmetric), options)) {
      expect(await hutchPlusPlus(formed(symmetric), { ...options, state: structuredClone(state) })).toEqual(whole);
    }
  });

  test("and xtrace, with all unit vectors, make no product", async () => {
    for (const estimate of [hutchPlusPlus, xtrace]) {
      const A = formed(symmetric);
      expectSame(await estimate(A, { matvecs: n, seed: 0 }), await estimate(symmetric, { matvecs: n, seed: 0 }));
      expect(A.counts).toEqual({ forms: n, products: 0 });
    }
  });

  test("of an operator without forms multiplies all", async () => {
    const A = counted(symmetric);
    expect((await hutchPlusPlus(A, { matvecs: 30, seed: 0 })).matvecs).toBe(30);
    expect(A.count()).toBe(30);
  });
});
