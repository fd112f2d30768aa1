/**
 * Differentiable operations on the values of a graph, of which models and losses are built. Operands broadcast by NumPy's
 * rules; derivatives at kinks are those of PyTorch.
 *
 * @module
 */
export { add, div, mean, mul, neg, scale, sub } from "./arithmetic.ts";
export { broadcast, filled, range, reduceSum, reduceSumKeeping, sumTo, withOnes, zeros } from "./broadcast.ts";
export { type ConvOptions, conv, convInputTranspose, convWeightTranspose } from "./conv.ts";
export { depthToSpace, spaceToDepth } from "./depthToSpace.ts";
export { erf, gelu } from "./erf.ts";
export { type ClipBounds, clip, hardSigmoid, maximum, minimum, reduceMax, reduceMin } from "./extrema.ts";
export { gather, scatterAdd } from "./gather.ts";
export { acos, acosh, asin, asinh, atan, atanh, cosh, sinh } from "./inverseFunctions.ts";
export { type MatmulOptions, matmul } from "./matmul.ts";
export { inverseOrder, moveAxis, permute, reshape, reshapedFrom, swapLastAxes } from "./movement.ts";
export { lastWriters, topIndices } from "./order.ts";
export { averagePool, maxPool, type PoolOptions } from "./pool.ts";
export { pow, power } from "./power.ts";
export { remainder, round } from "./remainder.ts";
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
export { inverseDeviation, type StandardizeOptions, standardize } from "./standardize.ts";
export {
  abs,
  composite,
  cos,
  exp,
  floor,
  log,
  logSigmoid,
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
export { fold, unfold, type Windows } from "./windows.ts";
export { writtenTranspose } from "./writtenTranspose.ts";
