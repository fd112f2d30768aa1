import { CurvatureError } from "../../errors/index.ts";
import { type LinearOperator, type RunOptions, submatrix, toDense } from "../../linalg/index.ts";
import { empiricalFisher, fisher, ggn, type Risk } from "../../operators/index.ts";
import { headDiagonal, headKfac, isLargeHead } from "../../structured/headCurvature.ts";
import {
  type ApproximatedMatrix,
  blockDiagonal,
  denseBlock,
  diagonal,
  diagonalBlock,
  ekfac,
  indicesOf,
  kfac,
  lowRankPlusDiagonal,
  lowRankPlusDiagonalBlock,
  type PlacedBlock,
  type StructuredOperator,
  structuredOperator,
} from "../../structured/index.ts";
import { rootOf } from "../../structured/roots/rootOf.ts";
import { rowJacobians } from "../../structured/rowJacobians.ts";

/** Forms of the posterior precision that are made by name. */
export type StructureName =
  | "full"
  | "kfac"
  | "ekfac"
  | "diagonal"
  | "blockDiagonal"
  | "lowRank"
  | "functionSpace"
  | "matrixFree";

/** The form of the posterior precision: a name, a matrix of the *mean* loss in the chosen weights, or a function that makes one of a risk in these weights. */
export type Structure = StructureName | LinearOperator | ((risk: Risk) => LinearOperator | Promise<LinearOperator>);

/** What a curvature is made of. */
export interface CurvatureRequest extends RunOptions {
  readonly structure: Structure;
  readonly of: ApproximatedMatrix;
  readonly indices: Int32Array | undefined;
  /** Eigenpairs of "lowRank". */
  readonly rank: number;
  readonly seed: number | undefined;
}

/** Names of the structures. */
export const structureNames: readonly StructureName[] = [
  "full",
  "kfac",
  "ekfac",
  "diagonal",
  "blockDiagonal",
  "lowRank",
  "functionSpace",
  "matrixFree",
];

/** Most weights of a dense matrix: 8 bytes each of its entries, three times. */
const MOST_DENSE = 8192;
/** Most bytes of a factor in function space. */
const FACTOR_BYTES = 2 ** 31;

/**
 * The curvature matrix of the mean loss in some weights: a structured matrix, or for "matrixFree" and operators without blocks, the operator.
 *
 * @throws CurvatureError "argument" for another structure or sizes that do not fit; whatever the structure throws
 */
export async function laplaceCurvature(
  name: string,
  risk: Risk,
  request: CurvatureRequest,
): Promise<{ readonly matrix: LinearOperator; readonly owned: boolean }> {
  const { structure } = request;
  if (typeof structure === "string") {
    return { matrix: await named(name, risk, { ...request, named: structure }), owned: true };
  }
  const given = typeof structure === "function" ? await structure(risk) : structure;
  const [rows, columns] = given?.shape ?? [];
  const size = request.indices?.length ?? risk.size;
  if (rows === size && columns === size) return { matrix: given, owned: false };
  if (request.indices !== undefined && rows === risk.size && columns === risk.size) {
    return { matrix: await partOf(name, given, request.indices), owned: true };
  }
  throw new CurvatureError(
    "shape",
    `${name} expects a matrix of the ${size} weights of the posterior, got ${rows === undefined ? String(given) : `${rows} x ${columns}`}; make it of the risk that a function as structure is given`,
  );
}

async function named(
  name: string,
  risk: Risk,
  request: Omit<CurvatureRequest, "structure"> & { readonly named: StructureName },
): Promise<LinearOperator> {
  const { named: structure, of, indices, seed, rank, signal, onProgress } = request;
  const run = { ...(signal && { signal }), ...(onProgress && { onProgress }) };
  const seeded = { of, ...run, ...(seed !== undefined && { seed }) };
  const make: { readonly [name in StructureName]: () => Promise<LinearOperator> } = {
    full: () => full(name, exactMatrix(risk, of), { indices, dtype: risk.dtype, run }),
    kfac: async () => ((await isLargeHead(risk, of)) ? headKfac(risk, run) : kfac(risk, seeded)),
    ekfac: () => ekfac(risk, seeded),
    diagonal: async () => ((await isLargeHead(risk, of)) ? headDiagonal(risk, run) : diagonal(risk, seeded)),
    blockDiagonal: () => blockDiagonal(risk, seeded),
    lowRank: async () => {
      const own = await diagonal(risk, seeded);
      try {
        return await lowRankPlusDiagonal(exactMatrix(risk, of), {
          rank: Math.min(rank, risk.size - 1),
          diagonal: await own.diagonal(),
          seed: seed ?? 0,
          ...run,
        });
      } finally {
        await own.dispose();
      }
    },
    functionSpace: () => functionSpace(name, risk, { of, indices, run }),
    matrixFree: async () => {
      const exact = exactMatrix(risk, of);
      return indices === undefined ? exact : submatrix(exact, indices);
    },
  };
  if (!Object.hasOwn(make, structure)) {
    throw new CurvatureError(
      "argument",
      `${name} expects structure to be ${structureNames.map((each) => `"${each}"`).join(", ")}, a matrix, or a function of the risk, got ${JSON.stringify(structure)}`,
    );
  }
  const made = await make[structure]();
  return indices === undefined || made.shape[0] === indices.length ? made : partOf(name, made, indices);
}

/** The matrix by its products. */
export function exactMatrix(risk: Risk, of: ApproximatedMatrix): LinearOperator {
  if (of === "ggn") return ggn(risk);
  return of === "empiricalFisher" ? empiricalFisher(risk) : fisher(risk, of);
}

async function full(
  name: string,
  A: LinearOperator,
  {
    indices,
    dtype,
    run,
  }: { readonly indices: Int32Array | undefined; readonly dtype: "float32" | "float64"; readonly run: RunOptions },
): Promise<StructuredOperator> {
  const part = indices === undefined ? A : submatrix(A, indices);
  const [size] = part.shape;
  if (size > MOST_DENSE) {
    throw new CurvatureError(
      "argument",
      `${name}: a full matrix of ${size} weights takes ${((8 * size * size) / 1e9).toFixed(1)} GB and ${(9 * size ** 3).toExponential(1)} operations; it is taken up to ${MOST_DENSE}. Take "kfac", "lastLayer", a subnetwork, or "matrixFree"`,
    );
  }
  const { data } = await toDense(part, run);
  const symmetric = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) symmetric[i * size + j] = (data[i * size + j] + data[j * size + i]) / 2;
  }
  return wholeBlock(denseBlock({ rows: size, columns: size, data: symmetric }), { dtype, reason: "full matrix" });
}

function wholeBlock(
  block: PlacedBlock["block"],
  { dtype, reason }: { readonly dtype: "float32" | "float64"; readonly reason: string },
): StructuredOperator {
  const placed: PlacedBlock = { block, name: "all weights", parameters: [], place: { offset: 0 }, reason };
  return structuredOperator({ size: block.size, dtype, blocks: [placed] });
}

/**
 * The matrix `K = U U'` by its factor U [size, N V], the Jacobians of all rows times the root of the output matrix: with the prior, a Gaussian process with the
 * kernel `J diag(delta)^-1 J'` (Khan et al., 2019). Inverse, determinant and samples follow from systems of N V numbers (Woodbury).
 */
async function functionSpace(
  name: string,
  risk: Risk,
  {
    of,
    indices,
    run,
  }: { readonly of: ApproximatedMatrix; readonly indices: Int32Array | undefined; readonly run: RunOptions },
): Promise<StructuredOperator> {
  const root = rootOf(risk, of);
  const size = indices?.length ?? risk.size;
  const columns = risk.rows * risk.layout.positions * root.columns(await risk.engine.graph());
  if (8 * size * columns > FACTOR_BYTES || columns > MOST_DENSE) {
    throw new CurvatureError(
      "argument",
      `${name}: function space takes a factor of ${size} weights times ${columns} columns, ${((8 * size * columns) / 1e9).toFixed(1)} GB, and an eigendecomposition of ${columns}; it is taken up to ${FACTOR_BYTES / 1e9} GB and ${MOST_DENSE}. Take fewer rows or weights, or one sampled label with of: { type: 1, labels: 1, seed }`,
    );
  }
  const U = new Float64Array(size * columns);
  for await (const { start, J } of rowJacobians(risk, risk.data, { indices, root, ...run })) {
    U.set(J.data, (start * size * columns) / risk.rows);
  }
  const block = lowRankPlusDiagonalBlock({
    vectors: { rows: size, columns, data: U },
    values: new Float64Array(columns).fill(risk.scale),
    diagonal: new Float64Array(size),
  });
  return wholeBlock(block, { dtype: risk.dtype, reason: `function space of ${columns} outputs` });
}

/** The part of a matrix that belongs to some weights: diagonals of diagonals, else a dense matrix of products. */
async function partOf(name: string, A: LinearOperator, indices: Int32Array): Promise<StructuredOperator> {
  const { blocks, dtype } = A as Partial<StructuredOperator> & LinearOperator;
  if (blocks?.every(({ block }) => block.kind === "diagonal")) {
    const entries = new Float64Array(A.shape[0]);
    for (const placed of blocks) {
      const own = placed.block.arrays.entries.data as Float64Array;
      indicesOf(placed).forEach((at, k) => {
        entries[at] = own[k];
      });
    }
    return wholeBlock(diagonalBlock(Float64Array.from(indices, (at) => entries[at])), { dtype, reason: "diagonal" });
  }
  return full(name, A, { indices, dtype, run: {} });
}
