import { type Arithmetic, type BasisSplit, isBasisRows } from "../linalg/vectors/arithmetic.ts";
import { type Precision, type Vector, zeros } from "../tensors/index.ts";
import type { Communicator } from "./communicator.ts";
import { exclusively } from "./exclusively.ts";
import { settled } from "./onAllRanks.ts";

/**
 * Arithmetic on bases whose rows are split evenly over the ranks, for vectors of `length` entries: memory and work of a basis are an nth on each
 * of n ranks. `Q' v` is a sum over ranks, `v - Q c` is gathered, `Q S` needs no exchange. Vectors are whole on every rank, so that norms and
 * inner products of these need none either, and all ranks have the same bits. A basis with all of its rows is left to `local`.
 */
export function splitArithmetic(
  local: Arithmetic,
  { communicator, length }: { readonly communicator: Communicator; readonly length: number },
): Arithmetic {
  const split = evenSplit(length, communicator);
  const part = (v: Vector) => v.subarray(split.firstRow, split.firstRow + split.rows);
  const together = <T>(call: string, work: () => Promise<T>, then: (own: T) => Promise<T>): Promise<T> =>
    exclusively(communicator, async () => then(await settled(communicator, call, work)));
  return {
    split,
    project(Q, v) {
      if (!isBasisRows(Q)) return local.project(Q, v);
      const work = () => local.project(Q, part(v));
      return together(`Q' v with ${Q.columns} vectors`, work, (own) => communicator.allReduce(own));
    },
    subtract(v, Q, c) {
      if (!isBasisRows(Q)) return local.subtract(v, Q, c);
      const work = () => local.subtract(part(v), Q, c);
      return together(`v - Q c with ${Q.columns} vectors`, work, (own) => gathered(own, { communicator, length }));
    },
    async combine(Q, S) {
      if (!isBasisRows(Q)) return local.combine(Q, S);
      const work = () => local.combine(Q, S);
      return { ...Q, ...(await together(`Q S with ${Q.columns} vectors`, work, async (own) => own)) };
    },
  };
}

/** Every rank holds as many rows as the first, but for the last ones. */
function evenSplit(length: number, communicator: Communicator): BasisSplit {
  const { rank, size } = communicator;
  const most = Math.ceil(length / size);
  const firstRow = Math.min(rank * most, length);
  const rows = Math.min(most, length - firstRow);
  const whole = (own: Vector) => exclusively(communicator, () => gathered(own, { communicator, length }));
  return { firstRow, rows, allRows: length, whole };
}

/** The parts of all ranks, one after the other. Exchanges take arrays of one length: shorter ones are filled up. */
async function gathered(
  own: Vector,
  { communicator, length }: { readonly communicator: Communicator; readonly length: number },
): Promise<Vector> {
  const { size } = communicator;
  const dtype: Precision = own instanceof Float64Array ? "float64" : "float32";
  const most = Math.ceil(length / size);
  let filled = own;
  if (own.length < most) {
    filled = zeros(most, dtype);
    filled.set(own);
  }
  const all = await communicator.allGather(filled, zeros(most * size, dtype));
  return all.subarray(0, length);
}
