import { checkObject } from "../errors/index.ts";
import type { RunOptions } from "../linalg/index.ts";
import type { Risk } from "../operators/index.ts";
import type { Tensor } from "../tensors/index.ts";

/**
 * Share of right answers. For class labels: loss terms (rows or tokens) whose largest output is the label, excluding ignored terms. For
 * binary losses: outputs that are positive where their target is 1, and not where it is 0. One forward pass. Undefined if targets are
 * neither class labels nor all 0 or 1, or all are ignored.
 */
export async function accuracy(risk: Risk, options: RunOptions = {}): Promise<number | undefined> {
  checkObject(risk, "accuracy expects a risk made by empiricalRisk", ["model", "parameters", "engine"]);
  const { targets } = risk.data;
  const { layout, lossFunction } = risk;
  const isBinary = lossFunction.binary === true;
  if (targets === undefined || (lossFunction.labels === undefined && !isBinary)) return undefined;
  const answers = isBinary ? signs : hits;
  let [right, counted, decided] = [0, 0, true];
  await risk.engine.run(
    {
      build: ({ f, y, loss }) => {
        const bounds = loss.labels?.(layout, { dims: y.shape, integer: y.type !== "float" });
        const known = isBinary || bounds !== undefined;
        decided &&= known;
        return { outputs: known ? { f, y } : { f } };
      },
    },
    {
      options,
      collect({ f, y }) {
        const found = y === undefined ? undefined : answers(f!, y);
        decided &&= found !== undefined;
        for (const hit of found ?? []) {
          if (hit === undefined) continue;
          counted++;
          if (hit) right++;
        }
      },
    },
  );
  const [hitsOfAll, terms, undecided] = await risk.engine.sumOverRanks(
    Float64Array.of(right, counted, Number(!decided)),
  );
  return undecided === 0 && terms! > 0 ? hitsOfAll! / terms! : undefined;
}

/** For each output, whether its sign is the one that its target wants; undefined if some target is neither 0 nor 1. */
function signs({ data }: Tensor, { data: targets }: Tensor): readonly boolean[] | undefined {
  const wanted = Array.from(targets, Number);
  if (wanted.some((target) => target !== 0 && target !== 1)) return undefined;
  return wanted.map((target, i) => Number(data[i]) > 0 === (target === 1));
}

/** For each term, whether its largest output is its label; undefined if the label is not a class, that is, ignored. */
function hits({ data, dims }: Tensor, { data: labels }: Tensor): readonly (boolean | undefined)[] {
  const outputs = dims[1]!;
  return Array.from({ length: dims[0]! }, (_, term) => {
    const label = Number(labels[term]);
    if (label < 0 || label >= outputs) return undefined;
    let best = 0;
    for (let c = 1; c < outputs; c++)
      if (Number(data[term * outputs + c]) > Number(data[term * outputs + best])) best = c;
    return best === label;
  });
}
