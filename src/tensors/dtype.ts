/** Element types of ONNX tensors in graphs and feeds, by their usual names. */
export type Dtype =
  | "float32"
  | "float64"
  | "float16"
  | "int8"
  | "uint8"
  | "int16"
  | "uint16"
  | "int32"
  | "uint32"
  | "int64"
  | "uint64"
  | "bool"
  | "string";

/** Precision in which a graph of floats is computed. */
export type Precision = "float32" | "float64";

/** Array with the elements of a tensor; booleans are bytes of 0 and 1, float16 are raw 16-bit patterns. */
export type TensorData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | readonly string[];
