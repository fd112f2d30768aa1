export { type BceWithLogitsOptions, bceWithLogits } from "./bceWithLogits.ts";
export { type CrossEntropyOptions, crossEntropy } from "./crossEntropy.ts";
export { type CustomLossOptions, customLoss } from "./customLoss.ts";
export { type GaussianNllOptions, gaussianNll } from "./gaussianNll.ts";
export { arrangeOutputs, arrangeTargets } from "./layout.ts";
export type { DenominatorFacts, LabelBounds, Likelihood, Loss, Reduction, TargetShape, TermLayout } from "./loss.ts";
export { meanSquaredError } from "./meanSquaredError.ts";
export { poissonNll } from "./poissonNll.ts";
export { samplePoisson } from "./samplePoisson.ts";
