import { checkOptions } from "../linalg/operator/options.ts";
import type { Risk } from "../operators/engine/risk.ts";
import { checkRisk } from "../operators/products/checkRisk.ts";
import { approximation, type StructuredApproximation } from "./approximation.ts";
import { builtBlocks } from "./builtBlocks.ts";
import { type KroneckerOptions, kroneckerChoices, kroneckerOptionNames, optionsText } from "./kroneckerOptions.ts";

/**
 * Kronecker-factored approximate curvature (Martens and Grosse, 2015) of a generalized Gauss-Newton or Fisher matrix c sum_t w_t J_t' M_t J_t: a
 * block for each layer's weight W [in, out],
 *
 *     A (x) B,   A = mean of a a' over rows and positions,   B = c sum_k g_k g_k',
 *
 * with a the layer's inputs and g_k the gradients in its outputs of s_k' f, for the columns s_k of a root of M_t (Eschenhagen et al., 2023, for
 * `sharing`). Row weights enter A as repetitions of a row do. All other parameters have blocks too, listed in `coverage`: exact dense blocks
 * for biases, scales and shifts, frequencies of entries for tables of embeddings, two-sided factors for weights used in different
 * orientations, exact diagonals for what is large and has no such structure.
 *
 * Costs one pass over the data: a forward pass and `reversePasses` reverse passes without gradients of weights; a parameter that enters outside
 * of layers adds such a pass over single rows. Memory does not grow with the rows. Dispose of the result when done.
 *
 * @throws CurvatureError "unsupported" for a matrix that has no root, and for a risk with `coupledRows`; "argument" for options out of range, or
 *   without a seed where terms need signs
 */
export async function kfac(risk: Risk, options: KroneckerOptions = {}): Promise<StructuredApproximation> {
  checkRisk(risk, "kfac");
  checkOptions("kfac", options, kroneckerOptionNames);
  const { settings, choice } = kroneckerChoices("kfac", options);
  const { built, passes } = await builtBlocks(risk, settings, choice);
  return approximation(risk, {
    blocks: built.flatMap(({ blocks }) => blocks),
    passes,
    made: { method: "kfac", options: optionsText(choice), inputsAlone: options.of === "inputs" },
  });
}
