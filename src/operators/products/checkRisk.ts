import { checkObject } from "../../errors/index.ts";
import type { Risk } from "../engine/risk.ts";

/**
 * Checks that an argument is a risk.
 *
 * @param caller name of the function that received it, for the message
 * @throws CurvatureError "argument"
 */
export function checkRisk(risk: Risk, caller: string): void {
  checkObject(risk, `${caller} expects a risk made by empiricalRisk`, ["model", "parameters", "engine"]);
}
