import { readFileSync } from "node:fs";
import { arrays, crossEntropy, type Data, empiricalRisk, type Loss, loadModel, type Risk } from "../../../src/index.ts";
import { applicationFile } from "../digits.ts";

/** Rows of the convex model: 150 for training or 60 others, or some of them. */
export function convexRows(
  name: "train" | "test",
  { only, batchSize = 64 }: { readonly only?: readonly number[]; readonly batchSize?: number } = {},
): Data {
  const all = readFileSync(applicationFile(`softmax_regression_${name}.csv`), "utf8")
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => line.split(",").map(Number));
  const table = only === undefined ? all : only.map((row) => all[row]!);
  return arrays({
    inputs: { data: Float64Array.from(table.flatMap((row) => row.slice(0, 16))), dims: [table.length, 16] },
    targets: { data: Int32Array.from(table, (row) => row[16]!), dims: [table.length] },
    batchSize,
  });
}

/** Softmax regression on its 150 rows, at the weights of the file. */
export async function convexRisk({
  loss = crossEntropy(),
  data = convexRows("train"),
  dtype = "float64",
}: {
  readonly loss?: Loss;
  readonly data?: Data;
  readonly dtype?: "float32" | "float64";
} = {}): Promise<Risk> {
  const model = await loadModel(applicationFile("softmax_regression.onnx"));
  return empiricalRisk({ model, loss, data, dtype, threads: 1 });
}
