export type { EvaluationCost } from "../evaluations.ts";
