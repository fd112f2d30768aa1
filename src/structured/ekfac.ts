import type { DenseMatrix } from "../linalg/dense/index.ts";
import { checkOptions } from "../linalg/operator/options.ts";
import type { Risk, Tensors } from "../operators/engine/risk.ts";
import { checkRisk } from "../operators/products/checkRisk.ts";
import { zeros } from "../primitives/index.ts";
import type { Tensor } from "../tensors/index.ts";
import { approximation, type StructuredApproximation } from "./approximation.ts";
import { eigenKronecker, type PlacedBlock } from "./blocks/index.ts";
import { type BlocksOfRecipe, builtBlocks } from "./builtBlocks.ts";
import {
  clusters,
  type FactorBasis,
  KERNEL,
  type KroneckerBasis,
  kroneckerBasis,
  LARGEST_SETTLED_TABLE,
  settled,
} from "./eigenBasis.ts";
import { type KroneckerOptions, kroneckerChoices, kroneckerOptionNames, optionsText } from "./kroneckerOptions.ts";
import type { LayerPlan } from "./plan/layerPlan.ts";
import type { BlockRecipe, KroneckerPieces } from "./recipes/blockRecipe.ts";
import { outerSums } from "./recipes/outerSums.ts";
import { type MatrixChoice, recipeTotals } from "./recipes/recipeTotals.ts";
import { groupMatrix, scaledNumbers } from "./sums/numbers.ts";

/** The Kronecker blocks of one recipe with the eigenvectors of their factors, one basis a group. */
interface Based {
  readonly recipe: BlockRecipe & { readonly kronecker: KroneckerPieces };
  readonly blocks: readonly PlacedBlock[];
  readonly bases: readonly KroneckerBasis[];
}

interface Pass {
  readonly plan: LayerPlan;
  readonly choice: MatrixChoice & { readonly key: string };
}

/**
 * Eigenvalue-corrected Kronecker factorization (George et al., 2018): the eigenvectors of the factors that `kfac` makes, and the diagonal of the
 * exact block in their basis,
 *
 *     (Q_A (x) Q_B) diag(E) (Q_A (x) Q_B)',   E = c sum_k (Q_A' P_k Q_B)^2,   P_k = sum over positions of a' g_k.
 *
 * Its trace is that of the exact block, and no other diagonal in this basis is nearer to the block in Frobenius norm: `|G - K|^2 = |G|^2 - |E|^2`.
 * Where a factor has equal eigenvalues, the second moments of the pieces P_k choose the basis among their eigenvectors, so that the result does
 * not depend on the eigensolver. Parameters that are no matrix of a layer have the blocks of `kfac`.
 *
 * Costs two passes over the data, a third where eigenvalues are equal, and 9 (in^3 + out^3) operations a layer. Dispose of the result when done.
 *
 * @throws as `kfac`
 */
export async function ekfac(risk: Risk, options: KroneckerOptions = {}): Promise<StructuredApproximation> {
  checkRisk(risk, "ekfac");
  checkOptions("ekfac", options, kroneckerOptionNames);
  const { settings, choice } = kroneckerChoices("ekfac", options);
  const { plan, built, passes } = await builtBlocks(risk, settings, choice);
  const based = await basesOf(built);
  const chosen = await settledBases(risk, based, { plan, choice });
  const corrected = await correctedBlocks(risk, chosen, { plan, choice });
  const blocks = built.flatMap(({ recipe, blocks: own }) => corrected.get(recipe) ?? own);
  return approximation(risk, { blocks, passes, made: { method: "ekfac", options: optionsText(choice) } });
}

async function basesOf(built: readonly BlocksOfRecipe[]): Promise<readonly Based[]> {
  const found: Based[] = [];
  for (const { recipe, blocks } of built) {
    if (recipe.kronecker === undefined) continue;
    const bases: KroneckerBasis[] = [];
    for (const block of blocks) bases.push((await kroneckerBasis(block))!);
    found.push({ recipe: recipe as Based["recipe"], blocks, bases });
  }
  return found;
}

/** The bases where equal eigenvalues leave none open: those that are, are settled by the second moments of the pieces, in one further pass. */
async function settledBases(risk: Risk, based: readonly Based[], { plan, choice }: Pass): Promise<readonly Based[]> {
  const open = based.filter(({ recipe, bases }) => bases.some((basis) => isOpen(basis, kernelOf(recipe, risk))));
  if (open.length === 0) return based;
  const key = JSON.stringify(["moments", choice.key, open.map(({ recipe }) => recipe.id)]);
  const { totals } = await recipeTotals(
    risk,
    open.map(({ recipe }) => momentsOf(recipe)),
    { ...choice, plan, key },
  );
  const result: Based[] = [];
  for (const own of based)
    result.push(open.includes(own) ? await settledBasis(own, { totals, kernel: kernelOf(own.recipe, risk) }) : own);
  return result;
}

/** The share of the largest eigenvalue up to which eigenvectors do not matter, since all pieces vanish on them; undefined where they need not. */
function kernelOf({ kronecker }: Based["recipe"], { dtype }: Risk): number | undefined {
  return kronecker.spansPieces ? KERNEL[dtype] : undefined;
}

function isOpen({ left, right }: KroneckerBasis, kernel: number | undefined): boolean {
  const count = (basis: FactorBasis | undefined) => (basis === undefined ? 0 : clusters(basis, { kernel }).length);
  return count(left) + count(right) > 0;
}

function momentsOf({ id, kronecker }: Based["recipe"]): Pick<BlockRecipe, "sums"> {
  const wholeTable = kronecker.isTable && kronecker.sizes[0] <= LARGEST_SETTLED_TABLE;
  return { sums: (pieces) => outerSums(pieces, { id, kronecker, wholeTable }) };
}

async function settledBasis(
  based: Based,
  { totals, kernel }: { readonly totals: Tensors; readonly kernel: number | undefined },
): Promise<Based> {
  const { id } = based.recipe;
  const bases: KroneckerBasis[] = [];
  for (const [group, { left, right }] of based.bases.entries()) {
    const moment = (side: "left" | "right") => groupMatrix(totals[`${side} ${id}`], group, 1);
    bases.push({
      left: left && (await settled(left, { moment: moment("left"), kernel })),
      right: await settled(right, { moment: moment("right"), kernel }),
    });
  }
  return { ...based, bases };
}

/** The second pass over the data: the diagonal of the exact block in the eigenbasis, E = c sum_k (Q_A' P_k Q_B)^2. */
async function correctedBlocks(
  risk: Risk,
  based: readonly Based[],
  { plan, choice }: Pass,
): Promise<ReadonlyMap<BlockRecipe, readonly PlacedBlock[]>> {
  if (based.length === 0) return new Map();
  const arrays = Object.assign({}, ...based.map(rotationArrays)) as Tensors;
  const key = JSON.stringify(["correction", choice.key]);
  const recipes = based.map(({ recipe }) => correctionOf(recipe));
  const { totals } = await recipeTotals(risk, recipes, { ...choice, plan, key, arrays });
  return new Map(
    based.map(({ recipe, blocks, bases }) => {
      const [rows, columns] = recipe.kronecker.sizes;
      const E = scaledNumbers(totals[recipe.id], risk.scale);
      const corrected = blocks.map((placed, group): PlacedBlock => {
        const { left, right } = bases[group];
        const own = E.slice(group * rows * columns, (group + 1) * rows * columns);
        const block = eigenKronecker({ QA: left?.vectors, QB: right.vectors, E: own });
        return { ...placed, block, reason: `eigenvalue-corrected ${placed.reason}` };
      });
      return [recipe, corrected] as const;
    }),
  );
}

function correctionOf({ id, kronecker }: Based["recipe"]): Pick<BlockRecipe, "sums"> {
  const { groups, sizes } = kronecker;
  return {
    sums(pieces, arrays) {
      const squares = kronecker.squares(pieces, { left: arrays?.[`left ${id}`], right: arrays![`right ${id}`] });
      return { [id]: squares ?? zeros([groups, ...sizes]) };
    },
  };
}

/** The eigenvectors of all groups as [groups, d, d], row-major. */
function rotationArrays({ recipe: { id }, bases }: Based): Tensors {
  const stacked = (matrices: readonly DenseMatrix[]): Tensor => {
    const d = matrices[0].rows;
    const data = new Float64Array(matrices.length * d * d);
    matrices.forEach(({ data: own }, group) => {
      for (let column = 0; column < d; column++) {
        for (let row = 0; row < d; row++) data[group * d * d + row * d + column] = own[column * d + row];
      }
    });
    return { data, dims: [matrices.length, d, d] };
  };
  const left = bases.flatMap((basis) => basis.left?.vectors ?? []);
  return {
    ...(left.length > 0 && { [`left ${id}`]: stacked(left) }),
    [`right ${id}`]: stacked(bases.map(({ right }) => right.vectors)),
  };
}
