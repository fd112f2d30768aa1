import { checkObject } from "../errors/index.ts";
import { type BasisRows, isBasisRows } from "../linalg/vectors/arithmetic.ts";
import { column, type Matrix, precisionOf, zeros } from "../tensors/index.ts";
import type { Communicator } from "./communicator.ts";
import { gatherRows } from "./gatherRows.ts";

/**
 * A matrix whose rows are split over the ranks, such as the basis of `lanczos`, with all of its rows. Every rank receives it, or rank `onto` alone
 * and the others `undefined`: a rank that receives it needs memory for it. A matrix that is not split is returned as it is. One exchange a column.
 */
export async function gatherBasis(
  Q: Matrix | BasisRows,
  communicator: Communicator,
  options: { readonly onto?: number } = {},
): Promise<Matrix | undefined> {
  checkObject(Q, "gatherBasis expects a matrix", ["rows", "columns", "data"]);
  checkObject(communicator, "gatherBasis expects a communicator", ["rank", "size"]);
  if (!isBasisRows(Q)) return Q;
  const { columns, allRows: rows } = Q;
  const { onto = communicator.rank } = options;
  const data = communicator.rank === onto ? zeros(rows * columns, precisionOf(Q.data)) : undefined;
  for (let k = 0; k < columns; k++) {
    // All ranks take part, also those that drop it.
    const whole = await gatherRows(column(Q, k), communicator);
    data?.set(whole, k * rows);
  }
  return data && { rows, columns, data };
}
