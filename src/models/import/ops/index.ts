export { LogSoftmax, Relu, Sigmoid, Softmax, Tanh } from "./activation.ts";
export { Add, Div, Mul, Neg, Sub } from "./arithmetic.ts";
export { Gemm, MatMul } from "./gemm.ts";
export { Flatten, Identity } from "./movement.ts";
