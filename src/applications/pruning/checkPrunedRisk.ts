import { checkObject } from "../../errors/index.ts";
import type { Risk } from "../../operators/index.ts";

/** Refuses what is not a risk. */
export function checkPrunedRisk(name: string, risk: Risk): void {
  checkObject(risk, `${name} expects a risk made by empiricalRisk`, ["model", "parameters", "engine"]);
}
