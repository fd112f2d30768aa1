import { type DenseMatrix, eigh } from "../linalg/dense/index.ts";
import type { Block, DiagonalKroneckerBlock, KroneckerBlock, PlacedBlock } from "./blocks/index.ts";

/** Eigenvalues closer than this share of the largest belong to one cluster, whose basis eigh chooses at will. */
const CLUSTER = 1e-9;

/**
 * Eigenvalues up to this share of the largest are zero but for the rounding of the sums, by precision of the pass: hundreds of them in a factor of
 * fewer rows than columns, no two of which differ by what is known of them.
 */
export const KERNEL = { float32: 2 ** -21, float64: CLUSTER } as const;

/** Eigenvectors of a symmetric factor, ascending. */
export interface FactorBasis {
  readonly values: Float64Array;
  readonly vectors: DenseMatrix;
}

/** The eigenvectors of both factors of a block; a diagonal left factor has unit vectors and needs none. */
export interface KroneckerBasis {
  readonly left: FactorBasis | undefined;
  readonly right: FactorBasis;
}

/** The eigenvectors of the factors of a Kronecker block; undefined for blocks of other kinds. */
export async function kroneckerBasis({ block }: PlacedBlock): Promise<KroneckerBasis | undefined> {
  if (isKronecker(block)) return { left: await eigh(block.A), right: await eigh(block.B) };
  if (isDiagonalKronecker(block)) return { left: unitBasis(block.A), right: await eigh(block.B) };
  return undefined;
}

function isKronecker(block: Block): block is KroneckerBlock {
  return block.kind === "kronecker";
}

function isDiagonalKronecker(block: Block): block is DiagonalKroneckerBlock {
  return block.kind === "diagonalKronecker";
}

/** Most entries of a table whose equally frequent entries are settled; larger ones keep unit vectors, which no eigensolver chooses. */
export const LARGEST_SETTLED_TABLE = 2000;

/** The unit vectors in ascending order of a diagonal, for a small table with entries that are equally frequent. */
function unitBasis(diagonal: Float64Array): FactorBasis | undefined {
  const n = diagonal.length;
  if (n > LARGEST_SETTLED_TABLE) return undefined;
  const order = Array.from(diagonal.keys()).sort((a, b) => diagonal[a] - diagonal[b]);
  const values = Float64Array.from(order, (i) => diagonal[i]);
  const data = new Float64Array(n * n);
  order.forEach((i, k) => {
    data[k * n + i] = 1;
  });
  const basis = { values, vectors: { rows: n, columns: n, data } };
  return clusters(basis, { kernel: CLUSTER }).length > 0 ? basis : undefined;
}

/**
 * Ranges [first, end) of equal eigenvalues that the basis depends on. Where pieces vanish on the kernel its basis does not matter: eigenvalues up
 * to the share `kernel` of the largest are left out.
 */
export function clusters(
  { values }: FactorBasis,
  { kernel }: { readonly kernel: number | undefined },
): readonly (readonly [first: number, end: number])[] {
  const largest = values.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const found: (readonly [number, number])[] = [];
  let first = kernel === undefined ? 0 : values.filter((x) => x <= kernel * largest).length;
  for (let end = first + 1; end <= values.length; end++) {
    if (end < values.length && values[end] - values[end - 1] <= CLUSTER * largest) continue;
    if (end - first > 1) found.push([first, end]);
    first = end;
  }
  return found;
}

/**
 * The basis that the data choose: within a cluster of equal eigenvalues, the eigenvectors of the second moment of the pieces restricted to
 * the cluster. Rotating the cluster beforehand changes nothing.
 */
export async function settled(
  basis: FactorBasis,
  { moment, kernel }: { readonly moment: DenseMatrix; readonly kernel: number | undefined },
): Promise<FactorBasis> {
  const d = basis.vectors.rows;
  const data = basis.vectors.data.slice();
  for (const [first, end] of clusters(basis, { kernel })) {
    const own = basis.vectors.data.subarray(first * d, end * d);
    const { vectors } = await eigh(restricted(moment, { columns: own, count: end - first }));
    const size = end - first;
    for (let k = 0; k < size; k++) {
      const target = data.subarray((first + k) * d, (first + k + 1) * d).fill(0);
      for (let j = 0; j < size; j++) {
        const weight = vectors.data[k * size + j];
        for (let i = 0; i < d; i++) target[i] += weight * own[j * d + i];
      }
    }
  }
  return { values: basis.values, vectors: { ...basis.vectors, data } };
}

/** Q' M Q for columns Q [d, count], symmetrized. */
function restricted(
  { rows: d, data: M }: DenseMatrix,
  { columns: Q, count }: { readonly columns: Float64Array; readonly count: number },
): DenseMatrix {
  const result = new Float64Array(count * count);
  for (let b = 0; b < count; b++) {
    const product = new Float64Array(d);
    for (let j = 0; j < d; j++) {
      const x = Q[b * d + j];
      if (x !== 0) for (let i = 0; i < d; i++) product[i] += M[j * d + i] * x;
    }
    for (let a = 0; a < count; a++) {
      let sum = 0;
      for (let i = 0; i < d; i++) sum += Q[a * d + i] * product[i];
      result[b * count + a] += 0.5 * sum;
      result[a * count + b] += 0.5 * sum;
    }
  }
  return { rows: count, columns: count, data: result };
}
