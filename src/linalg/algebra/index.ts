export { add } from "./add.ts";
export { compose } from "./compose.ts";
export { damped } from "./damped.ts";
export { dense } from "./dense.ts";
export { diagonal } from "./diagonal.ts";
export {
  type FormFunction,
  type FunctionOperatorOptions,
  functionOperator,
  type ProductFunction,
} from "./functionOperator.ts";
export { identity } from "./identity.ts";
export { lowRank } from "./lowRank.ts";
export { scale } from "./scale.ts";
export { type Indices, submatrix } from "./submatrix.ts";
export { subtract } from "./subtract.ts";
export { type ToDenseOptions, toDense } from "./toDense.ts";
