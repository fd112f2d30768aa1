export { type AxisCut, cutTensors } from "./cutTensors.ts";
export { type ElementType, elementTypeCode, elementTypeOf, type NarrowType } from "./elementType.ts";
export { type ByteRange, type ExternalFiles, loadTensor, type ReadExternal } from "./externalData.ts";
export { type FloatMessage, floatMessage, locationOf } from "./floatMessage.ts";
export type { Initializer, ModelDescription, OnnxNode, ValueInfo } from "./model.ts";
export {
  type FileFunction,
  type FileGraph,
  type FileInitializer,
  type ModelContents,
  modelContents,
  subgraphContents,
} from "./modelContents.ts";
export { isPacked, packedIntegers } from "./packedIntegers.ts";
export { type LoadedModel, type ModelWithGraph, readModel } from "./readModel.ts";
export { type FileNode, readNode } from "./readNode.ts";
export { renameCaptures } from "./renameCaptures.ts";
export { replaceWeights, valueNames, type WeightReplacement } from "./replaceWeights.ts";
export { type GraphChange, rewriteGraph } from "./rewriteGraph.ts";
export { integerTensor, type QuantizedType, serializedTensor } from "./serializedTensor.ts";
export { fromTensorProto, type StoredTensor, type TensorHeader, tensorHeader, toTensorProto } from "./tensorProto.ts";
export { visitTensors } from "./visitTensors.ts";
export { writeModel } from "./writeModel.ts";
