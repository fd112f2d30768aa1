export {
  BiasGelu,
  Celu,
  Elu,
  FastGelu,
  Gelu,
  HardSigmoid,
  HardSwish,
  LeakyRelu,
  LogSoftmax,
  Mish,
  PRelu,
  QuickGelu,
  Relu,
  Selu,
  Sigmoid,
  Softmax,
  Softplus,
  Softsign,
  Swish,
  Tanh,
  ThresholdedRelu,
} from "./activation.ts";
export {
  Abs,
  Add,
  Ceil,
  Clip,
  Cos,
  Div,
  Equal,
  Erf,
  Exp,
  Floor,
  Greater,
  GreaterOrEqual,
  IsNaN,
  Less,
  LessOrEqual,
  Log,
  Max,
  Mean,
  Min,
  Mul,
  Neg,
  Pow,
  Reciprocal,
  Sign,
  Sin,
  Sqrt,
  Sub,
  Sum,
  Tan,
} from "./arithmetic.ts";
export { Attention } from "./attention.ts";
export { Conv, ConvTranspose } from "./convolution.ts";
export { Einsum } from "./einsum.ts";
export { FusedMatMul, Gemm, MatMul } from "./gemm.ts";
export {
  Cast,
  CastLike,
  DepthToSpace,
  Dropout,
  Expand,
  Flatten,
  Identity,
  Reshape,
  SpaceToDepth,
  Squeeze,
  Tile,
  Transpose,
  Unsqueeze,
  Where,
} from "./movement.ts";
export {
  BatchNormalization,
  GroupNormalization,
  InstanceNormalization,
  LayerNormalization,
  RMSNormalization,
  SimplifiedLayerNormalization,
} from "./normalization.ts";
export { Pad } from "./pad.ts";
export { AveragePool, GlobalAveragePool, GlobalMaxPool, MaxPool } from "./pool.ts";
export { GRU, LSTM, RNN } from "./recurrent.ts";
export {
  ReduceL1,
  ReduceL2,
  ReduceLogSum,
  ReduceLogSumExp,
  ReduceMax,
  ReduceMean,
  ReduceMin,
  ReduceSum,
  ReduceSumSquare,
} from "./reduce.ts";
export { Resize, Upsample } from "./resize.ts";
export { Concat, CumSum, Gather, GatherElements, Slice, Split, Trilu } from "./select.ts";
