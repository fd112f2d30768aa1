import type { Arithmetic } from "../../linalg/vectors/arithmetic.ts";
import { type BasisProducts, basisProducts } from "../../runtime/index.ts";
import { type Matrix, type Precision, toPrecision, type Vector } from "../../tensors/index.ts";

/** Entries from which on ONNX Runtime beats loops of JavaScript at products with a basis. */
const LONG = 2 ** 14;

/** Arithmetic on bases of long vectors by ONNX Runtime, with what it holds. */
export interface EngineArithmetic {
  /** Undefined for vectors so short that loops are as fast. */
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
