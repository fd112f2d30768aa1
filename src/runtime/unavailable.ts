import { CurvatureError } from "../errors/index.ts";
import { type Precision, type Vector, zeros } from "../tensors/index.ts";
import type { OpenSession } from "./session.ts";

/** The engine's functions where there is no engine: outside Node, or bundled for a browser. */
const NEEDS_NODE =
  'onnx-curvature runs networks with onnxruntime-node, which needs Node (or Bun or Deno), and this is a bundle for a browser; run it there, bundle with the condition "node", or import onnx-curvature/linalg, which runs everywhere';

/** Throws, since there is no engine. */
export const openSession: OpenSession = async () => {
  throw new CurvatureError("runtime", NEEDS_NODE);
};

/** A vector of zeros. */
export function unwrittenVector(length: number, dtype: Precision): Vector {
  return zeros(length, dtype);
}

/** Throws, since there is no engine. */
export function machineMemory(): number {
  throw new CurvatureError("runtime", NEEDS_NODE);
}

/** Throws, since there is no engine. */
export function freeMemory(): number {
  throw new CurvatureError("runtime", NEEDS_NODE);
}
