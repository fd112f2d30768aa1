import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { CurvatureError } from "../../src/errors/index.ts";
import {
  cg,
  cgSteps,
  diagPlusPlus,
  diagPlusPlusSteps,
  effectiveDimension,
  eigsh,
  eigshSteps,
  hutchinsonDiagonal,
  hutchinsonMoments,
  hutchinsonSteps,
  hutchinsonTrace,
  hutchPlusPlus,
  hutchPlusPlusSteps,
  kernelPolynomial,
  kernelPolynomialSteps,
  type LinearOperator,
  lanczos,
  lanczosQuadrature,
  lanczosQuadratureSteps,
  lanczosSteps,
  logDeterminant,
  matrixFunction,
  matrixFunctionSteps,
  nystrom,
  nystromSteps,
  type Outcome,
  type Progress,
  powerIteration,
  powerIterationSteps,
  type RunOptions,
  randomizedSvd,
  randomizedSvdSteps,
  rowNorms,
  schattenNorm,
  spectralDensity,
  spectralMass,
  spectralNorm,
  spectralNormSteps,
  spectralSum,
  squaredFrobeniusNorm,
  stateStore,
  xdiag,
  xdiagSteps,
  xnysdiag,
  xnysdiagSteps,
  xnystrace,
  xnystraceSteps,
  xtrace,
  xtraceSteps,
} from "../../src/linalg/index.ts";
import type { Precision } from "../../src/tensors/index.ts";
import { brokenMatmats, brokenMatvecs, returningItsArgument, unusualMatvecs } from "./foreignOperators.ts";
import { counted, geometric, operatorOf, randomVector, rotated } from "./knownOperators.ts";

// What every algorithm promises, whatever it computes.

interface Options extends RunOptions {
  readonly matvecs: number;
  readonly seed: number;
  readonly state?: unknown;
}

interface Algorithm {
  readonly run: (A: LinearOperator, options: Options) => Promise<Outcome>;
  /** The same run as a generator of states. */
  readonly steps?: (A: LinearOperator, options: Options) => AsyncGenerator<unknown, Outcome, void>;
  readonly random: boolean;
  /** What it calls its budget; "matvecs" by default. */
  readonly budget?: "steps";
  readonly rectangular?: true;
}

// States come back as plain data of unknown type, as they would from a file.
type State = never;
const density = { steps: 7, probes: 3 };
const exponential = { f: (x: number) => Math.exp(-5 * x), basisSize: 6, tolerance: 1e-7 };
const b = (A: LinearOperator) => randomVector(A?.shape?.[1] ?? 1, 9);
/** Functions are the same only if they are one, so operators are compared by what they were built from. */
function withoutOperator(result: Outcome): Outcome {
  return Object.assign({}, result, { operator: undefined });
}

const algorithms: Readonly<Record<string, Algorithm>> = {
  hutchinsonTrace: { run: (A, o) => hutchinsonTrace(A, { ...o, state: o.state as State }), random: true },
  hutchinsonDiagonal: { run: (A, o) => hutchinsonDiagonal(A, { ...o, state: o.state as State }), random: true },
  squaredFrobeniusNorm: {
    run: (A, o) => squaredFrobeniusNorm(A, { ...o, state: o.state as State }),
    random: true,
    rectangular: true,
  },
  hutchinsonMoments: {
    run: (A, o) => hutchinsonMoments(A, { ...o, state: o.state as State }),
    steps: (A, o) => hutchinsonSteps(A, { ...o, state: o.state as State, blockSize: 4 }),
    random: true,
  },
  powerIteration: {
    run: (A, o) => powerIteration(A, { ...o, tolerance: 1e-5, state: o.state as State }),
    steps: (A, o) => powerIterationSteps(A, { ...o, tolerance: 1e-5, state: o.state as State }),
    random: true,
  },
  lanczos: {
    run: (A, { matvecs: steps, ...o }) => lanczos(A, { ...o, steps, state: o.state as State }),
    steps: (A, { matvecs: steps, ...o }) => lanczosSteps(A, { ...o, steps, state: o.state as State }),
    budget: "steps",
    random: true,
  },
  eigsh: {
    run: (A, o) => eigsh(A, { ...o, k: 1, basisSize: 6, state: o.state as State }),
    steps: (A, o) => eigshSteps(A, { ...o, k: 1, basisSize: 6, state: o.state as State }),
    random: true,
  },
  lanczosQuadrature: {
    run: (A, o) => lanczosQuadrature(A, { ...o, ...density, state: o.state as State }),
    steps: (A, o) => lanczosQuadratureSteps(A, { ...o, ...density, state: o.state as State }),
    random: true,
  },
  spectralDensity: { run: (A, o) => spectralDensity(A, { ...o, ...density, state: o.state as State }), random: true },
  hutchPlusPlus: {
    run: (A, o) => hutchPlusPlus(A, { ...o, state: o.state as State }),
    steps: (A, o) => hutchPlusPlusSteps(A, { ...o, blockSize: 3, state: o.state as State }),
    random: true,
  },
  diagPlusPlus: {
    run: (A, o) => diagPlusPlus(A, { ...o, state: o.state as State }),
    steps: (A, o) => diagPlusPlusSteps(A, { ...o, blockSize: 3, state: o.state as State }),
    random: true,
  },
  xtrace: {
    run: (A, o) => xtrace(A, { ...o, state: o.state as State }),
    steps: (A, o) => xtraceSteps(A, { ...o, blockSize: 3, state: o.state as State }),
    random: true,
  },
  xdiag: {
    run: (A, o) => xdiag(A, { ...o, state: o.state as State }),
    steps: (A, o) => xdiagSteps(A, { ...o, blockSize: 3, state: o.state as State }),
    random: true,
  },
  xnystrace: {
    run: (A, o) => xnystrace(A, { ...o, state: o.state as State }),
    steps: (A, o) => xnystraceSteps(A, { ...o, blockSize: 3, state: o.state as State }),
    random: true,
  },
  xnysdiag: {
    run: (A, o) => xnysdiag(A, { ...o, state: o.state as State }),
    steps: (A, o) => xnysdiagSteps(A, { ...o, blockSize: 3, state: o.state as State }),
    random: true,
  },
  rowNorms: {
    run: (A, o) => rowNorms(A, { ...o, state: o.state as State }),
    random: true,
    rectangular: true,
  },
  spectralNorm: {
    run: (A, o) => spectralNorm(A, { ...o, tolerance: 1e-3, state: o.state as State }),
    steps: (A, o) => spectralNormSteps(A, { ...o, tolerance: 1e-3, state: o.state as State }),
    random: true,
    rectangular: true,
  },
  schattenNorm: {
    run: (A, o) => schattenNorm(A, { ...o, ...density, p: 3, state: o.state as State }),
    random: true,
    rectangular: true,
  },
  spectralSum: {
    run: (A, o) => spectralSum(A, Math.cos, { ...o, ...density, state: o.state as State }),
    random: true,
  },
  spectralMass: { run: (A, o) => spectralMass(A, { ...o, ...density, state: o.state as State }), random: true },
  logDeterminant: {
    run: (A, o) => logDeterminant(A, { ...o, ...density, damping: 0.5, state: o.state as State }),
    random: true,
  },
  effectiveDimension: {
    run: (A, o) => effectiveDimension(A, { ...o, ...density, damping: 0.5, state: o.state as State }),
    random: true,
  },
  kernelPolynomial: {
    run: (A, o) => kernelPolynomial(A, { ...o, steps: 5, probes: 4, range: [-1, 4], state: o.state as State }),
    steps: (A, o) => kernelPolynomialSteps(A, { ...o, steps: 5, probes: 4, range: [-1, 4], state: o.state as State }),
    random: true,
  },
  nystrom: {
    run: async (A, o) =>
      withoutOperator(await nystrom(A, { ...o, blockSize: 3, rank: 3, oversampling: 6, state: o.state as State })),
    steps: (A, o) => nystromSteps(A, { ...o, blockSize: 3, rank: 3, oversampling: 6, state: o.state as State }),
    random: true,
  },
  randomizedSvd: {
    run: async (A, o) =>
      withoutOperator(
        await randomizedSvd(A, { ...o, blockSize: 3, rank: 3, oversampling: 2, state: o.state as State }),
      ),
    steps: (A, o) => randomizedSvdSteps(A, { ...o, blockSize: 3, rank: 3, oversampling: 2, state: o.state as State }),
    random: true,
    rectangular: true,
  },
  matrixFunction: {
    run: (A, { seed: _, ...o }) => matrixFunction(A, b(A), { ...o, ...exponential, state: o.state as State }),
    steps: (A, { seed: _, ...o }) => matrixFunctionSteps(A, b(A), { ...o, ...exponential, state: o.state as State }),
    random: false,
  },
  cg: {
    run: (A, { seed: _, ...o }) => cg(A, b(A), { ...o, recompute: 4, state: o.state as State }),
    steps: (A, { seed: _, ...o }) => cgSteps(A, b(A), { ...o, recompute: 4, state: o.state as State }),
    random: false,
  },
};

const values = geometric(50, 0.9);
const A = rotated(values);
const names = Object.keys(algorithms);
/** Absent states must be absent, not undefined, as a caller would have it. */
const run = (name: string, B: LinearOperator, { state, ...options }: Options) =>
  algorithms[name]!.run(B, state === undefined ? options : { ...options, state });

/** The operator, throwing `cause` instead of making product k. */
function throwing(B: LinearOperator, k: number, cause: unknown): LinearOperator {
  let count = 0;
  return {
    ...B,
    async matvec(x) {
      if (++count === k) throw cause;
      return B.matvec(x);
    },
  };
}

/** The operator, whose product k is not finite. */
function poisoned(B: LinearOperator, k: number, value: number): LinearOperator {
  let count = 0;
  return {
    ...B,
    async matvec(x) {
      const y = await B.matvec(x);
      return ++count === k ? y.fill(value, 3, 4) : y;
    },
  };
}

/** Every number of a result that is not a bound or an error bar, which may be infinite. */
function numbersIn(result: unknown): number[] {
  if (typeof result === "number") return [result];
  if (ArrayBuffer.isView(result)) return Array.from(result as Float64Array);
  if (typeof result !== "object" || result === null) return [];
  return Object.entries(result).flatMap(([key, part]) =>
    /[eE]rror|residual|interval|quantile|[bB]ound/.test(key) ? [] : numbersIn(part),
  );
}

describe.each(names)("%s", (name) => {
  test("never exceeds its budget and tells what it used", async () => {
    for (const matvecs of [2, 3, 7, 13, 29, 80]) {
      for (const dtype of ["float64", "float32"] as Precision[]) {
        for (const matmat of [false, true]) {
          const B = counted(rotated(values, { dtype }), { matmat });
          const result = await run(name, B, { matvecs, seed: 1 });
          expect(B.count()).toBe(result.matvecs);
          expect(result.matvecs).toBeLessThanOrEqual(matvecs);
          expect(["converged", "budget", "stagnated"]).toContain(result.status);
        }
      }
    }
  });

  test("gives the same bits for the same seed, others for another", async () => {
    const options = { matvecs: 20, seed: 1 };
    const first = await run(name, A, options);
    expect(await run(name, A, options)).toEqual(first);
    // So few products that no method is exact to rounding yet.
    const other = (seed: number) => run(name, A, { matvecs: 9, seed });
    if (algorithms[name]!.random) expect(await other(2)).not.toEqual(await other(1));
  });

  test("ends with `nonfinite` and what it knew before, when product 7 is not finite", async () => {
    for (const value of [Number.NaN, Number.NEGATIVE_INFINITY]) {
      const result = await run(name, poisoned(A, 7, value), { matvecs: 30, seed: 1 });
      expect(result.status).toBe("nonfinite");
      expect(result.message).toMatch(
        /^product 7 of \w+ has entries that are infinite or NaN;.* the result is the best from before; look for/,
      );
      const numbers = numbersIn(result);
      expect(numbers.length).toBeGreaterThan(0);
      expect(numbers.every(Number.isFinite)).toBe(true);
    }
  });

  test("rejects with the cause and a state that resumes to the same bits, when product 7 throws", async () => {
    const cause = new RangeError("out of memory");
    const options = { matvecs: 30, seed: 1 };
    const error: unknown = await run(name, throwing(A, 7, cause), options).catch((thrown: unknown) => thrown);
    if (!(error instanceof CurvatureError)) throw error;
    expect([error.code, error.cause]).toEqual(["runtime", cause]);
    expect(error.message).toMatch(
      /^\w+ expected product 7 of the operator, which failed: out of memory; resume from error.state$/,
    );
    const state: unknown = structuredClone(error.state);
    expect(await run(name, A, { ...options, state })).toEqual(await run(name, A, options));
    const typed = new CurvatureError("shape", "no such input");
    await expect(run(name, throwing(A, 2, typed), options)).rejects.toMatchObject({ code: "shape", cause: typed });
    await expect(run(name, throwing(A, 2, "plain"), options)).rejects.toThrow("which failed: plain; resume");
  });

  test("stops at a signal with the best so far, also when the operator itself stops", async () => {
    for (const by of ["between products", "inside a product"]) {
      const controller = new AbortController();
      let count = 0;
      const B: LinearOperator = {
        ...A,
        async matvec(x, { signal } = {}) {
          if (++count === 5) controller.abort();
          if (by === "inside a product") signal?.throwIfAborted();
          return A.matvec(x);
        },
      };
      const result = await run(name, B, { matvecs: 30, seed: 1, signal: controller.signal });
      expect(result.status).toBe("aborted");
      expect(result.message).toMatch(/^\w+ was aborted after \d products;.* ?the result is the best so far$/);
      expect(result.matvecs).toBe(by === "inside a product" ? 4 : 5);
      expect(numbersIn(result).every(Number.isFinite)).toBe(true);
    }
  });

  test("tells how far it is", async () => {
    const told: Progress[] = [];
    const { matvecs } = await run(name, A, { matvecs: 20, seed: 1, onProgress: (progress) => told.push(progress) });
    expect(told.length).toBeGreaterThan(1);
    told.forEach(({ stage, done, total }, i) => {
      expect(stage).toBe(name);
      expect(done).toBeGreaterThan(i === 0 ? 0 : told[i - 1]!.done);
      expect(done).toBeLessThanOrEqual(matvecs);
      expect(total).toBeLessThanOrEqual(21);
    });
  });

  test("takes zero operators, orders 1 and 2, and budgets beyond n", async () => {
    for (const spectrum of [[0], [3], [0, 0], [2, 1], [0, 0, 0, 0, 0, 0, 0, 0]]) {
      for (const dtype of ["float64", "float32"] as Precision[]) {
        const result = await run(name, rotated(spectrum, { dtype }), { matvecs: 40, seed: 0 });
        expect(["converged", "breakdown"], result.message).toContain(result.status);
        expect(numbersIn(result).every(Number.isFinite)).toBe(true);
      }
    }
  });

  test.each(Object.entries(brokenMatvecs))("refuses products that are %s", async (_, { of, message }) => {
    await expect(run(name, of(A), { matvecs: 30, seed: 1 })).rejects.toThrow(message);
  });

  test.each(Object.entries(brokenMatmats))(
    "refuses products at once that are %s, or makes none",
    async (_, { of, message }) => {
      let calls = 0;
      const B = of(A);
      const C: LinearOperator = {
        ...B,
        matmat(X, options) {
          calls++;
          return B.matmat!(X, options);
        },
      };
      const ended = run(name, C, { matvecs: 30, seed: 1 }).then(
        () => "without an error",
        (error: Error) => error.message,
      );
      const end = await ended;
      if (calls > (message.source.includes("new array") ? 1 : 0)) expect(end).toMatch(message);
      else expect(end).toBe("without an error");
    },
  );

  test("takes products that share an array without overlapping, and an identity that returns its argument", async () => {
    const options = { matvecs: 20, seed: 1 };
    for (const of of Object.values(unusualMatvecs))
      expect(await run(name, of(A), options)).toEqual(await run(name, A, options));
    const own = returningItsArgument(50);
    const copying: LinearOperator = { ...own, matvec: async (x) => x.slice() };
    expect(await run(name, own, options)).toEqual(await run(name, copying, options));
  });

  test("refuses what it cannot take, at the door", async () => {
    const options = { matvecs: 5, seed: 0 };
    const refused = (B: unknown, more: object = {}) =>
      expect(run(name, B as LinearOperator, { ...options, ...more })).rejects;
    for (const matvecs of [0, -1, 2.5, Number.NaN]) {
      await refused(A, { matvecs }).toThrow(
        `${name} expects ${algorithms[name]?.budget ?? "matvecs"} to be a positive integer, got ${matvecs}`,
      );
    }
    if (algorithms[name]!.random) {
      for (const seed of [undefined, Number.NaN, "1"]) {
        await refused(A, { seed }).toThrow(
          `${name} draws random vectors and expects seed to be a finite number, got ${seed}; pass for example seed: 0`,
        );
      }
    }
    if (name !== "cg") {
      await refused(null).toThrow(
        `${name} expects an operator with shape [rows, columns] and matvec(x), got null; wrap a function in both`,
      );
      await refused({ shape: [2, 2] }).toThrow(
        "got shape [2, 2] and matvec of type undefined; wrap a function in both",
      );
      await refused({ shape: [2], matvec: () => 0 }).toThrow("got shape [2] and matvec of type function; wrap");
    }
    if (!algorithms[name]!.rectangular) {
      await refused(operatorOf(new Float64Array(6), { rows: 2 })).toThrow(
        `${name} expects a square operator, got shape [2, 3]; compose it with its adjoint to make one`,
      );
    }
    await refused({ ...A, matvec: async () => new Float64Array(3) }).toThrow(
      `${name} expected products of 50 entries as the operator's shape says, got 3; correct its shape or matvec`,
    );
  });
});

describe.each(["powerIteration", "lanczos", "eigsh", "lanczosQuadrature", "spectralDensity", "cg"])("%s", (name) => {
  test("refuses an operator that declares itself unsymmetric", async () => {
    await expect(run(name, { ...A, symmetric: false }, { matvecs: 5, seed: 0 })).rejects.toThrow(
      `${name} expects a symmetric operator, got one that declares symmetric: false; if A equals A', pass { ...A, symmetric: true }`,
    );
  });
});

const folder = mkdtempSync(join(tmpdir(), "onnx-curvature-contract-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each(names.filter((name) => algorithms[name]!.steps))("%s as a generator", (name) => {
  test("can be saved to a file after any step and resumed to the same bits; states do not change later", async () => {
    const steps = algorithms[name]!.steps!;
    const options = { matvecs: 24, seed: 3 };
    const saved: { readonly state: unknown; readonly copy: unknown }[] = [];
    const store = stateStore(join(folder, name));
    const generator = steps(A, options);
    let next = await generator.next();
    for (; !next.done; next = await generator.next()) {
      await store.save(next.value as object);
      saved.push({ state: next.value, copy: await store.load() });
    }
    expect(saved.length).toBeGreaterThan(4);
    for (const { state, copy } of saved) {
      expect(copy).toEqual(state);
      const resumed = steps(A, { ...options, state: copy });
      let last = await resumed.next();
      while (!last.done) last = await resumed.next();
      expect(withoutOperator(last.value)).toEqual(withoutOperator(next.value));
    }
  });

  test("refuses the state of another method or order", async () => {
    const other = { method: "elsewhere", columns: 50 };
    await expect(algorithms[name]!.steps!(A, { matvecs: 5, seed: 0, state: other }).next()).rejects.toThrow(
      /resumes from a state of method \w+ with 50 columns.*, got method elsewhere with 50 columns; pass the state that the same call gave$/,
    );
  });
});
