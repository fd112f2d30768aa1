import { CurvatureError } from "../../errors/index.ts";
import { column, formatDims, type Precision, toPrecision, type Vector } from "../../tensors/index.ts";
import { checkOperator, checkSquare } from "../operator/checks.ts";
import type { LinearOperator, RunOptions } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { checkFlags, checkInput, checkInputs, checkSignal } from "../operator/structure.ts";
import { withInputCopy } from "../vectors/inputCopy.ts";

/** A product as a function, which may give its result at once or as a promise. */
export type ProductFunction = (x: Vector, options?: RunOptions) => Vector | Promise<Vector>;

/** A quadratic form `x' A x` as a function, which may give its number at once or as a promise. */
export type FormFunction = (x: Vector, options?: RunOptions) => number | Promise<number>;

/** Functions and declarations that make an operator. */
export interface FunctionOperatorOptions {
  readonly shape: readonly [rows: number, columns: number];
  /** `A x` `[rows]` for a copy of x `[columns]`, which it may change or give back but not keep. */
  readonly matvec: ProductFunction;
  /** `A' x` `[columns]` for x `[rows]`; not needed where A is symmetric. */
  readonly adjoint?: ProductFunction | undefined;
  /** `x' A x` for x `[columns]` of a square A, where it costs less than the product; estimators of traces then call it instead. */
  readonly quadraticForm?: FormFunction | undefined;
  /** That A equals its transpose, which `checkSymmetric` can probe. Default: `psd`. */
  readonly symmetric?: boolean | undefined;
  /** That A is symmetric and positive semidefinite, which `checkPsd` can probe. Default false. */
  readonly psd?: boolean | undefined;
  /** Precision of results, to which they are converted. Default float64. */
  readonly dtype?: Precision | undefined;
}

/**
 * Operator of a function `x -> A x`. A product checks the length of what the function gives.
 *
 * @throws CurvatureError "argument" where shape or matvec is missing, or a shape that is not square is called symmetric or given a
 * quadratic form; products throw "shape" where the function gives something else than `shape[0]` numbers, quadratic forms "argument"
 * where theirs gives no number
 */
export function functionOperator(options: FunctionOperatorOptions): LinearOperator {
  checkOptions("functionOperator", options, "shape matvec adjoint quadraticForm symmetric psd dtype");
  const { shape, matvec, adjoint, quadraticForm, psd = false, symmetric = psd, dtype = "float64" } = options;
  checkOperator("functionOperator", { shape, matvec, dtype, symmetric, psd } as LinearOperator);
  checkFlags("functionOperator", { shape, symmetric, psd });
  if (quadraticForm) checkSquare("functionOperator with quadraticForm", { shape, matvec } as LinearOperator);
  return {
    shape: [shape[0], shape[1]],
    dtype,
    symmetric,
    psd,
    async matvec(x, options) {
      checkInput("a function", x, shape);
      return withInputCopy(x, async (own) => {
        const y = await matvec(own, options);
        checkOutput(y, shape);
        return toPrecision(y, dtype);
      });
    },
    ...(quadraticForm && { quadraticForms: formsOf(quadraticForm, shape) }),
    ...(adjoint && {
      adjoint: () =>
        functionOperator({
          shape: [shape[1], shape[0]],
          matvec: adjoint,
          adjoint: matvec,
          ...(quadraticForm && { quadraticForm }),
          symmetric,
          psd,
          dtype,
        }),
    }),
  };
}

/** The form of each column, with progress told after each. */
function formsOf(
  quadraticForm: FormFunction,
  shape: LinearOperator["shape"],
): NonNullable<LinearOperator["quadraticForms"]> {
  return async (X, { signal, onProgress } = {}) => {
    checkInputs("a function", X, shape);
    const own = { ...X, data: X.data.slice() };
    const forms = new Float64Array(X.columns);
    for (let k = 0; k < X.columns; k++) {
      checkSignal("functionOperator", signal, `${k} of ${X.columns} quadratic forms`);
      const form = await quadraticForm(column(own, k), { signal });
      if (typeof form !== "number") {
        const message = `functionOperator expects quadraticForm to give a number, got ${typeof form}; give x' A x of its argument`;
        throw new CurvatureError("argument", message);
      }
      forms[k] = form;
      onProgress?.({ stage: "quadraticForms", done: k + 1, total: X.columns });
    }
    return forms;
  };
}

function checkOutput(y: unknown, shape: LinearOperator["shape"]): void {
  const isVector = y instanceof Float64Array || y instanceof Float32Array;
  if (isVector && y.length === shape[0]) return;
  const got = isVector ? `${y.length} entries` : Array.isArray(y) ? "an Array" : typeof y;
  const message = `functionOperator of shape ${formatDims(shape)} expects its function to give a Float32Array or Float64Array of ${shape[0]} entries, got ${got}`;
  throw new CurvatureError("shape", message);
}
