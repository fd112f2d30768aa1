import { CurvatureError } from "../errors/index.ts";
import { type Build, mergedApproximation, type StructuredApproximation } from "./approximation.ts";
import { mergedBlock } from "./mergedBlock.ts";

/**
 * The structured matrix of the rows of two, which were made by the same method with the same options of the same model, loss and weights on different
 * rows: that of all rows at once. For streams of rows, merge what there is with a matrix of the next rows. Sums add up; means are weighted by their
 * denominators, and shards of one data set (`risk.on(data, { shard })`) add up as they are.
 *
 * - Kronecker factors: input factors as means over the inputs of both, output factors as sums; two-sided ones as sums of both sides.
 * - Dense and diagonal blocks: sums.
 * - EKFAC: in the same basis, sums. In two, the diagonal of the sum of both matrices in the eigenvectors of its partial traces, which keeps the trace; a
 *   build on all rows chooses another basis from their factors.
 *
 * Takes no pass over data. That the rows differ is only checked for shards. Dispose of both and of the result.
 *
 * @throws CurvatureError "argument" for matrices that were not made alike, or have rows in common
 */
export async function mergeStructured(
  K: StructuredApproximation,
  other: StructuredApproximation,
): Promise<StructuredApproximation> {
  const [a, b] = [buildOf(K), buildOf(other)];
  await checkAlike(a, b);
  const isShard = a.rows < a.wholeRows && b.rows < b.wholeRows && a.wholeRows === b.wholeRows;
  if (isShard) checkApart(a, b);
  const adds = isShard || a.reduction === "sum";
  const denominator = adds ? a.denominator : a.denominator + b.denominator;
  const weights = adds ? ([1, 1] as const) : ([a.denominator / denominator, b.denominator / denominator] as const);
  const blocks = [];
  for (const [index, own] of K.blocks.entries()) {
    blocks.push(await mergedBlock(own, other.blocks[index], { weights, inputsAlone: a.inputsAlone }));
  }
  const build: Build = {
    ...a,
    denominator,
    rows: a.rows + b.rows,
    wholeRows: isShard ? a.wholeRows : a.rows + b.rows,
    firstRow: Math.min(a.firstRow, b.firstRow),
  };
  return mergedApproximation(K, { blocks, build });
}

function buildOf({ build }: StructuredApproximation): Build {
  if (build !== undefined) return build;
  throw new CurvatureError(
    "argument",
    "mergeStructured expects matrices that kfac, ekfac, diagonal or blockDiagonal made, undamped; got one whose sums over rows are not known; make it of all rows",
  );
}

async function checkAlike(a: Build, b: Build): Promise<void> {
  const refuse = (what: string, first: string, second: string) => {
    throw new CurvatureError(
      "argument",
      `mergeStructured expects matrices of the same ${what}, got ${first} and ${second}; make both alike`,
    );
  };
  if (a.method !== b.method) refuse("method", a.method, b.method);
  if (a.options !== b.options) refuse("options", a.options, b.options);
  const [own, others] = [await a.identity(), await b.identity()];
  for (const part of ["parameters", "objective", "weights"]) {
    if (own[part] !== others[part]) refuse(part, own[part], others[part]);
  }
}

function checkApart(a: Build, b: Build): void {
  if (a.firstRow + a.rows <= b.firstRow || b.firstRow + b.rows <= a.firstRow) return;
  throw new CurvatureError(
    "argument",
    `mergeStructured expects different rows, got rows ${a.firstRow} to ${a.firstRow + a.rows - 1} and ${b.firstRow} to ${b.firstRow + b.rows - 1} of one data set`,
  );
}
