import { CurvatureError } from "../../errors/index.ts";
import type { Vector } from "../../tensors/index.ts";
import { entriesOf } from "./candidates.ts";
import type { CurvatureModel } from "./curvatureModel.ts";
import type { PrunePlan } from "./prunePlan.ts";
import { type ScoreRequest, unitScores, weightScores } from "./scores.ts";
import { type Elimination, sequentialElimination } from "./sequentialElimination.ts";
import { patternRemoval } from "./sparsityPattern.ts";

/** Weights to remove in a step. */
export interface Removal {
  readonly removed: Int32Array;
  /** Of sequential elimination, which has adapted the weights already. */
  readonly elimination?: Elimination;
}

/** What a choice goes by. */
export interface RemovalRequest extends ScoreRequest {
  /** `[size]`, 0 for weights that are gone. */
  readonly mask: Uint8Array;
  /** Share that is to be removed after the step. */
  readonly share: number;
}

/** Candidates that are compared with one another. */
interface Group {
  readonly members: Int32Array;
  /** Number to remove of those that are left. */
  readonly count: number;
}

/** The weights that a step removes: the least salient, those without curvature first; ties by position. */
export async function chooseRemoval(plan: PrunePlan, request: RemovalRequest): Promise<Removal> {
  if (plan.units !== undefined) return { removed: await chosenUnits(plan, request) };
  if (plan.pattern !== undefined) return { removed: await chosenByPattern(plan, request) };
  const groups = groupsOf(plan, request);
  if (plan.elimination === "sequential") return chosenSequentially(groups, request);
  const { values, free } = await weightScores(request);
  const isFree = new Set(free);
  const chosen = groups.flatMap(({ members, count }) => {
    const ranked = Array.from(members).sort(
      (a, b) =>
        Number(isFree.has(b)) - Number(isFree.has(a)) || rank(values[a]!, request) - rank(values[b]!, request) || a - b,
    );
    return ranked.slice(0, count);
  });
  return { removed: Int32Array.from(chosen) };
}

/** To first order the loss may rise or fall; weights of either effect matter (Molchanov et al., 2017). */
function rank(value: number, { method }: ScoreRequest): number {
  return method === "firstOrder" ? Math.abs(value) : value;
}

function groupsOf({ tensors, scope }: PrunePlan, { mask, share }: RemovalRequest): readonly Group[] {
  const lists = scope === "global" ? [entriesOf(tensors)] : tensors.map((tensor) => entriesOf([tensor]));
  return lists.map((all) => {
    const members = all.filter((index) => mask[index] !== 0);
    return { members, count: Math.max(0, Math.round(share * all.length) - (all.length - members.length)) };
  });
}

async function chosenSequentially(groups: readonly Group[], request: RemovalRequest): Promise<Removal> {
  const { name, theta, model, gradient } = request;
  const blocks = await blocksOf(model);
  if (blocks === undefined) {
    throw new CurvatureError(
      "argument",
      `${name} expects a matrix in dense blocks for elimination "sequential", got one by products; take woodFisher(risk), denseCurvature(matrix), a larger denseLimit, or elimination "set"`,
    );
  }
  const own = new Int32Array(theta.length).fill(-1);
  groups.forEach(({ members }, g) => {
    for (const index of members) own[index] = g;
  });
  const counts = groups.map(({ count }) => count);
  const elimination = sequentialElimination(blocks, {
    weights: await shiftedWeights({ theta, model: model!, gradient }),
    groups: own,
    counts,
    count: counts.reduce((sum, count) => sum + count, 0),
  });
  return { removed: elimination.removed, elimination };
}

async function blocksOf(model: CurvatureModel | undefined) {
  return model?.inverseBlocks === undefined ? undefined : model.inverseBlocks();
}

/** The weights less `u = C g`, to which the formulas without a gradient apply. */
async function shiftedWeights({
  theta,
  model,
  gradient,
}: {
  readonly theta: Vector;
  readonly model: CurvatureModel;
  readonly gradient: Vector | undefined;
}): Promise<Float64Array> {
  const u = gradient && (await model.solve(gradient));
  return Float64Array.from(theta, (w, i) => w - (u?.[i] ?? 0));
}

async function chosenByPattern({ pattern, method }: PrunePlan, request: RemovalRequest): Promise<Int32Array> {
  const { theta, model, gradient } = request;
  const { values } = await weightScores(request);
  const scores = values.map((value) => rank(value, request));
  const blocks = method === "obs" ? await blocksOf(model) : undefined;
  const { shape, groups } = pattern!;
  if (blocks === undefined) return patternRemoval({ pattern: shape, groups, scores });
  const weights = await shiftedWeights({ theta, model: model!, gradient });
  return patternRemoval({ pattern: shape, groups, scores, inverse: { weights, blocks } });
}

async function chosenUnits({ units, scope }: PrunePlan, request: RemovalRequest): Promise<Int32Array> {
  const { mask, share } = request;
  const isGone = units!.map(({ indices }) => indices.every((index) => mask[index] === 0));
  const left = units!.filter((_, k) => !isGone[k]);
  const scores = await unitScores(request, left);
  const lists = scope === "global" ? [undefined] : [...new Set(units!.map(({ tensor }) => tensor))];
  const chosen = lists.flatMap((tensor) => {
    const isMember = (own: string) => tensor === undefined || own === tensor;
    const all = units!.filter((unit) => isMember(unit.tensor)).length;
    const ranked = Array.from(left.keys())
      .filter((k) => isMember(left[k]!.tensor))
      .sort((a, b) => rank(scores[a]!, request) - rank(scores[b]!, request) || a - b);
    return ranked.slice(0, Math.max(0, Math.round(share * all) - (all - ranked.length))).map((k) => left[k]!);
  });
  const indices = new Set(chosen.flatMap((unit) => Array.from(unit.indices)));
  return Int32Array.from([...indices].filter((index) => mask[index] !== 0));
}
