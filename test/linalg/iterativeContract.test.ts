import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { CurvatureError } from "../../src/errors/index.ts";
import * as linalg from "../../src/linalg/index.ts";
import { type LinearOperator, type Outcome, type RunOptions, stateStore } from "../../src/linalg/index.ts";
import { runToEnd } from "../../src/linalg/runs/index.ts";
import type { Precision } from "../../src/tensors/index.ts";
import { eigensolverRows } from "./eigensolverRows.ts";
import { brokenMatvecs, returningItsArgument, unusualMatvecs } from "./foreignOperators.ts";
import { counted, geometric, randomVector, rotated } from "./knownOperators.ts";
import { solverRows } from "./solverRows.ts";

// What solvers and eigensolvers promise, whatever they compute: their budgets, their endings, and that they can be saved and resumed.

interface Options extends RunOptions {
  readonly matvecs: number;
  readonly state?: never;
}

type Steps = (A: LinearOperator, options: Options) => AsyncGenerator<unknown, Outcome, void>;

const b = (A: LinearOperator) => randomVector(A.shape[1], 9);

interface Method {
  readonly steps: Steps;
  readonly speaksAs?: string | undefined;
  readonly products?: number | undefined;
}

const methods: Readonly<Record<string, Method>> = {
  ...Object.fromEntries(
    Object.entries(solverRows).map(([name, { steps, speaksAs }]) => [
      name,
      { steps: (A: LinearOperator, options: Options) => steps(A, b(A), options), speaksAs },
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(eigensolverRows).map(([name, { steps, ...row }]) => [
      name,
      {
        steps: (A: LinearOperator, options: Options) => steps(A, { k: 1, seed: 1, basisSize: 8, ...options }),
        ...row,
      },
    ]),
  ),
};

const spectrum = geometric(50, 0.9);
const A = rotated(spectrum);
const run = (name: string, B: LinearOperator, options: Options) => runToEnd(methods[name]!.steps(B, options));

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

const folder = mkdtempSync(join(tmpdir(), "onnx-curvature-contract-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("every iterative method of the package takes part here or in the contract of the estimators", () => {
  const estimators = readFileSync(new URL("contract.test.ts", import.meta.url), "utf8");
  const here = new Set(Object.keys(methods).map((name) => name.split(",")[0]));
  const exported = Object.keys(linalg).filter((name) => name.endsWith("Steps"));
  expect(exported.length).toBeGreaterThan(30);
  const missing = exported.filter((name) => !here.has(name.replace(/Steps$/, "")) && !estimators.includes(`${name}(A`));
  expect(missing).toEqual([]);
});

describe.each(Object.keys(methods))("%s", (name) => {
  /** What the method calls itself, rows with other options say so after a comma; and what the one that makes its products does. */
  const label = name.split(",")[0]!;
  const speaker = methods[name]!.speaksAs ?? label;

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
      expect(result.message).toMatch(
        new RegExp(`product ${speaker === label ? 7 : "\\d+"} of ${speaker} has entries that are infinite or NaN`),
      );
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
    expect(
      [label, speaker].map(
        (who) => `${who} expected product 7 of the operator, which failed: out of memory; resume from error.state`,
      ),
    ).toContain(error.message);
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

  test("can be saved to a file after any step and resumed to the same bits; states do not change later", async () => {
    const options = { matvecs: methods[name]!.products ?? 24 };
    const saved: { readonly state: unknown; readonly copy: unknown }[] = [];
    const store = stateStore(join(folder, label));
    const generator = methods[name]!.steps(A, options);
    let next = await generator.next();
    for (; !next.done; next = await generator.next()) {
      await store.save(next.value as object);
      saved.push({ state: next.value, copy: await store.load() });
    }
    expect(saved.length).toBeGreaterThan(4);
    for (const { state, copy } of saved) {
      expect(copy).toEqual(state);
      expect(await run(name, A, { ...options, state: copy as never })).toEqual(next.value);
    }
  });

  test.each(Object.entries(brokenMatvecs))("refuses products that are %s", async (_, { of, message }) => {
    await expect(run(name, of(A), { matvecs: 30 })).rejects.toThrow(message);
  });

  test("takes products that share an array without overlapping, and an identity that returns its argument", async () => {
    const options = { matvecs: 24 };
    const expected = await run(name, A, options);
    for (const of of Object.values(unusualMatvecs)) expect(await run(name, of(A), options)).toEqual(expected);
    const own = returningItsArgument(50);
    const copying: LinearOperator = { ...own, matvec: async (x) => x.slice() };
    expect(await run(name, own, options)).toEqual(await run(name, copying, options));
  });

  test("refuses the state of another method, and budgets that are none", async () => {
    const state = { method: "elsewhere", columns: 50 } as never;
    await expect(run(name, A, { matvecs: 5, state })).rejects.toThrow(
      `${label} resumes from a state of method ${label} with 50 columns, got method elsewhere with 50 columns`,
    );
    const budget = name === "lanczos" || name === "arnoldi" ? "steps" : "matvecs";
    for (const matvecs of [0, -1, 2.5, Number.NaN]) {
      await expect(run(name, A, { matvecs })).rejects.toThrow(
        `${label} expects ${budget} to be a positive integer, got ${matvecs}`,
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
