export { apply, withInputs, withOrigin } from "./apply.ts";
export { carried, isCarried, type NodeSpec } from "./carried.ts";
export { shareCommonSubexpressions } from "./commonSubexpressions.ts";
export { constant, constantTensor, elementTypeOf, identityKey, input, integers, isInput, scalar } from "./leaves.ts";
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
