import { CurvatureError, checkObject } from "../errors/index.ts";
import { chooseBatchSize } from "./chooseBatchSize.ts";
import type { Data } from "./data.ts";
import { regroup } from "./regroup.ts";
import { checkedRows, type RowsInput, rowTypeOf } from "./rows.ts";

/** Arrays, and how to split them into batches. */
export interface ArraysOptions extends RowsInput {
  /** Rows per batch; 512 by default. */
  readonly batchSize?: number;
  /** Name of the data in reports and messages. */
  readonly description?: string;
}

/**
 * Data set held in memory, `inputs` `[rows, ...]`, `targets` `[rows, ...]`, `weights` `[rows]`. Batches are views:
 * nothing is copied, so the arrays must not be changed while the data set is in use.
 *
 * @throws CurvatureError if arrays and dimensions do not agree, parts have different numbers of rows, there are no rows, a weight is
 *   negative or not finite, or the batch size is not a positive integer
 */
export function arrays(options: ArraysOptions): Data {
  checkObject(options, "arrays expects { inputs, targets }", ["inputs"]);
  const { batchSize, description = "arrays in memory", ...parts } = options;
  const all = checkedRows(parts, description);
  if (all.rows === 0) throw new CurvatureError("data", `${description}: expected at least one row, got none`);
  const size = chooseBatchSize(batchSize, all.rows);
  return {
    rows: all.rows,
    batchSize: size,
    description,
    inputs: Object.fromEntries(Object.entries(all.inputs).map(([name, tensor]) => [name, rowTypeOf(tensor)])),
    ...(all.targets === undefined ? {} : { targets: rowTypeOf(all.targets) }),
    weighted: all.weights !== undefined,
    batches: ({ signal } = {}) => regroup([all], { batchSize: size, ...(signal === undefined ? {} : { signal }) }),
  };
}
