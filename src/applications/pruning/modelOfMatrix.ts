import { CurvatureError } from "../../errors/index.ts";
import type { LinearOperator } from "../../linalg/index.ts";
import { checkNonnegative } from "../../linalg/operator/checks.ts";
import { blockModel } from "./blockModel.ts";
import type { CurvatureModel, ModelSetup } from "./curvatureModel.ts";
import { DENSE_LIMIT, denseCurvature, hasDenseBlocks } from "./denseBlocks.ts";
import { operatorModel } from "./operatorModel.ts";

/** The model of a matrix. Where it is made dense, one product a column. */
export async function modelOfMatrix(A: LinearOperator, setup: ModelSetup): Promise<CurvatureModel> {
  const { name, damping = 1e-3, inverse = "auto", denseLimit = DENSE_LIMIT, signal, onProgress } = setup;
  checkNonnegative(name, "damping", damping);
  if (!["auto", "dense", "estimate"].includes(inverse)) {
    throw new CurvatureError(
      "argument",
      `${name} expects inverse to be "auto", "dense" or "estimate", got ${JSON.stringify(inverse)}`,
    );
  }
  if (inverse !== "estimate" && hasDenseBlocks(A)) {
    return blockModel(A, { ...setup, damping, matvecs: 0, route: A.denseBlocks.length === 1 ? "dense" : "blocks" });
  }
  const [size] = A.shape;
  const isDense = inverse === "dense" || (inverse === "auto" && A.inverse === undefined && size <= denseLimit);
  if (!isDense) return operatorModel(A, { ...setup, damping });
  const made = await denseCurvature(A, { limit: denseLimit, signal, onProgress });
  return blockModel(made, { ...setup, damping, matvecs: size, route: "dense" });
}
