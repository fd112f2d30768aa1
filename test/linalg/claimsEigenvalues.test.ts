import { describe, expect, test } from "vitest";
import { cholesky, eigh } from "../../src/linalg/dense/index.ts";
import type * as eigenvalues from "../../src/linalg/eigenvalues/index.ts";
import {
  blockEigsh,
  dense,
  eigs,
  eigsh,
  eigshGeneralized,
  eigshInterior,
  type LinearOperator,
  lobpcg,
  type Outcome,
  svds,
} from "../../src/linalg/index.ts";
import { column, type Matrix } from "../../src/tensors/index.ts";
import { sampled } from "../sampled.ts";
import { inner, type KnownMatrix, knownMatrices, operatorFor, times, transpose } from "./claimedMatrices.ts";
import { length, range, rotatedMatrix } from "./knownOperators.ts";

// What the status of an eigensolver claims, recomputed from its vectors by a dense product in plain loops and held against the dense decomposition:
// which eigenvalues these are, copies included.

/** Every eigensolver of the package. */
type Eigensolver = {
  [Name in keyof typeof eigenvalues]: Name extends `${infer Method}Steps` ? Method : never;
}[keyof typeof eigenvalues];

interface Options {
  readonly k: number;
  readonly seed: number;
  readonly tolerance: number;
  readonly matvecs: number;
}

/** Values and what belongs to them: `left v = value right v` for each pair of vectors. */
interface Claim {
  readonly outcome: Outcome;
  /** Of complex values real and imaginary parts. */
  readonly values: readonly (readonly [real: number, imaginary: number])[];
  readonly residualNorms: Float64Array;
  /** Residuals, recomputed, and how far from orthonormal the vectors are. */
  readonly residuals: readonly number[];
  readonly skewness: number;
  /** What residuals are measured by. */
  readonly scale: (i: number) => number;
  /** All values with copies, the wanted ones first. */
  readonly truth: readonly (readonly [real: number, imaginary: number])[];
  /** Whether a residual bounds the distance from a true value. */
  readonly isNormal: boolean;
}

interface Row {
  readonly takes: (known: KnownMatrix) => boolean;
  readonly run: (known: KnownMatrix, A: LinearOperator, options: Options) => Promise<Claim>;
}

const real = (values: Iterable<number>) => Array.from(values, (value) => [value, 0] as const);
const sized = (values: readonly number[], by: (value: number) => number) => [...values].sort((a, b) => by(a) - by(b));

/** Largest entry of `V' W - I`. */
function skewnessOf(V: Matrix, W: Matrix = V): number {
  let worst = 0;
  for (let i = 0; i < V.columns; i++)
    for (let j = 0; j < V.columns; j++)
      worst = Math.max(worst, Math.abs(inner(column(V, i), column(W, j)) - (i === j ? 1 : 0)));
  return worst;
}

interface Pairs extends Outcome {
  readonly values: Float64Array;
  readonly vectors: Matrix;
  readonly residualNorms: Float64Array;
}

/** The claim of a symmetric eigensolver whose wanted values come first in `truth`. */
function symmetricClaim(known: KnownMatrix, found: Pairs, truth: readonly number[]): Claim {
  const { values, vectors, residualNorms } = found;
  const residuals = Array.from(values, (value, i) => {
    const v = column(vectors, i);
    const Av = times(known.data, v);
    return length(Av.map((entry, j) => entry - value * v[j]!));
  });
  const skewness = skewnessOf(vectors);
  const scale = () => known.singularValues[0]!;
  return {
    outcome: found,
    values: real(values),
    residualNorms,
    residuals,
    skewness,
    scale,
    truth: real(truth),
    isNormal: true,
  };
}

const isSymmetric = ({ symmetric }: KnownMatrix) => symmetric;
const ends = {
  largest: ({ eigenvalues }: KnownMatrix) => sized(eigenvalues, (value) => -value),
  smallest: ({ eigenvalues }: KnownMatrix) => sized(eigenvalues, (value) => value),
  magnitude: ({ eigenvalues }: KnownMatrix) => sized(eigenvalues, (value) => -Math.abs(value)),
  both({ eigenvalues }: KnownMatrix, k: number) {
    const descending = sized(eigenvalues, (value) => -value);
    const low = Math.floor(k / 2);
    const n = descending.length;
    return [...descending.slice(0, k - low), ...descending.slice(n - low), ...descending.slice(k - low, n - low)];
  },
} as const;

/** A symmetric eigensolver at one end after the other. */
const atEnds = <E extends keyof typeof ends>(
  all: readonly E[],
  method: (A: LinearOperator, options: Options & { which: E }) => Promise<Pairs>,
): Readonly<Record<string, Row>> =>
  Object.fromEntries(
    all.map((which) => [
      which,
      {
        takes: isSymmetric,
        run: async (known, A, options) =>
          symmetricClaim(known, await method(A, { ...options, which }), ends[which](known, options.k)),
      } satisfies Row,
    ]),
  );

const shift = 1.37;
const metric = (n: number) =>
  rotatedMatrix(
    range(n, (i) => 1 + i / n),
    8,
  );

/** Eigenvalues of `A x = value B x` by the dense Cholesky factor of B. */
async function generalizedValues({ data, n }: KnownMatrix): Promise<readonly number[]> {
  const L = await cholesky({ rows: n, columns: n, data: metric(n) });
  const solved = (columns: Float64Array) => {
    const result = columns.slice();
    for (let j = 0; j < n; j++)
      for (let i = 0; i < n; i++) {
        let sum = result[j * n + i]!;
        for (let k = 0; k < i; k++) sum -= L.data[k * n + i]! * result[j * n + k]!;
        result[j * n + i] = sum / L.data[i * n + i]!;
      }
    return result;
  };
  const { values } = await eigh({ rows: n, columns: n, data: solved(transpose(solved(data))) });
  return Array.from(values).reverse();
}

const rows = {
  eigsh: atEnds(["largest", "smallest", "magnitude", "both"], eigsh),
  blockEigsh: atEnds(["largest", "smallest", "magnitude", "both"], (A, { k, ...options }) =>
    blockEigsh(A, { ...options, k, blockSize: Math.min(2, A.shape[0]) }),
  ),
  lobpcg: atEnds(["largest", "smallest"], lobpcg),
  eigshInterior: {
    "near a shift": {
      takes: (known) => known.symmetric && known.eigenvalues.every((value) => Math.abs(value - shift) > 1e-3),
      async run(known, A, options) {
        const truth = sized(known.eigenvalues, (value) => Math.abs(value - shift));
        const found = await eigshInterior(A, { ...options, shift });
        const scale = (i: number) => Math.abs(found.values[i]! - shift) + shift;
        return { ...symmetricClaim(known, found, truth), scale };
      },
    },
  },
  eigshGeneralized: {
    "a pencil": {
      takes: isSymmetric,
      async run(known, A, options) {
        const { n } = known;
        const B = { ...dense({ rows: n, columns: n, data: metric(n) }), symmetric: true, psd: true };
        const truth = await generalizedValues(known);
        const found = await eigshGeneralized(A, B, options);
        const W = Array.from(found.values, (_, i) => times(metric(n), column(found.vectors, i)));
        const residuals = Array.from(found.values, (value, i) => {
          const Av = times(known.data, column(found.vectors, i));
          return length(Av.map((entry, j) => entry - value * W[i]![j]!));
        });
        const images = { ...found.vectors, data: Float64Array.from(W.flatMap((w) => Array.from(w))) };
        return {
          ...symmetricClaim(known, found, truth),
          // In the norm of the inverse of B, which lies between half and all of the usual one.
          residualNorms: found.residualNorms,
          residuals: residuals.map((r, i) => {
            expect(found.residualNorms[i]).toBeLessThanOrEqual(r * (1 + 1e-9) + 1e-12);
            expect(found.residualNorms[i]).toBeGreaterThanOrEqual(r / 2 - 1e-12);
            return found.residualNorms[i]!;
          }),
          skewness: skewnessOf(found.vectors, images),
        };
      },
    },
  },
  svds: Object.fromEntries(
    (["largest", "smallest"] as const).map((which) => [
      which,
      {
        takes: () => true,
        async run(known, A, options) {
          const { values, U, V, residualNorms, ...outcome } = await svds(A, { ...options, which });
          const residuals = Array.from(values, (value, i) => {
            const [u, v] = [column(U, i), column(V, i)];
            const [Av, Atu] = [times(known.data, v), times(transpose(known.data), u)];
            return length([
              ...Av.map((entry, j) => entry - value * u[j]!),
              ...Atu.map((entry, j) => entry - value * v[j]!),
            ]);
          });
          const truth = real(sized(known.singularValues, (value) => (which === "largest" ? -value : value)));
          const skewness = Math.max(skewnessOf(U), skewnessOf(V));
          const scale = () => known.singularValues[0]!;
          return { outcome, values: real(values), residualNorms, residuals, skewness, scale, truth, isNormal: true };
        },
      } satisfies Row,
    ]),
  ),
  eigs: {
    "by size": {
      takes: ({ symmetric, complex }) => symmetric || complex !== undefined,
      async run(known, A, options) {
        const { values, vectors, residualNorms, ...outcome } = await eigs({ ...A, symmetric: false }, options);
        const pairs = Array.from(values.real, (a, i) => [a, values.imaginary[i]!] as const);
        const residuals = pairs.map(([a, b], i) => {
          const [x, y] = [column(vectors.real, i), column(vectors.imaginary, i)];
          const [Ax, Ay] = [times(known.data, x), times(known.data, y)];
          return length([
            ...Ax.map((entry, j) => entry - a * x[j]! + b * y[j]!),
            ...Ay.map((entry, j) => entry - b * x[j]! - a * y[j]!),
          ]);
        });
        const lengths = pairs.map((_, i) => length([...column(vectors.real, i), ...column(vectors.imaginary, i)]));
        const all = known.complex ?? real(known.eigenvalues);
        const truth = [...all].sort((x, y) => Math.hypot(...y) - Math.hypot(...x));
        const skewness = Math.max(0, ...lengths.map((size) => Math.abs(size - 1)));
        const scale = () => known.singularValues[0]!;
        return { outcome, values: pairs, residualNorms, residuals, skewness, scale, truth, isNormal: true };
      },
    },
  },
} satisfies Record<Eigensolver, Readonly<Record<string, Row>>>;

const apart = (x: readonly [number, number], y: readonly [number, number]) => Math.hypot(x[0] - y[0], x[1] - y[1]);

const differenceInSize = (x: readonly [number, number], y: readonly [number, number]) =>
  Math.abs(Math.hypot(...x) - Math.hypot(...y));

/** Holds a claim against the truth. */
function check(
  claim: Claim,
  at: { readonly options: Options; readonly copies: boolean; readonly bySize: boolean },
): void {
  const { options, copies, bySize } = at;
  const { outcome, values, residuals, residualNorms, truth } = claim;
  const between = bySize ? differenceInSize : apart;
  const told = `${outcome.status}: ${outcome.message}`;
  const rounding = 1e-13 * Math.max(claim.scale(0) || 0, 1);
  expect(outcome.matvecs, told).toBeLessThanOrEqual(options.matvecs);
  expect(values.flat().every(Number.isFinite), told).toBe(true);
  expect(claim.skewness, told).toBeLessThan(Math.max(1e-10, options.tolerance / 20));
  values.forEach((value, i) => {
    if (Number.isFinite(residualNorms[i]))
      expect(Math.abs(residuals[i]! - residualNorms[i]!), told).toBeLessThan(rounding + 1e-9 * residuals[i]!);
    const nearest = Math.min(...truth.map((other) => apart(value, other)));
    expect(nearest, told).toBeLessThanOrEqual(residuals[i]! * (1 + 1e-6) + rounding);
  });
  const small = residuals.filter((r, i) => r <= options.tolerance * claim.scale(i) + rounding).length;
  const counted = /^(?:.*; )?(\d+) of (\d+) /.exec(outcome.message);
  if (counted) expect(Number(counted[1]), told).toBeLessThanOrEqual(small);
  if (outcome.status !== "converged") return;
  expect(values.length, told).toBeGreaterThanOrEqual(options.k);
  expect(small, told).toBe(values.length);
  const width = 2 * options.tolerance * Math.max(...values.map((_, i) => claim.scale(i))) + rounding;
  const wanted = truth.slice(0, values.length);
  if (copies) {
    // One to one: each wanted value is taken away by the value that is nearest to it. Of values of one size each may stand for another.
    const left = [...values];
    for (const value of wanted) {
      const at = left.reduce((best, other, i) => (between(other, value) < between(left[best]!, value) ? i : best), 0);
      expect(between(left[at]!, value), `${told} ${values} ${wanted}`).toBeLessThanOrEqual(width);
      left.splice(at, 1);
    }
    return;
  }
  // Nothing that is nearer than the outermost is left out, up to copies.
  for (const value of wanted.slice(0, 1)) {
    expect(Math.min(...values.map((other) => apart(other, value))), told).toBeLessThanOrEqual(width);
  }
}

/** What is asked of every run. */
const asked: readonly Options[] = [
  { k: 4, seed: 2, tolerance: 1e-8, matvecs: 3000 },
  { k: 5, seed: 3, tolerance: 1e-4, matvecs: 3000 },
  { k: 3, seed: 4, tolerance: 1e-8, matvecs: 12 },
];

describe.each(Object.entries(rows) as [Eigensolver, Readonly<Record<string, Row>>][])("%s", (name, kinds) => {
  describe.each(Object.entries(kinds))("%s", (kind, row) => {
    const takes = (Object.entries(knownMatrices) as [string, KnownMatrix][]).filter(([, known]) => row.takes(known));
    test.each(sampled(takes, 4))("%s", async (__, known) => {
      for (const each of asked) {
        const options = { ...each, k: Math.min(each.k, known.n) };
        const claim = await row.run(known, operatorFor(known), options);
        check(claim, { options, copies: name !== "eigshInterior", bySize: /magnitude|size/.test(kind) });
        if (each.matvecs === 3000 && name !== "lobpcg")
          expect(claim.outcome.status, claim.outcome.message).toBe("converged");
      }
    });
  });
});
