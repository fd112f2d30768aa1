export { arrayTypes, bytesOf, isArrayType } from "./arrayTypes.ts";
export type { AttributeValue, StoredAs } from "./attribute.ts";
export { byName, valueNamed } from "./byName.ts";
export type { Dtype, Precision, TensorData } from "./dtype.ts";
export { dtypeOf, formatDims, MOST_AXES, sizeOf, type Tensor } from "./tensor.ts";
export { column, type Matrix, precisionOf, toPrecision, type Vector, zeros } from "./vector.ts";
