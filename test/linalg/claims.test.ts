import { describe, expect, test } from "vitest";
import {
  bicgstab,
  cg,
  cgColumns,
  cgls,
  gmres,
  type LinearOperator,
  lsmr,
  minres,
  minresQlp,
  multiShiftCg,
  type Outcome,
  richardson,
  solve,
  steihaug,
} from "../../src/linalg/index.ts";
import type * as systems from "../../src/linalg/systems/index.ts";
import { column, type Precision, toPrecision, type Vector } from "../../src/tensors/index.ts";
import { sampled } from "../sampled.ts";
import {
  inner,
  isSemidefinite,
  type KnownMatrix,
  knownMatrices,
  operatorFor,
  times,
  transpose,
} from "./claimedMatrices.ts";
import { length } from "./knownOperators.ts";

// What the status of a solver claims, recomputed from its x by a dense product in plain loops and held against the dense decomposition.

/** Every solver of the package. */
type Solver = {
  [Name in keyof typeof systems]: Name extends `${infer Method}Steps` ? Method : never;
}[keyof typeof systems];

interface Options {
  readonly tolerance: number;
  readonly matvecs: number;
}

/** One system that a run was asked to solve, `(A + damping I) x = b`, and what it says of it. */
interface Claim extends Outcome {
  readonly x: Vector;
  readonly b: Vector;
  readonly damping?: number;
  readonly residualNorm: number;
  readonly normalResidualNorm?: number;
  readonly direction?: Vector | undefined;
  readonly curvature?: number | undefined;
}

/** How a solver is asked, and of what it is expected to bring a solution. */
interface Row {
  readonly run: (A: LinearOperator, b: Vector, options: Options) => Promise<readonly Claim[]>;
  readonly solves: (known: KnownMatrix) => boolean;
  /** Whether "converged" may also mean the least residual that there is, with the shortest x. */
  readonly leastSquares?: true;
  /** Whether it takes symmetric operators alone. */
  readonly symmetric?: true;
  /** Whether a breakdown says that the matrix is singular. */
  readonly singular?: true;
}

type One = Omit<Claim, "b">;
const single =
  (method: (A: LinearOperator, b: Vector, options: Options) => Promise<One>): Row["run"] =>
  async (A, b, options) => [{ ...(await method(A, b, options)), b }];

const isConsistent = ({ least }: KnownMatrix) => least === 0;
const isRegular = ({ outside }: KnownMatrix) => outside.length === 0;
const isFlat = ({ singularValues: s }: KnownMatrix) => s[s.length - 1]! > 0.05 * s[0]!;
const hasSolution = (known: KnownMatrix) => isRegular(known) || isConsistent(known);
const forDefinite = (known: KnownMatrix) => isSemidefinite(known) && hasSolution(known);
const forSymmetric = (known: KnownMatrix) => known.symmetric && hasSolution(known);

const rows = {
  cg: { run: single(cg), solves: forDefinite, symmetric: true, singular: true },
  cgColumns: {
    async run(A, b, { matvecs, ...options }) {
      const second = toPrecision(await A.matvec(b), A.dtype);
      const B = { rows: b.length, columns: 2, data: toPrecision(Float64Array.of(...b, ...second), A.dtype) };
      const { results } = await cgColumns(A, B, { ...options, matvecs: 2 * matvecs });
      return results.map((result, k) => ({ ...result, b: column(B, k) }));
    },
    solves: forDefinite,
    symmetric: true,
    singular: true,
  },
  multiShiftCg: {
    async run(A, b, options) {
      const dampings = [1, 0, 0.25];
      const { x, residualNorms, ...rest } = await multiShiftCg(A, b, { ...options, dampings });
      return dampings.map((damping, k) => ({
        ...rest,
        x: column(x, k),
        b,
        damping,
        residualNorm: residualNorms[k]!,
        // A direction belongs to the smallest damping; and one system may be solved where the others are not.
        ...(rest.status !== "converged" &&
          residualNorms[k]! <= options.tolerance * length(b) && { status: "converged" }),
      }));
    },
    solves: forDefinite,
    symmetric: true,
    singular: true,
  },
  steihaug: {
    async run(A, b, options) {
      const radius = Math.min(1e7 * length(b), 1e306);
      const g = b.map((value) => -value);
      const result = await steihaug(A, g, { ...options, radius });
      if (result.status === "converged" && result.reached !== "interior") {
        expect(Math.abs(length(result.x) / radius - 1)).toBeLessThan(A.dtype === "float32" ? 1e-5 : 1e-11);
        return [{ ...result, b, status: "budget" }];
      }
      return [{ ...result, b }];
    },
    solves: forDefinite,
    symmetric: true,
  },
  minres: { run: single(minres), solves: forSymmetric, symmetric: true },
  minresQlp: { run: single(minresQlp), solves: forSymmetric, symmetric: true, leastSquares: true },
  gmres: { run: single((A, b, o) => gmres(A, b, { ...o, basisSize: 40 })), solves: isRegular, singular: true },
  bicgstab: { run: single(bicgstab), solves: (known) => forDefinite(known) && isRegular(known) && isFlat(known) },
  richardson: {
    run: single((A, b, o) => richardson(A, b, { ...o, scale: 0.2 })),
    solves: (known) => isSemidefinite(known) && isRegular(known) && isFlat(known),
  },
  lsmr: { run: single(lsmr), solves: () => true, leastSquares: true },
  cgls: { run: single(cgls), solves: () => true, leastSquares: true },
  solve: { run: single(solve), solves: (known) => forSymmetric(known) || isRegular(known), leastSquares: true },
} satisfies Record<Solver | "solve", Row>;

const epsilons = { float64: Number.EPSILON, float32: 2 ** -23 };

/** The numbers behind a claim, computed anew. */
function recomputed(known: KnownMatrix, { x, b, damping = 0 }: Claim, dtype: Precision) {
  const M = known.data.map((value, at) => value + (at % (known.n + 1) === 0 ? damping : 0));
  const Ax = times(M, x);
  const r = Float64Array.from(b, (value, i) => value - Ax[i]!);
  const size = (known.singularValues[0] ?? 0) + Math.abs(damping);
  const scale = size * length(x) + length(b);
  return {
    size,
    residual: length(r),
    gradient: length(times(transpose(M), r)),
    /** What products and sums may lose to rounding. */
    rounding: 16 * epsilons[dtype] * scale,
    least: damping === 0 ? length(known.outside.map((u) => inner(u, b))) : 0,
  };
}

/** Holds a claim against the truth. */
function check(known: KnownMatrix, claim: Claim, at: { row: Row; options: Options; dtype: Precision }): void {
  const { row, options, dtype } = at;
  const { status, message, b, x } = claim;
  const { tolerance } = options;
  const truth = recomputed(known, claim, dtype);
  const { residual, gradient, rounding, least, size } = truth;
  const target = tolerance * length(b);
  const told = `${status}: ${message}`;
  expect(x.every(Number.isFinite), told).toBe(true);
  expect(claim.matvecs, told).toBeLessThanOrEqual(options.matvecs * (claim.message.includes("right-hand") ? 2 : 1));
  expect(residual, told).toBeGreaterThanOrEqual(least - rounding);
  if (at.row !== rows.steihaug) expect(Math.abs(claim.residualNorm - residual), told).toBeLessThanOrEqual(rounding);
  if (claim.normalResidualNorm !== undefined) {
    expect(Math.abs(claim.normalResidualNorm - gradient), told).toBeLessThanOrEqual(size * rounding);
  }
  if (status === "converged") {
    const isLeast = row.leastSquares && gradient <= tolerance * size * residual + size * rounding;
    if (!isLeast) expect(residual, told).toBeLessThanOrEqual(target + rounding);
    else if (residual > target + rounding) {
      // The part of the residual that x could take away is small, and x is the shortest to the same accuracy.
      const positive = known.singularValues.filter((value) => value > 1e-11 * size);
      const smallest = positive[positive.length - 1] ?? 1;
      expect(Math.sqrt(Math.max(residual ** 2 - least ** 2, 0)), told).toBeLessThanOrEqual(
        Math.sqrt(2 * residual * rounding) + (tolerance * size * residual + size * rounding) / smallest,
      );
      const astray = length(known.nullSpace.map((v) => inner(v, x)));
      expect(astray, told).toBeLessThanOrEqual(1e-3 * (length(x) + length(b)));
    }
    return;
  }
  // Whatever else is said, the tolerance has not been met.
  expect(residual, told).toBeGreaterThan(target - rounding);
  if (status === "indefinite") {
    const { direction, curvature } = claim;
    expect(Math.abs(length(direction!) - 1), told).toBeLessThan(1e3 * epsilons[dtype]);
    const M = known.data;
    expect(Math.abs(inner(direction!, times(M, direction!)) - curvature!), told).toBeLessThan(
      64 * epsilons[dtype] * size,
    );
    expect(curvature, told).toBeLessThan(0);
    const lowest = known.eigenvalues[known.n - 1]!;
    expect(lowest, told).toBeLessThan(0);
    expect(curvature, told).toBeGreaterThanOrEqual(lowest - 64 * epsilons[dtype] * size);
  }
  if (status === "breakdown" && row.singular) expect(isRegular(known), told).toBe(false);
  if (status === "breakdown" && /diverges/.test(message)) {
    const outermost = Math.max(...known.eigenvalues.map((value) => Math.abs(1 - 0.2 * value)), 0);
    if (known.symmetric) expect(outermost, told).toBeGreaterThan(1);
  }
  if (/^b is not in the range/.test(message)) {
    const isClose = known.singularValues[known.n - 1]! < Math.sqrt(epsilons[dtype]) * known.singularValues[0]!;
    if (isRegular(known)) expect(isClose, told).toBe(true);
    else {
      expect(least, told).toBeGreaterThan(rounding);
      expect(residual, told).toBeLessThanOrEqual(1.01 * least + rounding);
    }
  }
  if (/: rounding in float(32|64) allows no less/.test(message)) {
    expect(residual, told).toBeLessThanOrEqual(1e3 * rounding);
  }
  if (/A is singular, or/.test(message)) {
    const smallest = known.singularValues[known.n - 1]!;
    expect(smallest, told).toBeLessThan(Math.sqrt(epsilons[dtype]) * known.singularValues[0]!);
  }
}

/** What is asked of every run; with the first of each precision whatever the solver is for has to converge. */
const asked = {
  float64: [
    { tolerance: 1e-6, matvecs: 600 },
    { tolerance: 1e-10, matvecs: 3 },
    { tolerance: 1e-10, matvecs: 8 },
    { tolerance: 0, matvecs: 600 },
  ],
  float32: [
    { tolerance: 1e-3, matvecs: 600 },
    { tolerance: 1e-12, matvecs: 300 },
  ],
} as const;

describe.each(Object.keys(rows) as (keyof typeof rows)[])("%s", (name) => {
  const row: Row = rows[name];
  test.each(sampled(Object.entries(knownMatrices) as [string, KnownMatrix][], 6))("%s", async (_, known) => {
    for (const dtype of ["float64", "float32"] as const) {
      const A = operatorFor(known, dtype);
      const b = toPrecision(known.b, dtype);
      for (const options of asked[dtype]) {
        if (row.symmetric && !known.symmetric) {
          await expect(row.run(A, b, options)).rejects.toThrow("expects a symmetric operator");
          continue;
        }
        const hasToConverge =
          options === asked[dtype][0] && row.solves(known) && (dtype === "float64" || isFlat(known));
        for (const claim of await row.run(A, b, options)) {
          check(known, claim, { row, options, dtype });
          if (hasToConverge) expect(claim.status, claim.message).toBe("converged");
        }
      }
    }
  });

  test("right-hand sides of extreme sizes: as those of usual ones", async () => {
    const known = knownMatrices["positive definite"];
    const A = operatorFor(known);
    const options = { tolerance: 1e-8, matvecs: 3000 };
    const usual = await row.run(A, known.b, options);
    for (const unit of [2 ** 600, 2 ** -600, 2 ** 1000, 2 ** -1000]) {
      const b = known.b.map((value) => value * unit);
      const claims = await row.run(A, b, options);
      claims.forEach((claim, k) => {
        expect(claim.status, claim.message).toBe(usual[k]!.status);
        const x = claim.x.map((value) => value / unit);
        expect(length(x.map((value, i) => value - usual[k]!.x[i]!))).toBeLessThan(1e-6 * length(usual[k]!.x));
        expect(claim.residualNorm / unit, claim.message).toBeLessThan(1e-8 * length(known.b));
      });
    }
  });
});
