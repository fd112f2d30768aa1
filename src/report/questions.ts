import type { DefinitionName } from "./definitions.ts";
import type { FindingTopic } from "./finding.ts";

/** The question of each finding, and the definition that its answer rests on. */
export const QUESTIONS: Readonly<Record<FindingTopic, readonly [question: string, definition: DefinitionName]>> = {
  data: ["Are these the right data?", "loss"],
  flatness: ["Sharp or flat?", "relative"],
  sharpness: ["How strong is the curvature?", "eigenvalue"],
  minimum: ["Is it a minimum?", "eigenvalue"],
  gradient: ["How steep is it here?", "gradient"],
  gaussNewton: ["How far is H from G?", "gap"],
  fisher: ["Do the Fisher matrices agree?", "fisher"],
  rank: ["How many directions matter?", "rank"],
  layers: ["Which layers can be rounded?", "rounding"],
  certainty: ["How sure, at what cost?", "standard-error"],
};
