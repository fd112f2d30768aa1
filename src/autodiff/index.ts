export { foldResiduals } from "./foldResiduals.ts";
export { guardBranches } from "./guardBranches.ts";
export { type JvpOptions, jvp } from "./jvp.ts";
export { type Linearization, linearize } from "./linearize.ts";
export { pullback } from "./pullback.ts";
export { type ResidualSplit, splitResiduals } from "./residuals.ts";
export { transpose } from "./transpose.ts";
export { vectorize } from "./vectorize.ts";
export { vjp } from "./vjp.ts";
