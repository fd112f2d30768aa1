import type { Risk } from "../../operators/engine/risk.ts";
import type { LayerPlan, ParameterPlan, PlannedMatrix } from "../plan/layerPlan.ts";

/**
 * The way to inner products of the gradients of single rows in a parameter:
 *
 * - "inputs and cotangents": from inner products of a layer's inputs and of its cotangents, `sum_st (a_s . a'_t)(g_s . g'_t)` over the positions of both
 *   rows; no gradient of a row is formed;
 * - "gradients": the gradients of some rows in this parameter are formed, since there are so many positions that this takes fewer operations, or since
 *   the parameter is no matrix of a layer or used in different orientations;
 * - "single rows": it enters outside of layers, so that its gradients are computed row by row;
 * - "zero": the outputs do not depend on it.
 */
export type RowRoute = "inputs and cotangents" | "gradients" | "single rows" | "zero";

/** A part of a parameter whose rows' gradients have inner products of their own. */
export interface RowPart {
  /** Index of the parameter. */
  readonly parameter: number;
  readonly route: RowRoute;
  /** The matrix, for parts that are matrices of layers. */
  readonly matrix?: PlannedMatrix;
}

/** Multiplications for a pair of rows, or for the norm of one: with positions, and with the gradient. */
export type RouteCosts = (matrix: PlannedMatrix) => { readonly positions: number; readonly gradient: number };

/** The parts of all parameters. */
export function rowParts({ parameters }: Risk, plan: LayerPlan, costs: RouteCosts): readonly RowPart[] {
  return parameters.flatMap((_, parameter) => partsOf(plan.parameters[parameter], { parameter, costs }));
}

function partsOf(
  own: ParameterPlan,
  { parameter, costs }: { readonly parameter: number; readonly costs: RouteCosts },
): readonly RowPart[] {
  switch (own.form) {
    case "matrices":
      return own.matrices.map((matrix) => {
        const { positions, gradient } = costs(matrix);
        return { parameter, matrix, route: positions > gradient ? "gradients" : "inputs and cotangents" };
      });
    case "layers":
      return [{ parameter, route: "gradients" }];
    case "outside":
      return [{ parameter, route: "single rows" }];
    case "unused":
      return [{ parameter, route: "zero" }];
  }
}

/** A parameter and the routes of its parts. */
export interface RowRoutes {
  readonly parameter: string;
  readonly routes: readonly RowRoute[];
}

/** One line for each parameter. */
export function routesOf({ parameters }: Risk, parts: readonly RowPart[]): readonly RowRoutes[] {
  return parameters.map(({ name }, index) => ({
    parameter: name,
    routes: [...new Set(parts.filter(({ parameter }) => parameter === index).map(({ route }) => route))],
  }));
}
