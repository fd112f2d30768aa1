import { type Matrix, type Vector, zeros } from "../../tensors/index.ts";
import { checkState } from "../operator/checks.ts";
import type { LinearOperator, RunOptions } from "../operator/operator.ts";
import { type Interruption, products, usualBlockSize } from "./products.ts";

/** The products of a run in their order: plain data. Everything else follows from them, so a resumed run repeats its own steps on these. */
export interface ProductLogState {
  readonly method: string;
  readonly columns: number;
  readonly seed: number;
  readonly matvecs: number;
  readonly products: readonly Vector[];
}

/** Products made in blocks, of which those that a saved state holds are not made again. */
export interface ProductLog {
  readonly used: number;
  /** `B X` for one of the operators of the run; yields a state after it, unless the saved one holds it all. */
  block(
    B: LinearOperator,
    X: Matrix,
  ): AsyncGenerator<
    ProductLogState,
    { readonly columns: readonly Vector[]; readonly interruption?: Interruption | undefined },
    void
  >;
}

/** Options of the log of one run. */
interface ProductLogOptions extends RunOptions {
  readonly name: string;
  readonly seed: number;
  readonly matvecs: number;
  readonly blockSize?: number | undefined;
  readonly state: ProductLogState | undefined;
}

/** The log of one run. */
export function productLog(
  A: LinearOperator,
  { name, seed, matvecs, blockSize = usualBlockSize(A.shape[1]), state: saved, ...options }: ProductLogOptions,
): ProductLog {
  const origin = { method: name, columns: A.shape[1], seed };
  if (saved) checkState(name, saved, origin);
  let made: readonly Vector[] = saved?.products ?? [];
  let asked = 0;
  const state = (): ProductLogState => ({ ...origin, matvecs: made.length, products: made });
  return {
    get used() {
      return made.length;
    },
    async *block(B, X) {
      const start = asked;
      asked += X.columns;
      while (made.length < asked) {
        const run = products(B, { ...options, name, matvecs, used: made.length });
        const first = made.length - start;
        const count = Math.min(blockSize, X.columns - first);
        const data = X.data.subarray(first * X.rows, (first + count) * X.rows);
        const { columns: results, interruption } = await run.block({ rows: X.rows, columns: count, data }, state);
        made = [...made, ...results];
        if (interruption) return { columns: made.slice(start), interruption };
        run.report();
        yield state();
      }
      return { columns: made.slice(start, asked) };
    },
  };
}

/** Vectors side by side. */
export function matrixOf(columns: readonly Vector[], rows: number): Matrix {
  const data = zeros(rows * columns.length, columns[0] instanceof Float32Array ? "float32" : "float64");
  columns.forEach((x, k) => {
    data.set(x, k * rows);
  });
  return { rows, columns: columns.length, data };
}
