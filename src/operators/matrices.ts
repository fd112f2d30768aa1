// The curvature matrices, a line each: they are public, and the tests of matrices demand a row for each.
export { empiricalFisher } from "./empiricalFisher.ts";
export { fisher } from "./fisher.ts";
export { ggn } from "./ggn.ts";
export { gradientCovariance } from "./gradientCovariance.ts";
export { gradientSecondMoment } from "./gradientSecondMoment.ts";
export { hessian } from "./hessian.ts";
