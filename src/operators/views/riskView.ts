import { unwrittenVector } from "#runtime";
import type { Data } from "../../data/index.ts";
import { CurvatureError } from "../../errors/index.ts";
import { isFiniteVector } from "../../linalg/vectors/vector.ts";
import { type Precision, sizeOf, type Tensor, type Vector, zeros } from "../../tensors/index.ts";
import { explainingEngine } from "../checks/explainingEngine.ts";
import { checkRowCoupling } from "../checks/rowCoupling.ts";
import { distributedEngine } from "../engine/distributedEngine.ts";
import { checkLength } from "../engine/flatVectors.ts";
import type { Risk, RiskParameter, RiskSettings, Shard } from "../engine/risk.ts";
import type { OwnedEngine, ViewSettings } from "../engine/riskEngine.ts";
import type { RiskFamily } from "../engine/riskFamily.ts";
import { gradientProduct, lossProduct } from "../products/lossAndGradient.ts";
import { type AttachedData, attachData } from "./attachData.ts";
import { attachRanks, type RankData } from "./attachRanks.ts";

/** The properties of one risk of a family. */
export interface ViewOptions extends RankData {
  /** [size]; not to be changed afterwards. */
  readonly theta: Vector;
  /** Whether the risk that this one was made from has been disposed of. */
  readonly isReleased: () => boolean;
}

/** Creates a risk of a family: the objective on some rows at some parameters. */
export function riskView(family: RiskFamily, view: ViewOptions): Risk {
  const { model, loss, dtype, parameters, coupledRows } = family;
  const { bound, layout, shard, theta } = view;
  const size = theta.length;
  const scale = 1 / shard.denominator;
  const settings = { bound, theta, scale, isReleased: view.isReleased };
  const raw = family.ranks === undefined ? family.engine.view(settings) : engineOfRanks(family, { ...view, settings });
  const engine = explainingEngine(raw, { ...settings, family, isReleased: raw.isReleased });
  const from = (changed: Partial<ViewOptions>) =>
    riskView(family, { ...view, isReleased: engine.isReleased, ...changed });
  const dispose = () => engine.release();
  return {
    model,
    lossFunction: loss,
    data: bound.data,
    outputs: family.outputs,
    dtype,
    settings: settingsOf(family, view),
    parameters,
    size,
    rows: bound.data.rows,
    summedRows: family.ranks === undefined ? bound.data.rows : shard.rows,
    scale,
    shard,
    layout,
    coupledRows,
    notices: noticesOf(family),
    engine,
    async loss(options = {}) {
      const { loss: sum } = await raw.total(lossProduct, { options });
      return scale * Number(sum.data[0]);
    },
    gradient: (options = {}) => engine.sum(gradientProduct, { options }),
    theta: () => theta.slice(),
    split(vector) {
      checkLength(vector, size);
      return Object.fromEntries(
        parameters.map(({ name, dims, offset, size: own }) => [
          name,
          { data: vector.subarray(offset, offset + own), dims },
        ]),
      );
    },
    join: (tensors) => joinTensors(tensors, { parameters, size, dtype }),
    at: (weights) => from({ theta: checkedCopy(weights, { parameters, size, dtype }) }),
    async on(data, options = {}) {
      const attached = await attach(family, data, options.shard);
      await engine.settle("check of row coupling", () => checkRowCoupling(family, attached.bound));
      return from(attached);
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

/**
 * Fits rows to the objective of a family, on all of its ranks.
 *
 * @throws CurvatureError as `attachData` and `attachRanks`; "argument" for a shard that does not hold these rows
 */
export async function attach(family: RiskFamily, data: Data, shard: Shard | undefined): Promise<RankData> {
  const { ranks } = family;
  if (ranks !== undefined) return attachRanks({ ...family, ranks }, data);
  const attached = await attachData(family, data);
  const { bound } = attached;
  const whole = { shards: 1, batchSize: bound.data.batchSize };
  return { bound, layout: attached.layout, shard: shardOf(attached, shard), shards: [bound], whole };
}

/** The engine of a rank: one view of all its rows, and one for each part whose sum is kept apart. */
function engineOfRanks(
  family: RiskFamily,
  { bound, shards, settings }: RankData & { readonly settings: ViewSettings },
): OwnedEngine {
  const { engine, ranks, dtype: precision } = family;
  const whole = engine.view(settings);
  let [firstRow, firstBatch] = [0, 0];
  const views = shards.map((shard) => {
    const view = { engine: engine.view({ ...settings, bound: shard }), firstRow, firstBatch };
    firstRow += shard.data.rows;
    firstBatch += Math.ceil(shard.data.rows / shard.data.batchSize);
    return view;
  });
  const kept = ranks!.reduction === "ordered" ? views : [{ engine: whole, firstRow: 0, firstBatch: 0 }];
  return distributedEngine(whole, kept, { ...ranks!, size: settings.theta.length, precision, rows: bound.data.rows });
}

/** For the reduction "tree" and a split basis, bits depend on the number of ranks, and for "ordered" on that of shards instead. */
function settingsOf({ dtype, cache, threads, ranks }: RiskFamily, { whole }: RankData): RiskSettings {
  const own = { dtype, batchSize: whole.batchSize, cache, threads };
  if (ranks === undefined) return own;
  const { communicator, reduction, splitBasis } = ranks;
  if (reduction === "ordered") return { ...own, reduction, shards: whole.shards };
  return { ...own, reduction, ranks: communicator.size, ...(splitBasis && { basis: "split" }) };
}

/**
 * The given shard, or the rows as the whole data set.
 *
 * @throws CurvatureError "argument" for numbers out of range, "data" for rows without a shard whose terms are all ignored
 */
function shardOf({ bound, denominator, indivisible }: AttachedData, given: Shard | undefined): Shard {
  const own = bound.data.rows;
  if (given === undefined) {
    if (denominator > 0) return { denominator, rows: own, firstRow: 0 };
    throw new CurvatureError(
      "data",
      `${bound.data.description}: the terms of the loss have a total weight of ${denominator}, so their mean is not defined; check ignored labels and weights`,
    );
  }
  if (!(given.denominator > 0 && Number.isFinite(given.denominator))) {
    throw new CurvatureError(
      "argument",
      `shard.denominator must be positive and finite, got ${given.denominator}; it is that of the loss for the whole data set`,
    );
  }
  const { rows, firstRow } = given;
  if (indivisible && rows !== own) {
    throw new CurvatureError(
      "argument",
      `shard: with coupledRows the loss is a function of all rows together, so these ${own} rows cannot be a part of ${rows}; leave shard out`,
    );
  }
  const fits = Number.isInteger(rows) && Number.isInteger(firstRow) && firstRow >= 0 && firstRow + own <= rows;
  if (!fits) {
    throw new CurvatureError(
      "argument",
      `shard: ${own} rows from row ${firstRow} on do not lie within the ${rows} rows of the whole data set`,
    );
  }
  return given;
}

interface Places {
  readonly parameters: readonly RiskParameter[];
  readonly size: number;
  readonly dtype: Precision;
}

function checkedCopy(weights: Vector, { parameters, size, dtype }: Places): Vector {
  checkLength(weights, size);
  const copy = unwrittenVector(size, dtype);
  copy.set(weights);
  if (isFiniteVector(copy)) return copy;
  const index = copy.findIndex((entry) => !Number.isFinite(entry));
  const parameter = parameters.find(({ offset, size: own }) => index < offset + own)!;
  throw new CurvatureError(
    "argument",
    `theta: entry ${index - parameter.offset} of "${parameter.name}" is ${weights[index]}, which is not a finite number in ${dtype}`,
  );
}

function noticesOf({ model, loss, outputs, coupledRows }: RiskFamily): string[] {
  const cuts = model.outputs.flatMap(({ name, activation, written }) => {
    if (!outputs.includes(name) || activation === undefined || loss.absorbs.length === 0) return [];
    if (loss.absorbs.includes(activation))
      return [
        `Output "${name}" is taken before its final ${activation}, ${written === true ? "which the file has written out in several operators and" : "which"} the loss ${loss.name} contains itself.`,
      ];
    return [
      `Output "${name}" ends in ${activation}, which the loss ${loss.name} does not contain: it takes the results for logits. Choose a loss that fits, or an output before it.`,
    ];
  });
  const rows =
    model.fixedRows === undefined
      ? []
      : [
          `The file computes ${model.fixedRows} row${model.fixedRows === 1 ? "" : "s"} at once; larger batches are computed as copies of it with the same weights.`,
        ];
  const coupled = coupledRows
    ? [
        `Rows may influence one another, as asked for: ${model.fixedRows === undefined ? "all rows are computed as one batch" : `rows are computed in consecutive groups of ${model.fixedRows}, as the file does`}, and results belong to ${model.fixedRows === undefined ? "these rows" : "these groups"} as a whole.`,
      ]
    : [];
  return [...model.notices, ...cuts, ...rows, ...coupled];
}

function joinTensors(tensors: { readonly [name: string]: Tensor }, { parameters, size, dtype }: Places): Vector {
  const vector = zeros(size, dtype);
  for (const [name, { data, dims }] of Object.entries(tensors)) {
    const parameter = parameters.find((each) => each.name === name);
    if (parameter === undefined) {
      throw new CurvatureError(
        "argument",
        `no parameter is called "${name}"; the risk has ${parameters
          .map((each) => each.name)
          .slice(0, 10)
          .join(", ")}`,
      );
    }
    if (data.length !== parameter.size || sizeOf(dims) !== parameter.size) {
      throw new CurvatureError("shape", `parameter "${name}" has ${parameter.size} entries, got ${data.length}`);
    }
    vector.set(data as Vector, parameter.offset);
  }
  return vector;
}
