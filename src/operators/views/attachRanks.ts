import type { Data } from "../../data/index.ts";
import {
  type Communicator,
  errorOnAllRanks,
  exchangeText,
  exclusively,
  orderedSum,
  settled,
} from "../../distributed/index.ts";
import { CurvatureError } from "../../errors/index.ts";
import type { Loss, TermLayout } from "../../losses/index.ts";
import type { BatchShape } from "../engine/batchGraph.ts";
import type { Shard } from "../engine/risk.ts";
import type { BoundData } from "../engine/riskData.ts";
import { batchShape } from "../engine/riskEngine.ts";
import type { Ranks } from "../engine/riskFamily.ts";
import { type AttachSettings, attachData, type FittedData, fitData } from "./attachData.ts";

/** The rows of this rank fitted to an objective, and their place among those of all ranks. */
export interface RankData {
  readonly bound: BoundData;
  readonly layout: TermLayout;
  readonly shard: Shard;
  /** The rows in parts whose sums are kept apart, in order. */
  readonly shards: readonly BoundData[];
  /** Number of such parts on all ranks, and the rows of the largest batch. */
  readonly whole: { readonly shards: number; readonly batchSize: number };
}

/**
 * Fits this rank's rows to an objective, checks them, and agrees with the other ranks on the whole: rows, denominators, first rows and the layout
 * of terms. A rank may have no rows.
 *
 * @throws CurvatureError on all ranks: as `attachData` where rows of one rank do not fit, "data" if no rank has rows or all terms are ignored, "argument"
 *   for rows that cannot be on several ranks, or for the reduction "ordered" without shards
 */
export function attachRanks(settings: AttachSettings & { readonly ranks: Ranks }, data: Data): Promise<RankData> {
  const { communicator } = settings.ranks;
  return exclusively(communicator, async () => {
    const own = await settled(communicator, "set-up of the rows", () => attachOwn(settings, data));
    return placedOn(settings, { data, own });
  });
}

/** This rank's rows, and its shards with their denominators. */
interface OwnRows {
  /** Undefined for a rank without rows. */
  readonly fitted: FittedData | undefined;
  readonly shards: readonly BoundData[];
  readonly denominators: readonly number[];
}

async function attachOwn(settings: AttachSettings & { readonly ranks: Ranks }, data: Data): Promise<OwnRows> {
  if (settings.ranks.reduction === "tree") {
    if (data.rows === 0) return { fitted: undefined, shards: [], denominators: [] };
    const attached = await attachData(settings, data);
    return { fitted: attached, shards: [attached.bound], denominators: [attached.denominator] };
  }
  if (data.shards === undefined) {
    throw new CurvatureError(
      "argument",
      'the reduction "ordered" adds the sums of a fixed number of shards: pass data of shardOf(data, communicator, { shards })',
    );
  }
  const shards = [];
  for (const shard of data.shards) shards.push(await attachData(settings, shard));
  return {
    fitted: data.rows === 0 ? undefined : await fitData(settings, data),
    shards: shards.map(({ bound }) => bound),
    denominators: shards.map(({ denominator }) => denominator),
  };
}

/** Numbers by which ranks tell one another of their rows. */
const FACTS = 7;

async function placedOn(
  { loss, ranks }: { readonly loss: Loss; readonly ranks: Ranks },
  { data, own }: { readonly data: Data; readonly own: OwnRows },
): Promise<RankData> {
  const { communicator } = ranks;
  const { fitted, shards } = own;
  const { positions = 0, outputs = 0, axis = 0 } = fitted?.layout ?? {};
  const batchSize = shards.reduce((most, shard) => Math.max(most, shard.data.batchSize), 0);
  const indivisible = Number(fitted?.indivisible ?? false);
  const facts = Float64Array.of(data.rows, positions, outputs, axis, indivisible, shards.length, batchSize);
  const all = await communicator.allGather(facts, new Float64Array(FACTS * communicator.size));
  const by = Array.from({ length: communicator.size }, (_, rank) => all.subarray(rank * FACTS, (rank + 1) * FACTS));
  const filled = by.filter(([rows]) => rows > 0);
  const first = filled[0];
  if (first === undefined)
    throw errorOnAllRanks("data", `${data.description}: no rank has rows; a loss needs at least one`);
  checkTogether(filled);
  const rowsUpTo = (rank: number) => by.slice(0, rank).reduce((sum, [rows]) => sum + rows, 0);
  const denominator = await wholeDenominator(communicator, { loss, own });
  if (!(denominator > 0)) {
    throw errorOnAllRanks(
      "data",
      `${data.description}: on all ranks, the terms of the loss have a total weight of ${denominator}, so their mean is not defined; check ignored labels and weights`,
    );
  }
  const example = await exampleShape(communicator, { by, bound: fitted?.bound });
  return {
    bound: fitted?.bound ?? withoutRows(data, example),
    layout: { positions: first[1], outputs: first[2], axis: first[3] },
    shard: { denominator, rows: rowsUpTo(communicator.size), firstRow: rowsUpTo(communicator.rank) },
    shards,
    whole: {
      shards: by.reduce((sum, each) => sum + each[5], 0),
      batchSize: by.reduce((most, each) => Math.max(most, each[6]), 0),
    },
  };
}

function checkTogether(filled: readonly Float64Array[]): void {
  const layouts = new Set(filled.map((facts) => facts.subarray(1, 4).join()));
  if (layouts.size > 1) {
    throw errorOnAllRanks(
      "shape",
      `the ranks have outputs of other sizes: positions, outputs and axis ${[...layouts].join(" and ")}; rows of one data set have one shape`,
    );
  }
  if (filled.length > 1 && filled.some((facts) => facts[4] === 1)) {
    throw errorOnAllRanks(
      "argument",
      `with coupledRows the loss is a function of all rows together, so they cannot be on ${filled.length} ranks; give them to one rank`,
    );
  }
}

/** Denominator of the loss for the rows of all ranks, with the same bits on each. */
async function wholeDenominator(
  communicator: Communicator,
  { loss, own }: { readonly loss: Loss; readonly own: OwnRows },
): Promise<number> {
  const parts = own.denominators.map((denominator) => Float64Array.of(denominator));
  const [sum] = await orderedSum(communicator, parts, { length: 1 });
  return loss.reduction === "sum" ? 1 : sum;
}

/** The shape of the first batch of the first rank with rows, where some rank has none and so no batch to plan with. */
async function exampleShape(
  communicator: Communicator,
  { by, bound }: { readonly by: readonly Float64Array[]; readonly bound: BoundData | undefined },
): Promise<BatchShape | undefined> {
  if (by.every(([rows]) => rows! > 0)) return undefined;
  const root = by.findIndex(([rows]) => rows! > 0);
  const own = communicator.rank === root ? JSON.stringify(await batchShape(bound!)) : "";
  return JSON.parse(await exchangeText(communicator, own, { root })) as BatchShape;
}

/** The data of a rank without rows, of which no batch will be asked for. */
function withoutRows(data: Data, example: BatchShape | undefined): BoundData {
  return {
    data,
    ...(example && { example }),
    integerTargets: false,
    bind() {
      throw new CurvatureError("data", `${data.description}: no rows`);
    },
  };
}
