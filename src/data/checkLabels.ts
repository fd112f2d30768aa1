import { CurvatureError } from "../errors/index.ts";
import { dtypeOf, formatDims, type Tensor } from "../tensors/index.ts";
import type { Data } from "./data.ts";
import { describePosition } from "./describePosition.ts";

/** The labels that a loss accepts. */
export interface LabelRange {
  /** Labels are 0, 1, ..., classes - 1. */
  readonly classes: number;
  /** A further label, which marks terms that the loss ignores. */
  readonly ignoreIndex?: number;
}

/**
 * Makes one pass over a data set and rejects at the first label that is not an integer in 0, ..., classes - 1 (or the ignored one), naming
 * its row and value. Time is linear in the number of labels.
 */
export async function checkLabels(data: Data, range: LabelRange): Promise<void> {
  for await (const { start, targets } of data.batches()) {
    if (targets === undefined) {
      throw new CurvatureError("data", `${data.description}: expected class labels as targets, got no targets`);
    }
    checkLabelTensor(targets, { ...range, start, where: data.description });
  }
}

/**
 * Throws at the first label of a tensor `[rows, ...]` that is not an integer in 0, ..., classes - 1 (or the ignored one).
 *
 * @param options `start` is the index of the tensor's first row, `where` names the data in messages
 */
export function checkLabelTensor(
  labels: Tensor,
  { classes, ignoreIndex, start = 0, where }: LabelRange & { readonly start?: number; readonly where: string },
): void {
  if (dtypeOf(labels) === "string" || dtypeOf(labels) === "float16") {
    throw new CurvatureError("data", `${where}: expected labels as whole numbers, got ${dtypeOf(labels)} targets`);
  }
  const { data, dims } = labels;
  const rowSize = data.length / dims[0]!;
  for (let i = 0; i < data.length; i++) {
    const label = Number(data[i]);
    if (Number.isInteger(label) && ((label >= 0 && label < classes) || label === ignoreIndex)) continue;
    const accepted = `0 to ${classes - 1}${ignoreIndex === undefined ? "" : ` or ${ignoreIndex} (ignored)`}`;
    throw new CurvatureError(
      "data",
      `${where}: the label at ${describePosition(start * rowSize + i, dims.slice(1))} is ${label}, ` +
        `expected ${accepted}, since the model has ${classes} classes (targets ${formatDims(dims)})`,
    );
  }
}
