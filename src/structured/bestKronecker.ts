import { CurvatureError } from "../errors/index.ts";
import { type DenseMatrix, eigh } from "../linalg/dense/index.ts";
import { checkOptions } from "../linalg/operator/options.ts";
import type { Risk, Tensors } from "../operators/engine/risk.ts";
import { checkRisk } from "../operators/products/checkRisk.ts";
import { zeros } from "../primitives/index.ts";
import { approximation, type StructuredApproximation } from "./approximation.ts";
import {
  type DiagonalKroneckerBlock,
  diagonalKronecker,
  type KroneckerBlock,
  kronecker,
  type PlacedBlock,
} from "./blocks/index.ts";
import { type BlocksOfRecipe, builtBlocks } from "./builtBlocks.ts";
import { type KroneckerOptions, kroneckerChoices } from "./kroneckerOptions.ts";
import type { BlockRecipe, KroneckerPieces } from "./recipes/blockRecipe.ts";
import { recipeTotals } from "./recipes/recipeTotals.ts";
import type { ApproximatedMatrix } from "./roots/rootOf.ts";
import { groupMatrix, scaledNumbers } from "./sums/numbers.ts";

/** Options of the best Kronecker products. */
export interface BestKroneckerOptions extends Omit<KroneckerOptions, "sharing" | "of"> {
  /** The matrix that is approximated; default "ggn". */
  readonly of?: ApproximatedMatrix | undefined;
  /** Passes over the data at most; default 20. */
  readonly passes?: number | undefined;
  /** Relative change of the norms of all products at which the iteration ends; default 1e-6. */
  readonly tolerance?: number | undefined;
}

/** The best Kronecker products, and how the iteration ended. */
export interface BestKronecker extends StructuredApproximation {
  readonly status: "converged" | "budget";
  /** Passes over the data. */
  readonly passes: number;
  /** Relative change of the norms in the last pass. */
  readonly change: number;
}

/**
 * The single Kronecker product `A (x) B` nearest to the exact block of each weight in Frobenius norm (KFOC; Schnaus, Lee and Triebel, 2021): the
 * leading singular pair of the rearranged block (Van Loan and Pitsianis, 1993), by power iteration on the pieces, `A <- sum_k P_k B P_k'` and `B <-
 * sum_k P_k' A P_k` in turn. Both stay positive semidefinite. Its error is `|G|^2 - |A|^2 |B|^2` for a block G. Other parameters have the
 * blocks of `kfac`.
 *
 * Each half step is a pass over the data.
 *
 * @throws as `kfac`; "argument" for a budget below 2 passes
 */
export async function bestKronecker(risk: Risk, options: BestKroneckerOptions = {}): Promise<BestKronecker> {
  checkRisk(risk, "bestKronecker");
  checkOptions("bestKronecker", options, "of bias terms seed denseLimit passes tolerance signal onProgress");
  const { passes: budget = 20, tolerance = 1e-6, ...rest } = options;
  if (!(Number.isInteger(budget) && budget >= 2)) {
    throw new CurvatureError(
      "argument",
      `bestKronecker: passes must be an integer of at least 2, got ${String(budget)}`,
    );
  }
  const { settings, choice } = kroneckerChoices("bestKronecker", { ...rest, sharing: "twoSided" });
  const { plan, built, passes: reverse } = await builtBlocks(risk, settings, choice);
  let pairs = built.flatMap(firstPairs);
  let [used, change] = [1, pairs.length === 0 ? 0 : Number.POSITIVE_INFINITY];
  for (let side: Side = "right"; used < budget && change > tolerance; side = side === "right" ? "left" : "right") {
    const arrays: Tensors = Object.assign({}, ...(await Promise.all(pairs.map((pair) => rootsFor(pair, side)))));
    const key = JSON.stringify(["bestKronecker", side, choice.key]);
    const recipes = pairs.map(({ recipe }) => halfStep(recipe, side));
    const { totals } = await recipeTotals(risk, recipes, { ...choice, plan, key, arrays });
    const next = pairs.map((pair) => stepped(pair, { totals, side, scale: risk.scale }));
    change = pairs.reduce((most, pair, i) => Math.max(most, relativeChange(pair, next[i])), 0);
    pairs = next;
    used++;
  }
  const found = new Map(pairs.map((pair) => [pair.recipe as BlockRecipe, placedPairs(pair)]));
  const blocks = built.flatMap(({ recipe, blocks: own }) => found.get(recipe) ?? own);
  const status = change <= tolerance ? "converged" : "budget";
  return { ...approximation(risk, { blocks, passes: reverse }), status, passes: used, change };
}

type Side = "left" | "right";

/** A factor: a symmetric matrix, or the diagonal of a table's left one. */
type Factor = DenseMatrix | Float64Array;

/** The factors of the groups of a weight. The one made last has the norm of the product, the other the norm 1. */
interface Pairs {
  readonly recipe: BlockRecipe & { readonly kronecker: KroneckerPieces };
  readonly blocks: readonly PlacedBlock[];
  readonly left: readonly Factor[];
  readonly right: readonly DenseMatrix[];
}

/** The first half step, from B = I, is the left factor of the two-sided blocks. */
function firstPairs({ recipe, blocks }: BlocksOfRecipe): readonly Pairs[] {
  if (recipe.kronecker === undefined) return [];
  const factors = blocks.map(({ block }) => block as KroneckerBlock | DiagonalKroneckerBlock);
  return [
    {
      recipe: recipe as Pairs["recipe"],
      blocks,
      left: factors.map(({ A }) => A),
      right: factors.map(({ B: { rows, columns } }) => ({ rows, columns, data: new Float64Array(rows * columns) })),
    },
  ];
}

/** Roots of the factors on the other side than the one that is made next, scaled to the norm 1. */
async function rootsFor({ recipe: { id }, left, right }: Pairs, side: Side): Promise<Tensors> {
  const factors = side === "right" ? left : right;
  const roots: Float64Array[] = [];
  for (const factor of factors) roots.push(await rootOf(normalized(factor)));
  const [first] = factors;
  const name = `${side === "right" ? "left" : "right"} root ${id}`;
  if (first instanceof Float64Array) return { [name]: { data: roots[0], dims: [first.length] } };
  const data = new Float64Array(factors.length * first.rows ** 2);
  roots.forEach((root, group) => {
    data.set(root, group * root.length);
  });
  return { [name]: { data, dims: [factors.length, first.rows, first.rows] } };
}

/** R with R R' = A, row-major; the root of a diagonal. */
async function rootOf(A: Factor): Promise<Float64Array> {
  if (A instanceof Float64Array) return A.map(Math.sqrt);
  const { values, vectors } = await eigh(A);
  const d = A.rows;
  const root = new Float64Array(d * d);
  for (let k = 0; k < d; k++) {
    const scale = Math.sqrt(Math.max(values[k], 0));
    for (let i = 0; i < d; i++) root[i * d + k] = vectors.data[k * d + i] * scale;
  }
  return root;
}

function normOf(factor: Factor): number {
  const data = factor instanceof Float64Array ? factor : factor.data;
  return Math.sqrt(data.reduce((sum, x) => sum + x * x, 0));
}

function normalized(factor: Factor): Factor {
  const norm = normOf(factor) || 1;
  if (factor instanceof Float64Array) return factor.map((x) => x / norm);
  return { ...factor, data: factor.data.map((x) => x / norm) };
}

/** `sum_k P_k' A P_k` (right) or `sum_k P_k B P_k'` (left). */
function halfStep({ id, kronecker }: Pairs["recipe"], side: Side): Pick<BlockRecipe, "sums"> {
  const { groups, sizes, isTable } = kronecker;
  const [inputs, outputs] = sizes;
  return {
    sums(pieces, arrays) {
      const rotation = side === "right" ? { left: arrays![`left root ${id}`] } : { right: arrays![`right root ${id}`] };
      const sums = kronecker.outer(pieces, { rotation });
      if (side === "right") return { [id]: sums?.right ?? zeros([groups, outputs, outputs]) };
      return { [id]: sums?.left ?? zeros(isTable ? [inputs] : [groups, inputs, inputs]) };
    },
  };
}

function stepped(
  pair: Pairs,
  { totals, side, scale }: { readonly totals: Tensors; readonly side: Side; readonly scale: number },
): Pairs {
  const total = totals[pair.recipe.id];
  if (side === "left" && total.dims.length === 1) {
    return { ...pair, left: [scaledNumbers(total, scale)], right: pair.right.map(normalizedMatrix) };
  }
  const made = pair.blocks.map((_, group) => groupMatrix(total, group, scale));
  return side === "left"
    ? { ...pair, left: made, right: pair.right.map(normalizedMatrix) }
    : { ...pair, left: pair.left.map(normalized), right: made };
}

function normalizedMatrix(matrix: DenseMatrix): DenseMatrix {
  return normalized(matrix) as DenseMatrix;
}

/** The largest relative change of the norm of a product. */
function relativeChange(before: Pairs, after: Pairs): number {
  const norms = ({ left, right }: Pairs) => left.map((A, group) => normOf(A) * normOf(right[group]));
  const old = norms(before);
  return norms(after).reduce((most, norm, group) => {
    if (norm === 0) return most;
    return Math.max(most, Math.abs(norm - old[group]) / norm);
  }, 0);
}

function placedPairs({ blocks, left, right }: Pairs): readonly PlacedBlock[] {
  return blocks.map((placed, group) => {
    const [A, B] = [left[group], right[group]];
    const block = A instanceof Float64Array ? diagonalKronecker({ A, B }) : kronecker({ A, B });
    return { ...placed, block, reason: "best single Kronecker product" };
  });
}
