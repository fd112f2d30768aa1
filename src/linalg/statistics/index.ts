export { type Certainty, type Interval, studentQuantile } from "./confidence.ts";
export { looksWithin } from "./looks.ts";
export type { SampleSums } from "./sampleMean.ts";
