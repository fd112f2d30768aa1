export { type FileSession, fileSession } from "./fileSession.ts";
export { type FunctionModelOptions, functionModel } from "./functionModel.ts";
export { type FixedUnits, type HiddenUnits, hiddenUnits, type UnitAxis } from "./hiddenUnits.ts";
export type { ConstantDecision, ParameterOverride } from "./import/parameters/chooseParameters.ts";
export type { Bindings } from "./import/requests/bind.ts";
export {
  inspectModel,
  type ModelInspection,
  type OperatorInspection,
  type OperatorSupport,
} from "./inspect.ts";
export { type FileModel, type LoadOptions, loadModel } from "./loadModel.ts";
export { matches, type Pattern } from "./matches.ts";
export type {
  EvidenceKind,
  GraphRequest,
  GraphStep,
  Model,
  ModelGraph,
  ModelInput,
  ModelOutput,
  Parameter,
  ParameterRole,
} from "./model.ts";
export { type CompactLayer, type CompactModel, saveCompact } from "./saveCompact.ts";
export {
  type ModelFile,
  modelFile,
  type NewWeights,
  type SavedModel,
  type SavedTensor,
  saveModel,
} from "./saveModel.ts";
export {
  type QuantizedModelFile,
  type QuantizedWeight,
  quantizedModelFile,
  type SavedQuantizedModel,
  type SavedQuantizedTensor,
  saveQuantizedModel,
} from "./saveQuantizedModel.ts";
export type { ModelSource, StoredWeight } from "./storedWeights.ts";
export type { SuggestedLoss } from "./suggestLoss.ts";
