export type { BceWithLogitsOptions } from "./bceWithLogits.ts";
export * from "./builtIn.ts";
export * as losses from "./builtIn.ts";
export type { CrossEntropyOptions } from "./crossEntropy.ts";
export { type CustomLossOptions, customLoss } from "./customLoss.ts";
export type { GaussianNllOptions } from "./gaussianNll.ts";
export { arrangeOutputs, arrangeTargets } from "./layout.ts";
export type {
  DenominatorFacts,
  LabelBounds,
  Likelihood,
  LikelihoodFamily,
  Loss,
  Reduction,
  TargetShape,
  TermLayout,
} from "./loss.ts";
export { logit, margin } from "./margin.ts";
export { samplePoisson } from "./samplePoisson.ts";
