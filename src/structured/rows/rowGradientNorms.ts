import { CurvatureError } from "../../errors/index.ts";
import type { RunOptions } from "../../linalg/operator/operator.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import type { BatchProduct, Risk } from "../../operators/engine/risk.ts";
import { rowGradientBlocks } from "../../operators/index.ts";
import { checkRisk } from "../../operators/products/checkRisk.ts";
import { add, reduceSum, reshape, square, zeros } from "../../primitives/index.ts";
import type { Vector } from "../../tensors/index.ts";
import { layerPlan } from "../plan/layerPlan.ts";
import { squaredRowNorms } from "../sums/pieceSums.ts";
import { type RouteCosts, type RowPart, type RowRoutes, routesOf, rowParts } from "./rowParts.ts";
import { rowPieces } from "./rowPieces.ts";

/** Norms of the gradients of single rows. */
export interface RowGradientNorms {
  /** |g_n| of each row, [rows]. */
  readonly norms: Float64Array;
  /** The squared norm of each row's gradient in each parameter, [rows], in the order of `Risk.parameters`. */
  readonly squares: readonly { readonly parameter: string; readonly values: Float64Array }[];
  /** How they were computed, one line for each parameter. */
  readonly coverage: readonly RowRoutes[];
}

/**
 * Euclidean norms |g_n| of the gradients of single rows, as `rowGradients` has them: of row n's share of the risk times N, the rows of the whole data set.
 * A layer's part of `|g_n|^2` is `|a_n|^2 |b_n|^2` with its inputs a and its cotangents b, or `sum_st (a_s . a_t)(b_s . b_t)` where a row shares the weight at
 * several positions (Goodfellow, 2015; Li, Tramer, Liang and Hashimoto, 2022), so that no gradient of a row is formed. Where there are so many positions
 * that forming it takes fewer operations, and for parameters that are no matrix of a layer, it is formed for some rows at a time; `coverage` says where.
 * Costs one forward and one reverse pass without gradients of weights: about two thirds of a gradient.
 *
 * With a communicator, the norms of this rank's rows.
 *
 * @throws CurvatureError "unsupported" for a risk with `coupledRows`
 */
export async function rowGradientNorms(risk: Risk, options: RunOptions = {}): Promise<RowGradientNorms> {
  checkRisk(risk, "rowGradientNorms");
  checkOptions("rowGradientNorms", options, "signal onProgress");
  checkRowsApart(risk, "rowGradientNorms");
  const plan = await layerPlan(risk);
  const parts = rowParts(risk, plan, normCosts);
  const squares = risk.parameters.map(({ name }) => ({ parameter: name, values: new Float64Array(risk.rows) }));
  await risk.engine.run(normsProduct(risk, parts), {
    options,
    collect(outputs, { start }) {
      for (const [name, { data }] of Object.entries(outputs)) {
        const { values } = squares[Number(name)];
        (data as Vector).forEach((x, row) => {
          values[start + row] = x * risk.shard.rows ** 2;
        });
      }
    },
  });
  await addSingleRows(risk, { parts, squares, options });
  const norms = new Float64Array(risk.rows);
  for (const { values } of squares) values.forEach((x, row) => void (norms[row] += x));
  return { norms: norms.map(Math.sqrt), squares, coverage: routesOf(risk, parts) };
}

/** @throws CurvatureError "unsupported" */
export function checkRowsApart({ coupledRows }: Risk, name: string): void {
  if (!coupledRows) return;
  throw new CurvatureError(
    "unsupported",
    `${name} is about rows that contribute to the loss independently, but with coupledRows each row's share depends on the other rows; use a model in inference mode`,
  );
}

/** The norm of one row's piece. For a table, whose piece has as many rows as it has entries, always by positions. */
const normCosts: RouteCosts = ({ positions, sizes: [inputs, outputs], isTable }) => {
  if (positions === 1 || isTable) return { positions: 0, gradient: 1 };
  return { positions: positions * (inputs + outputs), gradient: inputs * outputs };
};

/** Products of a family of risks by the parts that they are made of. */
const products = new WeakMap<object, Map<string, BatchProduct>>();

function normsProduct({ engine }: Risk, parts: readonly RowPart[]): BatchProduct {
  const own = products.get(engine.family) ?? new Map<string, BatchProduct>();
  products.set(engine.family, own);
  const key = JSON.stringify(parts.map(({ parameter, route, matrix }) => [parameter, route, matrix?.entries]));
  const known = own.get(key) ?? { build: (batch) => ({ outputs: squaredNorms(rowPieces(batch), parts) }) };
  own.set(key, known);
  return known;
}

function squaredNorms(pieces: ReturnType<typeof rowPieces>, parts: readonly RowPart[]) {
  const { rows } = pieces.layered;
  const outputs: { [parameter: string]: ReturnType<typeof zeros> } = {};
  for (const part of parts) {
    if (part.route === "zero" || part.route === "single rows") continue;
    const own = squaredNorm(pieces, part) ?? zeros([rows]);
    const sum = outputs[part.parameter];
    outputs[part.parameter] = sum === undefined ? own : add(sum, own);
  }
  return outputs;
}

function squaredNorm(pieces: ReturnType<typeof rowPieces>, { parameter, route, matrix }: RowPart) {
  if (matrix !== undefined) {
    const own = pieces.matrix(parameter, matrix.entries);
    return own && squaredRowNorms(own, { isFormed: route === "gradients" });
  }
  const P = pieces.parameter(parameter);
  return P && reshape(reduceSum(square(P), [0, 2]), [P.shape[1]]);
}

/** Parameters that enter outside of layers, row by row. */
async function addSingleRows(
  risk: Risk,
  {
    parts,
    squares,
    options,
  }: {
    readonly parts: readonly RowPart[];
    readonly squares: RowGradientNorms["squares"];
    readonly options: RunOptions;
  },
): Promise<void> {
  const outside = parts.filter(({ route }) => route === "single rows");
  if (outside.length === 0) return;
  for await (const { start, gradients } of rowGradientBlocks(risk, { columns: 1, ...options })) {
    for (const { parameter } of outside) {
      const { offset, size } = risk.parameters[parameter];
      for (let i = offset; i < offset + size; i++) squares[parameter].values[start] += gradients.data[i] ** 2;
    }
  }
}
