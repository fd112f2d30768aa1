export { type Certainty, type Interval, studentQuantile } from "./confidence.ts";
export type { SampleSums } from "./sampleMean.ts";
export { checkpoints } from "./sequentialStopping.ts";
