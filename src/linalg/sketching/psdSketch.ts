import { column, type Matrix, zeros } from "../../tensors/index.ts";
import { precision } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import type { HutchinsonState } from "../traces/probeSums.ts";
import { growingBasis, withColumn } from "../vectors/basis.ts";
import { dot } from "../vectors/vector.ts";
import {
  blockSteps,
  type Sketch,
  type SketchOptions,
  type SketchOrigin,
  type SketchSetup,
  startOf,
  testVectors,
} from "./sketch.ts";

/** Options of the estimators that need one product a test vector. */
export interface PsdSketchOptions extends Omit<SketchOptions, "state"> {
  /** Where an earlier run with the same options stopped. */
  readonly state?: PsdSketchState | HutchinsonState | undefined;
}

/** Products `A Omega` so far: plain data, from which the run can go on. */
export interface PsdSketchState extends SketchOrigin {
  /** `[n, matvecs]` */
  readonly products: Matrix;
}

/** A sketch of a symmetric matrix as far as it came. */
export interface PsdSketch extends Omit<Sketch, "state"> {
  readonly state: PsdSketchState;
  readonly Omega: Matrix;
  readonly Y: Matrix;
}

/** The products with all test vectors; yields a state after each block. */
export async function* psdSketchSteps(
  A: LinearOperator,
  setup: Omit<SketchSetup, "state" | "images"> & PsdSketchOptions,
): AsyncGenerator<PsdSketchState, PsdSketch, void> {
  const { vectors } = setup;
  const dtype = precision(A);
  const start = startOf<PsdSketchState>(A, setup, {
    products: { rows: A.shape[1], columns: 0, data: zeros(0, dtype) },
  });
  const products = growingBasis(start.products, { capacity: vectors, dtype });
  const { state, interruption } = yield* blockSteps<PsdSketchState>(
    A,
    { ...start, products },
    {
      setup,
      left: ({ matvecs }) => vectors - matvecs,
      block: (current, count) => testVectors(current, { start: current.matvecs, count, dtype }),
      extended: (current, made) => ({
        ...current,
        matvecs: current.matvecs + made.length,
        products: made.reduce(withColumn, current.products),
      }),
    },
  );
  const Y = state.products;
  return { state, Omega: testVectors(state, { count: Y.columns, dtype }), Y, matvecs: state.matvecs, interruption };
}

/** Hutchinson's samples `omega' A omega` of such a sketch. */
export function sketchedSamples({ Omega, Y }: PsdSketch): readonly number[] {
  return Array.from({ length: Y.columns }, (_, i) => dot(column(Omega, i), column(Y, i)));
}

/** Message where a Nyström approximation does not exist. */
export const INDEFINITE = {
  happened: "the matrix is not positive semidefinite, so this is the average of the probes alone",
  advice: "use xtrace or xdiag, which take any matrix",
};
