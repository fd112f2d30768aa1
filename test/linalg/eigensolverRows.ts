import type * as eigenvalues from "../../src/linalg/eigenvalues/index.ts";
import {
  arnoldiSteps,
  blockEigshSteps,
  diagonal,
  eigshGeneralizedSteps,
  eigshInteriorSteps,
  eigshSteps,
  eigsSteps,
  type LinearOperator,
  lanczosSteps,
  lobpcgSteps,
  type Outcome,
  powerIterationSteps,
  type RunOptions,
  svdsSteps,
} from "../../src/linalg/index.ts";
import type * as krylov from "../../src/linalg/krylov/index.ts";
import { operatorOf, range } from "./knownOperators.ts";

// One row for each method that finds eigenvalues or a Krylov basis. The table of spectra, the contract and the file store take all of them.

/** What every eigensolver takes. */
export interface EigenOptions extends RunOptions {
  readonly k: number;
  readonly seed: number;
  readonly matvecs?: number;
  readonly tolerance?: number;
  readonly basisSize?: number;
  readonly state?: never;
}

/** An eigensolver. */
export interface EigensolverRow {
  /** Products between two states, for k values, and at the end; absent where they vary. */
  readonly cost?: (k: number) => { readonly step: number; readonly end: number };
  readonly steps: (A: LinearOperator, options: EigenOptions) => AsyncGenerator<unknown, Outcome, void>;
  /** Its k values of a matrix with these eigenvalues; absent for methods that give a basis only. */
  readonly wanted?: (values: readonly number[], k: number) => readonly number[];
  /** Those values in a result. */
  readonly found?: (result: never) => ArrayLike<number>;
  /** Most eigenvalues that it finds at once. */
  readonly most?: number;
  /** Whether it finds one vector only for an eigenvalue that is there several times. */
  readonly single?: true;
  /** Whether close eigenvalues may take it any budget. */
  readonly slow?: true;
  /** The method that finds that a product is not finite, where it is another one. */
  readonly speaksAs?: string;
  /** Products after which it has saved some states; 24 by default. */
  readonly products?: number;
}

const descending = (values: readonly number[]) => [...values].sort((a, b) => b - a);
const largest = (values: readonly number[], k: number) => descending(values).slice(0, k);
const smallest = (values: readonly number[], k: number) => descending(values).reverse().slice(0, k);
const values = (result: { values: ArrayLike<number> }) => result.values;

/** `factor I`: metric and inverse of generalized problems. */
const multiple = (A: LinearOperator, factor: number): LinearOperator => ({
  ...operatorOf(new Float64Array(A.shape[0] ** 2)),
  dtype: A.dtype,
  matvec: async (x) => x.map((value) => factor * value) as Float64Array,
});
const halves = (all: readonly number[]) => all.map((value) => value / 2);

/** Every method of the library that finds eigenvalues or a Krylov basis, by its steps. */
type Eigensolver = {
  [name in keyof typeof eigenvalues | keyof typeof krylov]: name extends `${infer method}Steps` ? method : never;
}[keyof typeof eigenvalues | keyof typeof krylov];

/** All methods; another name after a comma is the same one with other options. */
export const eigensolverRows: Readonly<Record<string, EigensolverRow> & Record<Eigensolver, EigensolverRow>> = {
  powerIteration: {
    cost: () => ({ step: 1, end: 0 }),
    steps: (A, { k: _, basisSize: __, ...o }) => powerIterationSteps(A, o),
    wanted: (all) => [all.reduce((so, value) => (Math.abs(value) > Math.abs(so) ? value : so), 0)],
    found: ({ value }: { value: number }) => [value],
    most: 1,
    slow: true,
  },
  lanczos: {
    cost: () => ({ step: 1, end: 0 }),
    steps: (A, { k: _, tolerance: __, basisSize: ___, matvecs = 40, ...o }) =>
      lanczosSteps(A, { ...o, steps: matvecs }),
  },
  arnoldi: {
    cost: () => ({ step: 1, end: 0 }),
    steps: (A, { k: _, tolerance: __, basisSize: ___, matvecs = 40, ...o }) =>
      arnoldiSteps(A, { ...o, steps: matvecs }),
  },
  eigsh: { cost: (k) => ({ step: 1, end: k }), steps: eigshSteps, wanted: largest, found: values },
  "eigsh, smallest": {
    cost: (k) => ({ step: 1, end: k }),
    steps: (A, o) => eigshSteps(A, { ...o, which: "smallest" }),
    wanted: smallest,
    found: values,
  },
  blockEigsh: {
    cost: (k) => ({ step: Math.max(k, 2), end: k }),
    steps: (A, { basisSize, ...o }) =>
      blockEigshSteps(A, {
        ...o,
        blockSize: Math.min(Math.max(o.k, 2), A.shape[1]),
        ...(basisSize ? { basisSize: basisSize + 2 } : {}),
      }),
    wanted: largest,
    found: values,
  },
  lobpcg: { steps: (A, { basisSize: _, ...o }) => lobpcgSteps(A, o), wanted: smallest, found: values },
  "lobpcg, preconditioned": {
    steps: (A, { basisSize: _, ...o }) =>
      lobpcgSteps(A, { ...o, which: "largest", preconditioner: diagonal(range(A.shape[0], (i) => 1 + (i % 2) / 10)) }),
    wanted: largest,
    found: values,
  },
  "lobpcg, generalized": {
    steps: (A, { basisSize: _, ...o }) => lobpcgSteps(A, { ...o, B: multiple(A, 2) }),
    wanted: (all, k) => smallest(halves(all), k),
    found: values,
  },
  eigshGeneralized: {
    cost: (k) => ({ step: k, end: k }),
    steps: (A, o) =>
      eigshGeneralizedSteps(A, multiple(A, 2), {
        ...o,
        blockSize: Math.min(o.k, A.shape[1]),
        inverse: multiple(A, 0.5),
      }),
    wanted: (all, k) => largest(halves(all), k),
    found: values,
  },
  eigshInterior: {
    steps: (A, o) => eigshInteriorSteps(A, { ...o, shift: 40.3 }),
    wanted: (all, k) => [...all].sort((a, b) => Math.abs(a - 40.3) - Math.abs(b - 40.3)).slice(0, k),
    found: values,
    single: true,
    speaksAs: "minres",
    products: 300,
  },
  svds: {
    cost: (k) => ({ step: 2, end: 2 * k }),
    steps: svdsSteps,
    wanted: (all, k) => largest(all.map(Math.abs), k),
    found: values,
    single: true,
  },
  eigs: {
    cost: (k) => ({ step: 1, end: k }),
    steps: eigsSteps,
    wanted: (all, k) => descending(all.map(Math.abs)).slice(0, k),
    found: (result: { values: { real: Float64Array; imaginary: Float64Array } }) =>
      result.values.real.map((re, i) => Math.hypot(re, result.values.imaginary[i]!)),
    single: true,
  },
};
