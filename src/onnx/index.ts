export { type ElementType, elementTypeCode, elementTypeOf } from "./elementType.ts";
export type { Initializer, ModelDescription, OnnxNode, ValueInfo } from "./model.ts";
export { toTensorProto } from "./tensorProto.ts";
export { writeModel } from "./writeModel.ts";
