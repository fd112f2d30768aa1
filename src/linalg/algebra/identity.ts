import { CurvatureError } from "../../errors/index.ts";
import { type Precision, toPrecision, zeros } from "../../tensors/index.ts";
import { checkCount } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { checkScalar, columnProducts } from "../operator/structure.ts";
import { scale } from "./scale.ts";

/**
 * Identity `I` `[n, n]`, with everything known exactly.
 *
 * @param options.dtype precision of results
 * @throws CurvatureError "argument" where n is not a positive integer; its inverse and logdet throw "numeric" where `1 + damping` is zero,
 * or for logdet negative
 */
export function identity(n: number, options: { readonly dtype?: Precision | undefined } = {}): LinearOperator {
  checkOptions("identity", options, "dtype");
  const { dtype = "float64" } = options;
  checkCount("identity", "n", n);
  const shape = [n, n] as const;
  return {
    shape,
    dtype,
    symmetric: true,
    psd: true,
    ...columnProducts("an identity", { shape, times: (X) => ({ ...X, data: toPrecision(X.data.slice(), dtype) }) }),
    adjoint: () => identity(n, { dtype }),
    diagonal: async () => zeros(n, dtype).fill(1),
    trace: async () => n,
    inverse({ damping }) {
      checkScalar("inverse of an identity", "damping", damping);
      if (1 + damping === 0) throw singular(damping);
      return scale(identity(n, { dtype }), 1 / (1 + damping));
    },
    async logdet({ damping }) {
      checkScalar("logdet of an identity", "damping", damping);
      if (!(1 + damping > 0)) throw singular(damping);
      return n * Math.log1p(damping);
    },
  };
}

function singular(damping: number): CurvatureError {
  const message = `the identity plus damping has to stay positive for logdet and nonzero for inverse, got damping ${damping}`;
  return new CurvatureError("numeric", message);
}
