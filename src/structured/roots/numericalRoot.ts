import { vectorize } from "../../autodiff/index.ts";
import { memoized } from "../../concurrency/index.ts";
import { CurvatureError } from "../../errors/index.ts";
import { input, type Value } from "../../graph/index.ts";
import { eigh } from "../../linalg/dense/index.ts";
import type { BatchGraph, BatchProduct, EvaluatedBatch, Risk } from "../../operators/engine/risk.ts";
import { broadcast, matmul, reshape } from "../../primitives/index.ts";
import type { Tensor, Vector } from "../../tensors/index.ts";
import { identityColumns } from "../passes/selectors.ts";
import type { OutputRoot } from "./outputRoot.ts";
import { weightedRoot } from "./weightedRoot.ts";

/** Eigenvalues below this share of the largest count as rounding errors of zero, by precision of the pass. */
const ROUNDING = { float32: 1e-5, float64: 1e-12 } as const;

/**
 * The symmetric root of the output matrix of every term, computed from its eigenvalues before the first pass: for losses that do not
 * declare one. One pass with C derivatives, and an eigendecomposition [C, C] a term.
 *
 * @throws CurvatureError "unsupported", from `prepare`, where the matrix of a term has a negative eigenvalue
 */
export function numericalRoot(risk: Risk, matrix: (batch: BatchGraph, u: Value) => Value): OutputRoot {
  const roots = new Map<number, Tensor>();
  const compute = memoized(async () => {
    for await (const { batch, outputs } of risk.engine.batches(matrixProduct(matrix))) {
      roots.set(batch.index, await rootsOf(outputs.matrix, { risk, batch }));
    }
  });
  return {
    columns: ({ f }) => f.shape[1],
    apply(batch, u, { roots: own }) {
      const [terms, outputs] = batch.f.shape;
      return weightedRoot(batch, reshape(matmul(own, reshape(u, [terms, outputs, 1])), [terms, outputs]));
    },
    constants: {
      of: ({ f: { shape } }) => ({ roots: input("roots", [shape[0], shape[1], shape[1]]) }),
      numbers: {
        prepare: compute,
        of: ({ index }) => ({ roots: roots.get(index)! }),
      },
    },
  };
}

/** The output matrix of every term, [C, T, C]: its product with each unit vector. */
function matrixProduct(matrix: (batch: BatchGraph, u: Value) => Value): BatchProduct {
  return {
    build(batch) {
      const { shape } = batch.f;
      const u = input("u", shape);
      const [columns] = vectorize([broadcast(matrix(batch, u), shape)], [u], {
        replacements: [identityColumns(shape[0], shape[1])],
        size: shape[1],
      });
      return { outputs: { matrix: columns } };
    },
  };
}

async function rootsOf(
  { data, dims }: Tensor,
  { risk, batch }: { readonly risk: Risk; readonly batch: EvaluatedBatch },
): Promise<Tensor> {
  const [size, terms] = dims;
  const roots = new Float64Array(terms * size * size);
  for (let term = 0; term < terms; term++) {
    const entries = new Float64Array(size * size);
    for (let i = 0; i < size; i++) {
      for (let j = 0; j < size; j++) entries[i * size + j] = (data as Vector)[(i * terms + term) * size + j];
    }
    const { values, vectors } = await eigh({ rows: size, columns: size, data: entries });
    const least = values[0] ?? 0;
    const largest = Math.max(...values, 0);
    if (least < -ROUNDING[risk.dtype] * Math.max(largest, -least)) {
      const row = batch.start + Math.floor((term * batch.rows) / terms);
      throw new CurvatureError(
        "unsupported",
        `the second derivative of ${risk.lossFunction.name} in the outputs has the negative eigenvalue ${least.toPrecision(3)} at row ${row}, so the matrix has no root; declare the loss as not convex, and take of: { type: 2 } or "empiricalFisher"`,
      );
    }
    addSymmetricRoot(roots.subarray(term * size * size), { values, vectors: vectors.data, size });
  }
  return { data: roots, dims: [terms, size, size] };
}

/** Q diag(sqrt(max(values, 0))) Q', written into `root`. */
function addSymmetricRoot(
  root: Float64Array,
  { values, vectors, size }: { readonly values: Float64Array; readonly vectors: Vector; readonly size: number },
): void {
  for (let k = 0; k < size; k++) {
    const scale = Math.sqrt(Math.max(values[k], 0));
    for (let i = 0; i < size; i++) {
      const left = scale * vectors[k * size + i];
      for (let j = 0; j < size; j++) root[i * size + j] += left * vectors[k * size + j];
    }
  }
}
