import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { CurvatureError } from "../../src/errors/index.ts";
import * as linalg from "../../src/linalg/index.ts";
import { lanczosQuadrature } from "../../src/linalg/index.ts";
import { randomVector, range, rotated } from "./knownOperators.ts";

// Every public function with each of its arguments replaced by something that is none: it may do without, or refuse it as a CurvatureError.

type Functions = {
  [Name in keyof typeof linalg]: (typeof linalg)[Name] extends (...given: never) => unknown ? Name : never;
}[keyof typeof linalg];
/** Without the twins that go step by step, which take what the others take. */
type Named = Exclude<Functions, `${string}Steps`>;

const n = 6;
const A = { ...rotated(range(n, (i) => 1 + i)), psd: true };
const b = randomVector(n, 1);
const M = { rows: 2, columns: 2, data: Float64Array.of(2, 1, 1, 3) };
const B = { rows: n, columns: 2, data: randomVector(2 * n, 2) };
const seeded = { seed: 0, matvecs: 4 };
const slq = { seed: 0, steps: 3, probes: 2 };
const quadrature = await lanczosQuadrature(A, { seed: 0, steps: 4, probes: 2 });

/** Arguments with which each function works. */
const works = {
  add: [A, A],
  compose: [A, A],
  damped: [A, 1],
  dense: [M],
  diagonal: [b],
  functionOperator: [{ shape: [2, 2], matvec: (x: unknown) => x, symmetric: true }],
  identity: [n],
  lowRank: [B, Float64Array.of(1, 2)],
  scale: [A, 2],
  submatrix: [A, { rows: [1], columns: [1] }],
  subtract: [A, A],
  toDense: [A, {}],
  cholesky: [M],
  choleskySolve: [M, M],
  eig: [M],
  eigh: [M],
  qr: [M],
  realSchur: [M],
  svd: [M],
  blockEigsh: [A, { k: 1, seed: 0 }],
  eigs: [A, { k: 1, seed: 0 }],
  eigsh: [A, { k: 1, seed: 0 }],
  eigshGeneralized: [A, A, { k: 1, seed: 0 }],
  eigshInterior: [A, { k: 1, seed: 0, shift: 1.5 }],
  lobpcg: [A, { k: 1, seed: 0 }],
  svds: [A, { k: 1, seed: 0 }],
  cgInverse: [A, {}],
  jacobiPreconditioner: [A, { entries: b.map(Math.abs) }],
  neumannInverse: [A, { terms: 3, scale: 0.1 }],
  preconditioner: [linalg.diagonal(b.map(Math.abs)), { damping: 1 }],
  solverInverse: [A, { method: "cg" }],
  arnoldi: [A, { seed: 0, steps: 4 }],
  lanczos: [A, { seed: 0, steps: 4 }],
  powerIteration: [A, { seed: 0 }],
  adjoint: [A],
  matmat: [A, B, {}],
  quadraticForms: [A, B, {}],
  checkAdjoint: [A, { seed: 0 }],
  checkPsd: [A, { seed: 0 }],
  checkSymmetric: [A, { seed: 0 }],
  stateStore: [join(tmpdir(), "onnx-curvature-junk"), {}],
  diagPlusPlus: [A, seeded],
  hutchPlusPlus: [A, seeded],
  nystrom: [A, { rank: 2, seed: 0 }],
  randomizedSvd: [A, { rank: 2, seed: 0 }],
  xdiag: [A, seeded],
  xnysdiag: [A, seeded],
  xnystrace: [A, seeded],
  xtrace: [A, seeded],
  cumulativeDensity: [quadrature, {}],
  densityFromQuadrature: [quadrature, {}],
  massFromQuadrature: [quadrature, { from: 0, to: 2 }],
  effectiveDimension: [A, { ...slq, damping: 1 }],
  gaussRadau: [quadrature.quadrature[0]!.gauss, 0],
  kernelPolynomial: [A, slq],
  lanczosQuadrature: [A, slq],
  logDeterminant: [A, { ...slq, damping: 1 }],
  matrixFunction: [A, b, { f: Math.exp }],
  schattenNorm: [A, { ...slq, p: 2 }],
  spectralDensity: [A, slq],
  spectralMass: [A, { ...slq, from: 0, to: 2 }],
  spectralNorm: [A, { seed: 0 }],
  spectralSum: [A, Math.exp, slq],
  studentQuantile: [0.9, 3],
  bicgstab: [A, b, {}],
  cg: [A, b, {}],
  cgColumns: [A, B, {}],
  cgls: [A, b, {}],
  explainSolver: [A],
  gmres: [A, b, {}],
  lsmr: [A, b, {}],
  minres: [A, b, {}],
  minresQlp: [A, b, {}],
  multiShiftCg: [A, b, { dampings: [1] }],
  richardson: [A, b, { scale: 0.1 }],
  solve: [A, b, {}],
  steihaug: [A, b, { radius: 1 }],
  hutchinsonDiagonal: [A, seeded],
  hutchinsonMoments: [A, seeded],
  hutchinsonTrace: [A, seeded],
  rowNorms: [A, seeded],
  squaredFrobeniusNorm: [A, seeded],
} satisfies Record<Named, readonly unknown[]>;

const junk: Readonly<Record<string, unknown>> = {
  null: null,
  "a number": 3,
  NaN: Number.NaN,
  "a string": "text",
  true: true,
  "an empty list": [],
  "an empty object": {},
  "a function": () => 1,
  "a symbol": Symbol("junk"),
  "a list of words": ["a", "b"],
  "an integer vector": Int32Array.of(1, 2),
  undefined: undefined,
};

const call = async (name: string, given: readonly unknown[]) =>
  (linalg as unknown as Record<string, (...given: readonly unknown[]) => unknown>)[name]!(...given);

describe.each(Object.keys(works) as Named[])("%s", (name) => {
  const given: readonly unknown[] = works[name];
  test("works, and refuses what is no argument with one line", async () => {
    await call(name, given);
    for (const at of given.keys()) {
      for (const [what, value] of Object.entries(junk)) {
        const error: unknown = await call(name, given.with(at, value)).then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
        if (error === undefined) continue;
        expect(error, `argument ${at + 1}: ${what}: ${error}`).toBeInstanceOf(CurvatureError);
        expect((error as Error).message).not.toContain("\n");
      }
    }
  });

  const last = given[given.length - 1];
  const isOptions =
    typeof last === "object" &&
    last !== null &&
    Object.getPrototypeOf(last) === Object.prototype &&
    !("matvec" in last) &&
    !("data" in last) &&
    !("alpha" in last);
  if (!isOptions) return;

  test("refuses an option that it does not have by its name", async () => {
    await expect(call(name, given.with(-1, { ...(last as object), tolerances: 1 }))).rejects.toThrow(
      /unknown option `tolerances`/,
    );
  });
});

test("names the option that was meant", async () => {
  await expect(call("cg", [A, b, { tol: 1 }])).rejects.toThrow(
    "cg got the unknown option `tol`; did you mean `tolerance`?",
  );
  await expect(call("eigsh", [A, { k: 1, seed: 0, basisSizes: 1 }])).rejects.toThrow("did you mean `basisSize`?");
  await expect(call("svds", [A, { k: 1, seed: 0, verbose: true }])).rejects.toThrow(
    "svds got the unknown option `verbose`; it has k, which, seed, tolerance, matvecs, basisSize, copies, state, signal, onProgress",
  );
  await expect(call("cg", [A, b, null])).rejects.toThrow(
    /^cg expects its options to be an object with recompute, .*, got null$/,
  );
});
