import type { RunOptions } from "../linalg/operator/operator.ts";
import { checkOptions } from "../linalg/operator/options.ts";
import { xdiag } from "../linalg/sketching/index.ts";
import { type EntriesEstimate, hutchinsonDiagonal } from "../linalg/traces/index.ts";
import type { Risk } from "../operators/engine/risk.ts";
import { hessian } from "../operators/index.ts";
import { checkRisk } from "../operators/products/checkRisk.ts";
import { checkOneOf } from "./kroneckerOptions.ts";

/** Options of the diagonal of the Hessian. */
export interface HessianDiagonalOptions extends RunOptions {
  /** Most products with the Hessian; default all weights up to 1,000 of them, else 100. From one a weight on the diagonal is exact. */
  readonly matvecs?: number | undefined;
  readonly seed: number;
  /**
   * "hutchinson" (default) averages v o (H v) over random signs v; "xdiag" takes out the range of half as many products first, which is better where few
   * eigenvalues stand out, and holds three vectors for each two products.
   */
  readonly method?: "hutchinson" | "xdiag" | undefined;
  /** Probability that an entry lies within `certainty.quantile` standard errors; default 0.95. */
  readonly confidence?: number | undefined;
}

/** The diagonal of the Hessian with the standard error of each entry. */
export interface HessianDiagonal extends EntriesEstimate {
  /** The method that was used: "unit vectors" is exact. */
  readonly method: "unit vectors" | "hutchinson" | "xdiag";
}

/** Weights up to which the diagonal is exact by default. */
const EXACT_SIZE = 1000;

/**
 * The diagonal of the Hessian, [size], which unlike that of the Gauss-Newton matrix is no sum of squares over layers. With at least as many products as
 * weights it is exact, by unit vectors; else it is estimated by random probes (Bekas, Kokiopoulou and Saad, 2007; Epperly, Tropp and Webber, 2024), with
 * the standard error of each entry. One probe has the variance `sum over j != i of H_ij^2` in entry i. `method` says which was used, `matvecs` how many
 * products, each about two and a half gradients.
 *
 * @throws CurvatureError "argument" for options out of range
 */
export async function hessianDiagonal(risk: Risk, options: HessianDiagonalOptions): Promise<HessianDiagonal> {
  checkRisk(risk, "hessianDiagonal");
  checkOptions("hessianDiagonal", options, "matvecs seed method confidence signal onProgress");
  const { matvecs = risk.size <= EXACT_SIZE ? risk.size : 100, method = "hutchinson", ...rest } = options;
  checkOneOf("hessianDiagonal", { option: "method", value: method, of: ["hutchinson", "xdiag"] });
  const estimate = method === "xdiag" ? xdiag : hutchinsonDiagonal;
  const found = await estimate(hessian(risk), { ...rest, matvecs });
  return { ...found, method: matvecs >= risk.size ? "unit vectors" : method };
}
