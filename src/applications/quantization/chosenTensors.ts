import { CurvatureError } from "../../errors/index.ts";
import { matches, type Pattern } from "../../models/index.ts";
import type { Risk, RiskParameter } from "../../operators/index.ts";
import { isRounded } from "../layerRounding.ts";

/** Names or patterns of tensors to quantize; undefined for weights and tables of two axes or more. */
export type ChosenTensors = Pattern | readonly Pattern[] | undefined;

/**
 * The tensors to quantize, in the order of the risk.
 *
 * @throws CurvatureError "argument" where none is left
 */
export function chosenTensors(name: string, risk: Risk, wanted: ChosenTensors): readonly RiskParameter[] {
  const patterns =
    wanted === undefined ? undefined : Array.isArray(wanted) ? (wanted as readonly Pattern[]) : [wanted as Pattern];
  const chosen = risk.parameters.filter((each) =>
    patterns === undefined ? isRounded(each) : each.size > 0 && matches(each.name, patterns),
  );
  if (chosen.length > 0) return chosen;
  const known = risk.parameters.map((parameter) => parameter.name).slice(0, 10);
  throw new CurvatureError(
    "argument",
    `${name} finds no tensor to quantize${patterns === undefined ? ": none has two axes or more" : ` that matches ${patterns.join(", ")}`}; the risk has ${known.join(", ")}`,
  );
}
