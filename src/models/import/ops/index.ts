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
export { AffineGrid } from "./affineGrid.ts";
export {
  Abs,
  Acos,
  Acosh,
  Add,
  Asin,
  Asinh,
  Atan,
  Atanh,
  Ceil,
  Clip,
  Cos,
  Cosh,
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
  Mod,
  Mul,
  Neg,
  Pow,
  Reciprocal,
  Round,
  Sign,
  Sin,
  Sinh,
  Sqrt,
  Sub,
  Sum,
  Tan,
} from "./arithmetic.ts";
export { Attention, MultiHeadAttention, RotaryEmbedding } from "./attention.ts";
export { Col2Im } from "./col2im.ts";
export { Conv, ConvTranspose, FusedConv } from "./convolution.ts";
export { Einsum } from "./einsum.ts";
export { DFT, STFT } from "./fourier.ts";
export { FusedGemm, FusedMatMul, Gemm, MatMul } from "./gemm.ts";
export { GridSample } from "./gridSample.ts";
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
  EmbedLayerNormalization,
  GroupNormalization,
  InstanceNormalization,
  LayerNormalization,
  LpNormalization,
  LRN,
  MeanVarianceNormalization,
  RMSNormalization,
  SimplifiedLayerNormalization,
  SkipLayerNormalization,
  SkipSimplifiedLayerNormalization,
} from "./normalization.ts";
export { Pad } from "./pad.ts";
export { AveragePool, GlobalAveragePool, GlobalLpPool, GlobalMaxPool, LpPool, MaxPool } from "./pool.ts";
export { GRU, LSTM, RNN } from "./recurrent.ts";
export {
  ReduceL1,
  ReduceL2,
  ReduceLogSum,
  ReduceLogSumExp,
  ReduceMax,
  ReduceMean,
  ReduceMin,
  ReduceProd,
  ReduceSum,
  ReduceSumSquare,
} from "./reduce.ts";
export { Resize, Upsample } from "./resize.ts";
export { GatherElements, GatherND, Scatter, ScatterElements, ScatterND } from "./scatter.ts";
export { Compress, Concat, CumSum, Gather, OneHot, Range, Slice, Split, TopK, Trilu } from "./select.ts";
