import { constant, input, type Value } from "../../graph/index.ts";
import type { RunOptions } from "../../linalg/operator/operator.ts";
import type {
  BatchConstants,
  BatchGraph,
  BatchProduct,
  BuiltProduct,
  EvaluatedBatch,
  Risk,
  Tensors,
} from "../../operators/engine/risk.ts";
import { identityColumns, selected } from "../passes/selectors.ts";
import type { TermPasses } from "../passes/termPasses.ts";
import type { OutputRoot } from "../roots/outputRoot.ts";
import { type BatchPieces, batchPieces } from "./batchPieces.ts";

/** Most bytes of the cotangents of all layers in the passes that run at once. */
const PASS_BYTES = 2 ** 28;

/**
 * Most bytes of what the layers return for labels to be drawn in the middle of a pass: handing more from one program to the next takes longer
 * than another forward pass (measured: 4 MiB of a perceptron half as long, 16 MiB of a transformer a quarter longer).
 */
const DRAWN_BYTES = 2 ** 23;

/** Sums over the pieces of all rows. */
export interface PieceSums {
  /** A batch's share of each sum, by name. `constants` are the values of `arrays`. */
  build(pieces: BatchPieces, constants: { readonly [name: string]: Value }): { readonly [name: string]: Value };
  /** Arrays that the sums read, the same in every batch. */
  readonly arrays?: Tensors;
}

/** What is summed, and how. */
export interface PieceTotalsRequest {
  readonly root: OutputRoot;
  readonly passes: TermPasses;
  /** Numbers that the layers of a batch return. */
  readonly outputEntries: number;
  readonly sums: PieceSums;
  /** Consecutive passes that must run at once; default 1. */
  readonly together?: number | undefined;
  /** Names the sums among those of the model: equal keys must mean equal `build`, so that compiled programs can be used again. */
  readonly key: string;
  readonly options: RunOptions;
}

/** The sums over all rows and passes, in float64, without the factor c. One pass over the data, or several where not all reverse passes fit at once. */
export async function pieceTotals(risk: Risk, request: PieceTotalsRequest): Promise<Tensors> {
  const { root, passes, options } = request;
  const { count } = passes;
  const atOnce = passesAtOnce(risk, request);
  const bytes = passBytes(risk, request);
  const isDrawn = root.draw !== undefined && atOnce >= count && bytes <= DRAWN_BYTES;
  const product = productFor(risk, { ...request, atOnce, isDrawn });
  if (!isDrawn) await root.constants?.numbers.prepare(options);
  const constants = constantsOf(request, isDrawn);
  if (isDrawn) return risk.engine.total(product, { constants, draw: root.draw, options });
  if (atOnce >= count) return risk.engine.total(product, { constants, options });
  const totals = new Map<string, { readonly data: Float64Array; readonly dims: readonly number[] }>();
  for (let first = 0; first < count; first += atOnce) {
    const selection = passes.selection(first, atOnce);
    const part = await risk.engine.total(product, { constants, feed: () => ({ ...selection }), options });
    for (const [name, { data, dims }] of Object.entries(part)) {
      const sum = totals.get(name);
      if (sum === undefined) totals.set(name, { data: Float64Array.from(data as Float64Array), dims });
      // Sums over inputs do not depend on the pass.
      else if (!name.startsWith(INPUT_SUM)) for (let i = 0; i < sum.data.length; i++) sum.data[i] += Number(data[i]);
    }
  }
  return Object.fromEntries(totals);
}

/** Beginning of the names of sums that do not depend on the reverse passes. */
export const INPUT_SUM = "inputs ";

/** Bytes of the cotangents of all layers in one pass, as many as the layers return. */
function passBytes({ dtype }: Risk, { outputEntries }: PieceTotalsRequest): number {
  return outputEntries * (dtype === "float64" ? 8 : 4);
}

/** Passes in one run: as many as fit, in whole groups of those that belong together. */
function passesAtOnce(risk: Risk, request: PieceTotalsRequest): number {
  const { passes, together = 1 } = request;
  const groups = Math.floor(PASS_BYTES / Math.max(passBytes(risk, request), 1) / together);
  return Math.max(1, Math.min(passes.count, Math.max(1, groups) * together));
}

function constantsOf({ root, passes, sums }: PieceTotalsRequest, isDrawn: boolean): BatchConstants {
  return {
    of: (batch: EvaluatedBatch) => ({
      ...(isDrawn ? {} : root.constants?.numbers.of(batch)),
      ...(passes.signs && { signs: passes.signs(batch) }),
      ...sums.arrays,
    }),
  };
}

/** Products of a family of risks by key, so that programs are compiled once for all views of a risk. */
const products = new WeakMap<object, Map<string, BatchProduct>>();

/** A request with what follows from it: the passes at once, and whether labels are drawn in the middle of the pass. */
interface DecidedRequest extends PieceTotalsRequest {
  readonly atOnce: number;
  readonly isDrawn: boolean;
}

function productFor(risk: Risk, request: DecidedRequest): BatchProduct {
  const { passes, atOnce, isDrawn, key, sums } = request;
  const { family } = risk.engine;
  const own = products.get(family) ?? new Map<string, BatchProduct>();
  products.set(family, own);
  const arrays = Object.entries(sums.arrays ?? {}).map(([name, { dims }]) => [name, dims]);
  const whole = JSON.stringify([key, passes.treatment, passes.count, atOnce, isDrawn, arrays]);
  const known = own.get(whole) ?? made(request);
  own.set(whole, known);
  return known;
}

function made({ root, passes, sums, atOnce, isDrawn }: DecidedRequest): BatchProduct {
  return {
    build(batch): BuiltProduct {
      const { vectors, constants, u } = choices({ batch, passes, atOnce });
      const arrays = Object.fromEntries(
        Object.entries(sums.arrays ?? {}).map(([name, { dims }]) => [name, input(name, dims)]),
      );
      const ofRoot = root.constants?.of(batch) ?? {};
      const pieces = batchPieces({ batch, root, constants: ofRoot, passes: u });
      return {
        ...(vectors && { vectors }),
        ...(isDrawn && { vectors: ofRoot, sources: { f: batch.f } }),
        constants: { ...(isDrawn ? {} : ofRoot), ...constants, ...arrays },
        outputs: sums.build(pieces, arrays),
      };
    },
  };
}

/** u of the passes that run at once, and the further inputs it needs. */
function choices({
  batch,
  passes,
  atOnce,
}: {
  readonly batch: BatchGraph;
  readonly passes: TermPasses;
  readonly atOnce: number;
}): { readonly u: Value; readonly vectors?: { [name: string]: Value }; readonly constants: { [name: string]: Value } } {
  const { columns, positions, treatment, count } = passes;
  const terms = batch.f.shape[0];
  if (treatment === "one term a row" && atOnce >= count) return { u: identityColumns(terms, columns), constants: {} };
  const constants: { [name: string]: Value } = {};
  if (passes.signs !== undefined) constants.signs = input("signs", [terms]);
  const signs = constants.signs as Value | undefined;
  if (atOnce >= count) {
    const all = passes.selection(0, count);
    const chosen = { columns: constant(all.columns), positions: constant(all.positions), signs };
    return { u: selected(chosen, batch.rows), constants };
  }
  const vectors = { columns: input("columns", [atOnce, columns]), positions: input("positions", [atOnce, positions]) };
  return { u: selected({ ...vectors, signs }, batch.rows), vectors, constants };
}
