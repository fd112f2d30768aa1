export { type BasisProducts, basisProducts } from "./basisProducts.ts";
export { type CompileOptions, compile, engineError, type Program } from "./compile.ts";
export { engineName } from "./engineName.ts";
export { keepLargeBlocks } from "./largeBlocks.ts";
export { type LiveBytes, liveBytes } from "./liveBytes.ts";
export { type LoweredGraph, type LowerOptions, lower, type NamedGraph } from "./lower.ts";
export { withPreferredKernels } from "./preferredKernels.ts";
export { segmentsOf } from "./segments.ts";
export type { OpenSession, Session, SessionOptions } from "./session.ts";
