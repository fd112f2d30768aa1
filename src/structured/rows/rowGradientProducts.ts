import { CurvatureError } from "../../errors/index.ts";
import type { RunOptions } from "../../linalg/operator/operator.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import type { Risk } from "../../operators/engine/risk.ts";
import { checkRisk } from "../../operators/products/checkRisk.ts";
import { type Matrix, zeros } from "../../tensors/index.ts";
import { type LayerPlan, layerPlan } from "../plan/layerPlan.ts";
import { type FeatureProducts, featureProducts } from "./featureProducts.ts";
import { type RowFeatures, rowFeatures } from "./rowFeatures.ts";
import { checkRowsApart } from "./rowGradientNorms.ts";
import { type RouteCosts, type RowPart, type RowRoutes, routesOf, rowParts } from "./rowParts.ts";

/** Options of inner products of gradients of rows. */
export interface RowProductOptions extends RunOptions {
  /** A risk with the same parameters, whose rows are the columns; default: the same rows. It may have another loss, other weights, or rows of other lengths. */
  readonly other?: Risk | undefined;
}

/** Inner products of gradients of single rows. */
export interface RowGradientProducts {
  /** g_n . h_m, [rows, rows of the other]. */
  readonly products: Matrix;
  /** How they were computed, one line for each parameter. */
  readonly coverage: readonly RowRoutes[];
}

/** Most bytes of features that are held at once. */
const HELD_BYTES = 2 ** 28;

/** Most pairs of positions of the rows that are multiplied at once, along each side. */
const POSITIONS_AT_ONCE = 2 ** 11;

/**
 * Inner products g_n . h_m of the gradients of single rows, as `rowGradients` has them, of one risk with another or with itself: the kernel of influence
 * functions and of the empirical neural tangent kernel of the loss. A layer's part is `(a_n . a_m)(b_n . b_m)` with its inputs a and its cotangents b, or
 * `sum_st (a_s . a_t)(b_s . b_t)` where rows share the weight at several positions, so that no gradient of a row is formed (Goodfellow, 2015). Where that
 * takes more operations than forming it, the gradients of a batch of rows are formed; `coverage` says where.
 *
 * Costs one forward and one reverse pass over both data sets, the first again for each 256 MB of features of the second, and for each pair of rows about
 * as many multiplications as the layers have inputs and outputs, or weights where gradients are formed.
 *
 * With a communicator, the products of this rank's rows.
 *
 * @throws CurvatureError "argument" for another risk whose parameters or layers differ, "unsupported" for a risk with `coupledRows`
 */
export async function rowGradientProducts(risk: Risk, options: RowProductOptions = {}): Promise<RowGradientProducts> {
  const name = "rowGradientProducts";
  checkRisk(risk, name);
  checkOptions(name, options, "other signal onProgress");
  const { other = risk, ...run } = options;
  if (other !== risk) checkRisk(other, name);
  for (const each of [risk, other]) checkRowsApart(each, name);
  const plans = [await layerPlan(risk), await layerPlan(other)] as const;
  checkAlike(risk, other, plans);
  const parts = rowParts(risk, plans[0], pairCosts(plans));
  // The same routes, with the positions of the other's rows.
  const ofOther = rowParts(other, plans[1], () => ({ positions: 0, gradient: 0 })).map((part, i) => ({
    ...part,
    route: parts[i].route,
  }));
  const sides = [
    { risk, parts },
    { risk: other, parts: ofOther },
  ] as const;
  const { dtype, settings } = risk;
  const threads = typeof settings.threads === "number" ? settings.threads : undefined;
  const programs = featureProducts({ precision: dtype, threads });
  try {
    const products = await allProducts(sides, { programs, options: run });
    return { products, coverage: routesOf(risk, parts) };
  } finally {
    await programs.release();
  }
}

function checkAlike(risk: Risk, other: Risk, [plan, ofOther]: readonly [LayerPlan, LayerPlan]): void {
  if (risk === other) return;
  const names = (of: Risk) => JSON.stringify([of.dtype, of.parameters.map(({ name, dims }) => [name, dims])]);
  const forms = (of: LayerPlan) =>
    JSON.stringify(
      of.parameters.map((own) => [own.form, own.form === "matrices" ? own.matrices.map(({ entries }) => entries) : ""]),
    );
  if (names(risk) === names(other) && forms(plan) === forms(ofOther)) return;
  throw new CurvatureError(
    "argument",
    "rowGradientProducts: the other risk must have the same model, parameters and dtype; make it by risk.on(data), risk.at(theta), or with another loss of the same model",
  );
}

/** A pair of rows: by positions, or one inner product of gradients that were formed once for all pairs. */
function pairCosts([plan, ofOther]: readonly [LayerPlan, LayerPlan]): RouteCosts {
  const positionsOf = new Map(
    matricesOf(plan).map((matrix, i) => [matrix, matrix.positions * matricesOf(ofOther)[i].positions]),
  );
  return (matrix) => {
    const [inputs, outputs] = matrix.sizes;
    const pairs = positionsOf.get(matrix)!;
    return {
      positions: pairs === 1 ? 0 : pairs * ((matrix.isTable ? 1 : inputs) + outputs),
      gradient: inputs * outputs,
    };
  };
}

const matricesOf = ({ parameters }: LayerPlan) =>
  parameters.flatMap((own) => (own.form === "matrices" ? own.matrices : []));

interface Side {
  readonly risk: Risk;
  readonly parts: readonly RowPart[];
}

async function allProducts(
  [side, other]: readonly [Side, Side],
  { programs, options }: { readonly programs: FeatureProducts; readonly options: RunOptions },
): Promise<Matrix> {
  const rows = Math.min(rowsAtOnce(side), rowsAtOnce(other));
  const [N, M] = [side.risk.rows, other.risk.rows];
  const data = zeros(N * M, side.risk.dtype);
  const factor = side.risk.shard.rows * other.risk.shard.rows;
  for await (const held of heldFeatures(rowFeatures(other.risk, { parts: other.parts, rows, options }))) {
    for await (const own of rowFeatures(side.risk, { parts: side.parts, rows, options })) {
      for (const columns of held) {
        const part = await programs.run(own, columns);
        for (let n = 0; n < own.rows; n++) {
          for (let m = 0; m < columns.rows; m++) {
            data[(columns.start + m) * N + own.start + n] = factor * part[n * columns.rows + m];
          }
        }
      }
    }
  }
  return { rows: N, columns: M, data };
}

function rowsAtOnce({ risk, parts }: Side): number {
  const positions = parts.reduce(
    (most, { route, matrix }) => (route === "inputs and cotangents" ? Math.max(most, matrix!.positions) : most),
    1,
  );
  const byPositions = positions === 1 ? Number.POSITIVE_INFINITY : Math.floor(POSITIONS_AT_ONCE / positions);
  const formed = parts.reduce((sum, { parameter, route, matrix }) => {
    if (route !== "gradients" && route !== "single rows") return sum;
    const [inputs, outputs] = matrix?.sizes ?? [1, risk.parameters[parameter].size];
    return sum + (matrix?.groups ?? 1) * inputs * outputs;
  }, 0);
  const byMemory = Math.floor(HELD_BYTES / 8 / Math.max(formed, 1));
  return Math.max(1, Math.min(risk.data.batchSize, byPositions, byMemory));
}

/** Features in lists of as many as fit into memory. */
async function* heldFeatures(features: AsyncIterable<RowFeatures>): AsyncGenerator<readonly RowFeatures[], void, void> {
  let [held, bytes] = [[] as RowFeatures[], 0];
  for await (const own of features) {
    held.push(own);
    bytes += Object.values(own.arrays).reduce((sum, { data }) => sum + 8 * data.length, 0);
    if (bytes < HELD_BYTES) continue;
    yield held;
    [held, bytes] = [[], 0];
  }
  if (held.length > 0) yield held;
}
