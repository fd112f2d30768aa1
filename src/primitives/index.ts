export { add, div, mul, neg, scale, sub } from "./arithmetic.ts";
export { broadcast, filled, range, reduceSum, reduceSumKeeping, sumTo, withOnes, zeros } from "./broadcast.ts";
export { gather, scatterAdd } from "./gather.ts";
export { type MatmulOptions, matmul } from "./matmul.ts";
export { inverseOrder, moveAxis, permute, reshape, swapLastAxes } from "./movement.ts";
export {
  and,
  cast,
  equal,
  greater,
  greaterOrEqual,
  indicator,
  isNaN,
  less,
  lessOrEqual,
  not,
  or,
  where,
} from "./select.ts";
export { concat, pad, reverse, slice, sliceAll } from "./slice.ts";
export { logSoftmax, maskedSoftmax, softmax } from "./softmax.ts";
export {
  abs,
  composite,
  cos,
  exp,
  floor,
  log,
  reciprocal,
  relu,
  sigmoid,
  sign,
  sin,
  softplus,
  sqrt,
  square,
  tanh,
  unary,
} from "./unary.ts";
