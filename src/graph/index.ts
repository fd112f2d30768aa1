export { apply, withInputs, withOrigin } from "./apply.ts";
export { shareCommonSubexpressions } from "./commonSubexpressions.ts";
export {
  constant,
  constantTensor,
  elementTypeOf,
  identityKey,
  input,
  integers,
  isInput,
  scalar,
} from "./inputsAndConstants.ts";
export { isOpaque, type NodeSpec, opaque } from "./opaque.ts";
export { countUses, dependents, topologicalOrder } from "./order.ts";
export type {
  Addend,
  AffineForm,
  Attributes,
  ConvolutionGeometry,
  ElementType,
  LoweredNode,
  Lowering,
  Primitive,
  Shape,
  Value,
} from "./primitive.ts";
export { printGraph } from "./print.ts";
export { areOperationsApart, withOperationsApart } from "./separate.ts";
export { broadcastShapes, normalizeAxis, sameShape } from "./shape.ts";
export { substitute } from "./substitute.ts";
