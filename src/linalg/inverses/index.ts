export { cgInverse } from "./cgInverse.ts";
export { type NeumannOptions, neumannInverse } from "./neumannInverse.ts";
export { jacobiPreconditioner, preconditioner } from "./preconditioner.ts";
export { solverInverse } from "./solverInverse.ts";
