export { adjoint } from "./adjoint.ts";
export { matmat } from "./matmat.ts";
export type { LinearOperator, Progress, RunOptions } from "./operator.ts";
export { quadraticForms } from "./quadraticForms.ts";
export { sum } from "./structure.ts";
