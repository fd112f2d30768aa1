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
}

const structured = {
  options: { method: "obs" },
  compensatesByProducts: true,
} as const;

/** All ways by name. */
export const NAMED_METHODS: Readonly<Record<NamedPruningMethod, NamedMethod>> = {
  magnitude: { title: "magnitude", options: { method: "magnitude", compensation: false } },
  firstOrder: { title: "first order", options: { method: "firstOrder", compensation: false } },
  obd: { title: "OBD, Gauss-Newton", options: { method: "obd", compensation: false }, matrix: gaussNewton },
  obs: { title: "OBS, Gauss-Newton", options: { method: "obs" }, matrix: gaussNewton },
  sequential: {
    title: "OBS one at a time",
    options: { method: "obs", elimination: "sequential" },
    matrix: gaussNewton,
  },
  kfac: { title: "OBS, KFAC", ...structured, matrix: (risk, run) => kfac(risk, run) },
  ekfac: { title: "OBS, EKFAC", ...structured, matrix: (risk, run) => ekfac(risk, run) },
  woodFisher: { title: "WoodFisher", options: { method: "obs" }, matrix: (risk, run) => woodFisher(risk, run) },
};

/** Dense where it fits: several sparsities then share one inverse. */
function gaussNewton(risk: Risk, { signal }: RunOptions) {
  return risk.size <= DENSE_LIMIT ? denseCurvature(ggn(risk), { signal }) : ggn(risk);
}

/** Methods that a risk of this size can take in a reasonable time, where none are named. */
export function usualMethods({ size }: Pick<Risk, "size">): readonly NamedPruningMethod[] {
  return size <= DENSE_LIMIT ? ["magnitude", "obd", "obs", "woodFisher"] : ["magnitude", "kfac", "woodFisher"];
}
