import type { Arithmetic } from "../../linalg/vectors/arithmetic.ts";
import { type BasisProducts, basisProducts } from "../../runtime/index.ts";
import { type Matrix, type Precision, toPrecision, type Vector } from "../../tensors/index.ts";

/** Least number of entries for which ONNX Runtime multiplies with a basis faster than JavaScript loops. */
const LONG = 2 ** 14;

/** Arithmetic on bases of long vectors in ONNX Runtime, which owns compiled programs. */
export interface EngineArithmetic {
  /** Undefined for short vectors, where loops are as fast. */
  readonly arithmetic: Arithmetic | undefined;
  release(): Promise<void>;
}

/**
 * Products `Q' v`, `v - Q c` and `Q S` in ONNX Runtime, for vectors of `size` entries. Sums are in the operator's own precision: in
 * float32 a basis stays orthogonal to about 1e-6.
 */
export function engineArithmetic(
  size: number,
  options: { readonly precision: Precision; readonly threads?: number },
): EngineArithmetic {
  const { precision } = options;
  let products: BasisProducts | undefined;
  const engine = () => {
    products ??= basisProducts(options);
    return products;
  };
  const rows = ({ rows: n, columns, data }: Matrix) => ({ data: toPrecision(data, precision), dims: [columns, n] });
  const flat = (vector: Vector) => ({ data: toPrecision(vector, precision), dims: [vector.length] });
  const arithmetic: Arithmetic = {
    async project(Q, v) {
      const { data } = await engine().project(rows(Q), flat(v));
      return Float64Array.from(data as Vector);
    },
    async subtract(v, Q, c) {
      const { data } = await engine().accumulate(flat(v), rows(Q), flat(c.map((x) => -x)));
      return data as Vector;
    },
    async combine(Q, S) {
      const { data } = await engine().combine(rows(S), rows(Q));
      return { rows: Q.rows, columns: S.columns, data: data as Vector };
    },
  };
  return {
    arithmetic: size >= LONG ? arithmetic : undefined,
    release: async () => products?.release(),
  };
}
