import { memoized } from "../../concurrency/index.ts";
import { CurvatureError } from "../../errors/index.ts";
import { stream } from "../../random/index.ts";
import { indicesOf, type PlacedBlock, type StructuredOperator, structuredOperator } from "../../structured/index.ts";
import type { Matrix } from "../../tensors/index.ts";
import {
  type EstimatedNumber,
  groupProducts,
  type PosteriorCurvature,
  type PosteriorPrecision,
  type PrecisionRequest,
} from "./posteriorPrecision.ts";

/** Columns of a matrix in one product, so that few programs are compiled. */
const COLUMNS = 256;

/**
 * Precisions from a structured matrix: exact, by the eigenvalues of its blocks. Where the prior precision varies within a block, the block itself is
 * changed, if it has a closed form with a diagonal added.
 */
export function structuredCurvature(K: StructuredOperator): PosteriorCurvature {
  const [size] = K.shape;
  const basis = memoized(() => K.eigenbasis());
  return {
    size,
    precision: (request) => structuredPrecision(K, { ...request, basis }),
    async prepare(J, options = {}) {
      const found = await basis();
      return found === undefined ? { J } : { J, rotated: await inChunks(found.transform, J, options) };
    },
    async effectiveDimension(damping) {
      const values = (await basis())?.values;
      if (values === undefined) return exact(await K.effectiveDimension({ damping }));
      let sum = 0;
      for (let i = 0; i < values.length; i++) sum += values[i] === 0 ? 0 : values[i] / (values[i] + damping);
      return exact(sum);
    },
  };
}

function exact(value: number): EstimatedNumber {
  return { value, standardError: 0, matvecs: 0 };
}

type Basis = () => ReturnType<StructuredOperator["eigenbasis"]>;

function structuredPrecision(
  K: StructuredOperator,
  { factor, delta, basis }: PrecisionRequest & { readonly basis: Basis },
): PosteriorPrecision {
  const [size] = K.shape;
  const damping = delta.map((d) => d / factor);
  const plan = K.blocks.map((placed) => constantOn(placed, damping));
  const isRotated = plan.every((value) => value !== undefined);
  // P / a = K + diag(delta / a).
  const shifted = memoized(async () => shiftedOperator(K, { plan, damping }));
  const inverseDiagonal = async () => {
    const entries = await (await shifted()).inverse().diagonal();
    return Float64Array.from(entries, (x) => x / factor);
  };
  return {
    size,
    logdet: async () => exact(size * Math.log(factor) + (await (await shifted()).logdet())),
    async effectiveParameters() {
      const found = isRotated ? await basis() : undefined;
      if (found !== undefined) return exact(found.values.reduce((sum, x, i) => sum + x / (x + damping[i]), 0));
      const inverse = await inverseDiagonal();
      return exact(inverse.reduce((sum, x, i) => sum + 1 - delta[i] * x, 0));
    },
    inverseDiagonal,
    solve: async (X, options = {}) => scaledMatrix(await inChunks((await shifted()).inverse(), X, options), 1 / factor),
    async forms({ J, rotated }, { group, diagonal, ...options }) {
      const found = isRotated && rotated !== undefined ? await basis() : undefined;
      if (found === undefined || rotated === undefined) {
        const X = scaledMatrix(await inChunks((await shifted()).inverse(), J, options), 1 / factor);
        return groupProducts(J, X, { group, diagonal });
      }
      const weights = found.values.map((x, i) => 1 / (factor * x + delta[i]));
      return diagonal ? weightedSquares(rotated, weights) : weightedProducts(rotated, { weights, group });
    },
    async samples(count, { seed, first = 0, ...options }) {
      const root = (await shifted()).inverseRoot();
      return scaledMatrix(
        await inChunks(root, normalColumns({ size, count, seed, first }), options),
        1 / Math.sqrt(factor),
      );
    },
  };
}

/** The one value that a vector has on all entries of a block, if it has one. */
function constantOn(placed: PlacedBlock, values: Float64Array): number | undefined {
  const indices = indicesOf(placed);
  const first = values[indices[0]];
  return indices.every((index) => values[index] === first) ? first : undefined;
}

function shiftedOperator(
  K: StructuredOperator,
  { plan, damping }: { readonly plan: readonly (number | undefined)[]; readonly damping: Float64Array },
): StructuredOperator {
  if (plan.every((value) => value !== undefined)) return K.withDamping(plan as readonly number[]);
  const blocks = K.blocks.map((placed, index) => {
    if (plan[index] !== undefined) return placed;
    const { block, name } = placed;
    const added = Float64Array.from(indicesOf(placed), (at) => damping[at]);
    if (block.plusDiagonal !== undefined) return { ...placed, block: block.plusDiagonal(added) };
    throw new CurvatureError(
      "unsupported",
      `the ${block.kind} block of ${name} has no closed form with a prior precision that varies within it; give one number for each tensor, or take structure: "diagonal" or "full"`,
    );
  });
  const functions = plan.map((value) => ({ damping: { value: value ?? 0, kind: "exact" as const }, power: 1 }));
  return structuredOperator({ size: K.shape[0], blocks, functions, dtype: K.dtype });
}

/** Products with many columns, some at a time. */
async function inChunks(
  A: Pick<StructuredOperator, "shape"> & { matmat?: StructuredOperator["matmat"] },
  X: Matrix,
  options: { readonly signal?: AbortSignal | undefined },
): Promise<Matrix> {
  const { rows, columns } = X;
  const result = new Float64Array(rows * columns);
  for (let first = 0; first < columns; first += COLUMNS) {
    const count = Math.min(COLUMNS, columns - first);
    const part = { rows, columns: count, data: X.data.subarray(first * rows, (first + count) * rows) };
    result.set((await A.matmat!(part, options)).data, first * rows);
  }
  return { rows, columns, data: result };
}

function scaledMatrix({ rows, columns, data }: Matrix, by: number): Matrix {
  return { rows, columns, data: Float64Array.from(data, (x) => by * x) };
}

/** `sum_i w_i Z_ik^2` for each column k. */
function weightedSquares({ rows, columns, data }: Matrix, weights: Float64Array): Float64Array {
  const result = new Float64Array(columns);
  for (let k = 0; k < columns; k++) {
    let sum = 0;
    for (let i = 0; i < rows; i++) sum += weights[i] * data[k * rows + i] ** 2;
    result[k] = sum;
  }
  return result;
}

/** `Z_k' diag(w) Z_k` for groups of columns. */
function weightedProducts(
  rotated: Matrix,
  { weights, group }: { readonly weights: Float64Array; readonly group: number },
): Float64Array {
  const data = new Float64Array(rotated.data.length);
  for (let k = 0; k < data.length; k++) data[k] = rotated.data[k] * weights[k % rotated.rows];
  return groupProducts(rotated, { ...rotated, data }, { group });
}

/** Standard normal columns first, ..., first + count - 1: each depends on the seed and its number alone. */
export function normalColumns(request: {
  readonly size: number;
  readonly count: number;
  readonly seed: number;
  readonly first: number;
}): Matrix {
  const { size, count, seed, first } = request;
  const data = new Float64Array(size * count);
  for (let k = 0; k < count; k++) {
    const random = stream(seed, "posterior samples", first + k);
    for (let i = 0; i < size; i++) data[k * size + i] = random.normal();
  }
  return { rows: size, columns: count, data };
}
