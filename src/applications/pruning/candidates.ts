import { CurvatureError } from "../../errors/index.ts";
import { matches, type Pattern } from "../../models/matches.ts";
import type { Risk, RiskParameter } from "../../operators/index.ts";

/** Roles of tensors that are pruned: biases, scales of normalizations and tokens are not. */
const PRUNED_ROLES: readonly string[] = ["weight", "table", "other"];

/**
 * The tensors whose weights may be removed: weight matrices, kernels and tables, or those whose names match.
 *
 * @throws CurvatureError "argument" for a pattern that matches no tensor, and where nothing is left
 */
export function candidateTensors(
  name: string,
  { risk, tensors }: { readonly risk: Risk; readonly tensors?: Pattern | readonly Pattern[] | undefined },
): readonly RiskParameter[] {
  const { parameters } = risk;
  const names = parameters.map((each) => each.name).slice(0, 10);
  if (tensors === undefined) {
    const found = parameters.filter(
      ({ dims, role, size }) => dims.length > 1 && size > 0 && PRUNED_ROLES.includes(role),
    );
    if (found.length > 0) return found;
    throw new CurvatureError(
      "argument",
      `${name} finds no weight matrix among the parameters ${names.join(", ")}; name the tensors to prune as tensors`,
    );
  }
  const patterns: readonly Pattern[] = Array.isArray(tensors) ? tensors : [tensors as Pattern];
  const unmatched = patterns.find((pattern) => !parameters.some((each) => matches(each.name, [pattern])));
  if (unmatched === undefined && patterns.length > 0) return parameters.filter((each) => matches(each.name, patterns));
  throw new CurvatureError(
    "argument",
    `${name} finds no parameter to prune that matches ${String(unmatched)}; there are ${names.join(", ")}`,
  );
}

/** Positions of all entries of tensors in a flat vector. */
export function entriesOf(tensors: readonly Pick<RiskParameter, "offset" | "size">[]): Int32Array {
  return Int32Array.from(tensors.flatMap(({ offset, size }) => Array.from({ length: size }, (_, k) => offset + k)));
}
