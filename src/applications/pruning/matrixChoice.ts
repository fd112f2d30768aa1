import { CurvatureError } from "../../errors/index.ts";
import type { LinearOperator } from "../../linalg/index.ts";
import { ggn, type Risk } from "../../operators/index.ts";

/** A curvature matrix of the mean loss: any symmetric operator, or what makes one for a risk at other weights. */
export type PruningMatrix = LinearOperator | ((risk: Risk) => LinearOperator | Promise<LinearOperator>);

/** The matrix of a risk, with what frees it where it was made here. */
export async function matrixOf(
  name: string,
  { risk, matrix = ggn }: { readonly risk: Risk; readonly matrix?: PruningMatrix | undefined },
): Promise<{ readonly A: LinearOperator; readonly release: () => Promise<void> }> {
  const made = typeof matrix === "function" ? await matrix(risk) : matrix;
  if (typeof made?.matvec !== "function") {
    throw new CurvatureError(
      "argument",
      `${name} expects matrix to be an operator, as ggn(risk) gives it, or a function that makes one for a risk, got ${typeof made}`,
    );
  }
  if (made.shape[0] !== risk.size || made.shape[1] !== risk.size) {
    throw new CurvatureError(
      "shape",
      `${name} expects a matrix of ${risk.size} weights, got ${made.shape[0]} x ${made.shape[1]}; it belongs to another network or other parameters`,
    );
  }
  const release = async () => {
    if (typeof matrix === "function" && "dispose" in made && typeof made.dispose === "function") await made.dispose();
  };
  return { A: made, release };
}
