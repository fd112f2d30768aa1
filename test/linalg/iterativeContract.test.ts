import { describe, expect, test } from "vitest";
import { CurvatureError } from "../../src/errors/index.ts";
import { arnoldiSteps } from "../../src/linalg/arnoldi.ts";
import { bicgstabSteps } from "../../src/linalg/bicgstab.ts";
import { blockLanczosSteps } from "../../src/linalg/blockLanczos.ts";
import { cglsSteps } from "../../src/linalg/cgls.ts";
import { drive } from "../../src/linalg/drive.ts";
import { eigsSteps } from "../../src/linalg/eigs.ts";
import { eigshGeneralizedSteps } from "../../src/linalg/eigshGeneralized.ts";
import { gmresSteps } from "../../src/linalg/gmres.ts";
import { lobpcgSteps } from "../../src/linalg/lobpcg.ts";
import { lsmrSteps } from "../../src/linalg/lsmr.ts";
import { minresSteps } from "../../src/linalg/minres.ts";
import { minresQlpSteps } from "../../src/linalg/minresQlp.ts";
import { multiShiftCgSteps } from "../../src/linalg/multiShiftCg.ts";
import type { LinearOperator, RunOptions } from "../../src/linalg/operator.ts";
import type { Outcome } from "../../src/linalg/result.ts";
import { richardsonSteps } from "../../src/linalg/richardson.ts";
import { steihaugSteps } from "../../src/linalg/steihaug.ts";
import { svdsSteps } from "../../src/linalg/svds.ts";
import type { Precision } from "../../src/tensors/index.ts";
import { counted, geometric, operatorOf, randomVector, rotated } from "./knownOperators.ts";

// What solvers and eigensolvers promise, whatever they compute: their budgets, their endings, and that they can be saved and resumed.

interface Options extends RunOptions {
  readonly matvecs: number;
  readonly state?: never;
}

type Steps = (A: LinearOperator, options: Options) => AsyncGenerator<unknown, Outcome, void>;

const b = (A: LinearOperator) => randomVector(A.shape[1], 9);
/** Inverse and metric of the generalized problem. */
const twice = (A: LinearOperator, factor: number): LinearOperator => ({
  ...operatorOf(new Float64Array(A.shape[0] ** 2)),
  dtype: A.dtype,
  matvec: async (x) => x.map((value) => factor * value) as Float64Array,
});
const k1 = { k: 1, seed: 1 };

const methods: Readonly<Record<string, Steps>> = {
  minres: (A, o) => minresSteps(A, b(A), o),
  minresQlp: (A, o) => minresQlpSteps(A, b(A), o),
  lsmr: (A, o) => lsmrSteps(A, b(A), o),
  cgls: (A, o) => cglsSteps(A, b(A), o),
  gmres: (A, o) => gmresSteps(A, b(A), { ...o, restart: 6 }),
  bicgstab: (A, o) => bicgstabSteps(A, b(A), o),
  richardson: (A, o) => richardsonSteps(A, b(A), { ...o, scale: 0.5 }),
  multiShiftCg: (A, o) => multiShiftCgSteps(A, b(A), { ...o, dampings: [0.1, 1] }),
  steihaug: (A, o) => steihaugSteps(A, b(A), { ...o, radius: 1e6 }),
  arnoldi: (A, o) => arnoldiSteps(A, { ...o, seed: 1 }),
  blockLanczos: (A, o) => blockLanczosSteps(A, { ...o, ...k1, blockSize: 2, dimension: 8 }),
  lobpcg: (A, o) => lobpcgSteps(A, { ...o, ...k1, guards: 1 }),
  "lobpcg, generalized": (A, o) => lobpcgSteps(A, { ...o, ...k1, guards: 1, B: twice(A, 2) }),
  eigshGeneralized: (A, o) =>
    eigshGeneralizedSteps(A, twice(A, 2), { ...o, ...k1, dimension: 6, inverse: twice(A, 0.5) }),
  svds: (A, o) => svdsSteps(A, { ...o, ...k1, dimension: 6 }),
  eigs: (A, o) => eigsSteps(A, { ...o, ...k1, dimension: 8 }),
};

const spectrum = geometric(50, 0.9);
const A = rotated(spectrum);
const run = (name: string, B: LinearOperator, options: Options) => drive(methods[name]!(B, options));

/** The operator, which does something else at product k. */
function changed(k: number, fail: (y: Float64Array) => Float64Array): LinearOperator {
  let count = 0;
  return {
    ...A,
    async matvec(x) {
      const y = (await A.matvec(x)) as Float64Array;
      return ++count === k ? fail(y) : y;
    },
  };
}

function thrower(cause: unknown) {
  return (): Float64Array => {
    throw cause;
  };
}

/** Every number that is not an error bar. */
function numbersIn(result: unknown): number[] {
  if (typeof result === "number") return [result];
  if (ArrayBuffer.isView(result)) return Array.from(result as Float64Array);
  if (typeof result !== "object" || result === null) return [];
  return Object.entries(result).flatMap(([key, part]) => (/[eE]rror|residual/.test(key) ? [] : numbersIn(part)));
}

describe.each(Object.keys(methods))("%s", (name) => {
  /** What the method calls itself: rows with other options say so after a comma. */
  const label = name.split(",")[0]!;

  test("never exceeds its budget and tells what it used", async () => {
    for (const matvecs of [2, 3, 7, 13, 29, 80]) {
      for (const dtype of ["float64", "float32"] as Precision[]) {
        const B = counted(rotated(spectrum, { dtype }), { matmat: matvecs % 2 === 0 });
        const result = await run(name, B, { matvecs });
        expect(B.count()).toBe(result.matvecs);
        expect(result.matvecs).toBeLessThanOrEqual(matvecs);
        expect(["converged", "budget", "stagnated"], result.message).toContain(result.status);
        expect(numbersIn(result).every(Number.isFinite)).toBe(true);
      }
    }
  });

  test("ends with `nonfinite` and what it knew before, when product 7 is not finite", async () => {
    for (const value of [Number.NaN, Number.NEGATIVE_INFINITY]) {
      const result = await run(
        name,
        changed(7, (y) => y.fill(value, 3, 4)),
        { matvecs: 30 },
      );
      expect(result.status).toBe("nonfinite");
      expect(result.message).toContain(`product 7 of ${label} has entries that are infinite or NaN`);
      const numbers = numbersIn(result);
      expect(numbers.length).toBeGreaterThan(0);
      expect(numbers.every(Number.isFinite)).toBe(true);
    }
  });

  test("rejects with the cause and a state that resumes to the same bits, when product 7 throws", async () => {
    const cause = new RangeError("out of memory");
    const error: unknown = await run(name, changed(7, thrower(cause)), { matvecs: 30 }).catch((e: unknown) => e);
    if (!(error instanceof CurvatureError)) throw error;
    expect([error.code, error.cause]).toEqual(["runtime", cause]);
    expect(error.message).toBe(
      `${label} expected product 7 of the operator, which failed: out of memory; resume from error.state`,
    );
    const state = structuredClone(error.state) as never;
    expect(await run(name, A, { matvecs: 30, state })).toEqual(await run(name, A, { matvecs: 30 }));
  });

  test("stops at a signal with the best so far", async () => {
    const controller = new AbortController();
    const B = changed(5, (y) => {
      controller.abort();
      return y;
    });
    const result = await run(name, B, { matvecs: 30, signal: controller.signal });
    expect(result.status).toBe("aborted");
    expect(result.matvecs).toBe(5);
    expect(numbersIn(result).every(Number.isFinite)).toBe(true);
  });

  test("can be saved after any step and resumed to the same bits; states do not change later", async () => {
    const options = { matvecs: 24 };
    const saved: { readonly state: unknown; readonly copy: unknown }[] = [];
    const generator = methods[name]!(A, options);
    let next = await generator.next();
    for (; !next.done; next = await generator.next())
      saved.push({ state: next.value, copy: structuredClone(next.value) });
    expect(saved.length).toBeGreaterThan(4);
    for (const { state, copy } of saved) {
      expect(state).toEqual(copy);
      expect(await run(name, A, { ...options, state: copy as never })).toEqual(next.value);
    }
  });

  test("refuses the state of another method, and budgets that are none", async () => {
    const state = { method: "elsewhere", columns: 50 } as never;
    await expect(run(name, A, { matvecs: 5, state })).rejects.toThrow(
      `${label} resumes from a state of method ${label} with 50 columns, got method elsewhere with 50 columns`,
    );
    for (const matvecs of [0, -1, 2.5, Number.NaN]) {
      await expect(run(name, A, { matvecs })).rejects.toThrow(
        `${label} expects matvecs to be a positive integer, got ${matvecs}`,
      );
    }
  });

  test("takes zero operators and orders 1 and 2", async () => {
    for (const values of [[0], [3], [0, 0], [2, 1], [0, 0, 0, 0, 0, 0]]) {
      for (const dtype of ["float64", "float32"] as Precision[]) {
        const result = await run(name, rotated(values, { dtype }), { matvecs: 60 });
        const solved = values.every((value) => value !== 0) && name !== "richardson";
        const allowed = solved ? ["converged"] : ["converged", "breakdown", "stagnated", "budget"];
        expect(allowed, `${values}: ${result.message}`).toContain(result.status);
        expect(numbersIn(result).every(Number.isFinite)).toBe(true);
      }
    }
  });
});
