import type { LinearOperator, RunOptions } from "../../linalg/index.ts";
import { ggn, type Risk } from "../../operators/index.ts";
import { ekfac, kfac } from "../../structured/index.ts";
import { DENSE_LIMIT, denseCurvature } from "./denseBlocks.ts";
import type { PruneOptions } from "./prunePlan.ts";
import { woodFisher } from "./woodFisher.ts";

/** Ways of pruning that `comparePruning` and the command know by name. */
export type NamedPruningMethod =
  | "magnitude"
  | "firstOrder"
  | "obd"
  | "obs"
  | "sequential"
  | "kfac"
  | "ekfac"
  | "woodFisher";

/** A way of pruning. */
export interface NamedMethod {
  /** What it is, in a few words. */
  readonly title: string;
  readonly options: Pick<PruneOptions, "method" | "compensation" | "elimination">;
  /** Makes the matrix at the weights of a step; absent where the method needs none. */
  readonly matrix?: (
    risk: Risk,
    options: RunOptions & { readonly seed: number },
  ) => LinearOperator | Promise<LinearOperator>;
  /** Whether the other weights adapt by the Gauss-Newton matrix itself, by products, instead of by the matrix of the saliencies. */
  readonly compensatesByProducts?: true;
  /** Which inverse serves and why, for a network of this size; absent where the method needs none. */
  readonly inverse?: (size: number) => string;
}

/**
 * Bound on the residual of compensations by products, over the right-hand side. On a convolutional network of 5,810 weights pruned by 70 %, a loss of 0.203 went to 0.407 with a residual of 8e-3
 * (14 products), 0.401 with 3e-3 (30), 0.405 with 8e-4 (59): what smaller residuals change is far below the error of the quadratic model.
 */
export const COMPENSATION_TOLERANCE = 1e-2;

const structured = {
  options: { method: "obs" },
  compensatesByProducts: true,
  inverse: (size: number) =>
    size <= DENSE_LIMIT
      ? `saliencies by the closed inverse of the factors, compensation by the dense Gauss-Newton matrix, which ${size} weights allow`
      : `saliencies by the closed inverse of the factors, compensation by conjugate gradients with the Gauss-Newton matrix, preconditioned by that inverse: a dense one is for up to ${DENSE_LIMIT} weights, there are ${size}`,
} as const;

const gaussNewtonInverse = (size: number) =>
  size <= DENSE_LIMIT
    ? `dense inverse of the Gauss-Newton matrix, which ${size} weights allow`
    : `estimated diagonal of the inverse, compensation by conjugate gradients: a dense inverse is for up to ${DENSE_LIMIT} weights, there are ${size}; kfac has a closed one`;

/** All ways by name. */
export const NAMED_METHODS: Readonly<Record<NamedPruningMethod, NamedMethod>> = {
  magnitude: { title: "magnitude", options: { method: "magnitude", compensation: false } },
  firstOrder: { title: "first order", options: { method: "firstOrder", compensation: false } },
  obd: { title: "OBD, Gauss-Newton", options: { method: "obd", compensation: false }, matrix: gaussNewton },
  obs: { title: "OBS, Gauss-Newton", options: { method: "obs" }, matrix: gaussNewton, inverse: gaussNewtonInverse },
  sequential: {
    title: "OBS one at a time",
    options: { method: "obs", elimination: "sequential" },
    matrix: gaussNewton,
    inverse: gaussNewtonInverse,
  },
  kfac: { title: "OBS, KFAC", ...structured, matrix: (risk, run) => kfac(risk, run) },
  ekfac: { title: "OBS, EKFAC", ...structured, matrix: (risk, run) => ekfac(risk, run) },
  woodFisher: {
    title: "WoodFisher",
    options: { method: "obs" },
    matrix: (risk, run) => woodFisher(risk, run),
    inverse: () =>
      "exact inverses of blocks of 50 weights of the empirical Fisher matrix, for saliencies and compensation",
  },
};

/** Dense where it fits: several sparsities then share one inverse. */
function gaussNewton(risk: Risk, { signal }: RunOptions) {
  return risk.size <= DENSE_LIMIT ? denseCurvature(ggn(risk), { signal }) : ggn(risk);
}

/** Methods that a risk of this size can take in a reasonable time, where none are named. */
export function usualMethods({ size }: Pick<Risk, "size">): readonly NamedPruningMethod[] {
  return size <= DENSE_LIMIT ? ["magnitude", "obd", "obs", "woodFisher"] : ["magnitude", "kfac", "woodFisher"];
}
