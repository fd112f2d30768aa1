import { checkObject } from "../../errors/index.ts";
import type { Risk } from "../engine/risk.ts";

/**
 * Checks that what was given as a risk is one.
 *
 * @param caller the function that it was given to
 * @throws CurvatureError "argument"
 */
export function checkRisk(risk: Risk, caller: string): void {
  checkObject(risk, `${caller} expects a risk made by empiricalRisk`, ["model", "parameters", "engine"]);
}
