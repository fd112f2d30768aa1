import { checkObject } from "../errors/index.ts";
import type { RunOptions } from "../linalg/index.ts";
import type { Risk } from "../operators/index.ts";
import type { Tensor } from "../tensors/index.ts";

/**
 * Share of loss terms (rows or tokens) whose largest output is the label, excluding ignored terms. One forward pass. Undefined if targets
 * are not class labels, or all are ignored.
 */
export async function accuracy(risk: Risk, options: RunOptions = {}): Promise<number | undefined> {
  checkObject(risk, "accuracy expects a risk made by empiricalRisk", ["model", "parameters", "engine"]);
  const { targets } = risk.data;
  const { layout, lossFunction } = risk;
  if (targets === undefined || lossFunction.labels === undefined) return undefined;
  let [right, counted, classes] = [0, 0, true];
  await risk.engine.run(
    {
      build: ({ f, y, loss }) => {
        const bounds = loss.labels?.(layout, { dims: y.shape, integer: y.type !== "float" });
        classes &&= bounds !== undefined;
        return { outputs: bounds === undefined ? { f } : { f, y } };
      },
    },
    {
      options,
      collect({ f, y }) {
        if (y === undefined) return;
        for (const hit of hits(f!, y)) {
          if (hit === undefined) continue;
          counted++;
          if (hit) right++;
        }
      },
    },
  );
  const [hitsOfAll, terms, withoutClasses] = await risk.engine.sumOverRanks(
    Float64Array.of(right, counted, Number(!classes)),
  );
  return withoutClasses === 0 && terms! > 0 ? hitsOfAll! / terms! : undefined;
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
