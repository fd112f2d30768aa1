import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { arrays, crossEntropy, type Data, empiricalRisk, loadModel, type Risk } from "../../src/index.ts";

const fixtures = new URL("../fixtures/applications/", import.meta.url);

/** The parsed contents of a fixture of applications. */
export function applicationFixture(name: string) {
  return JSON.parse(readFileSync(new URL(`${name}.json`, fixtures), "utf8"));
}

/** Path of a file beside these fixtures. */
export function applicationFile(name: string): string {
  return fileURLToPath(new URL(name, fixtures));
}

const PIXELS = 64;

function digitsData(table: readonly (readonly number[])[], batchSize: number): Data {
  const x = Float64Array.from(table.flatMap((row) => row.slice(0, PIXELS).map((pixel) => pixel / 16)));
  const y = Int32Array.from(table, (row) => row[PIXELS]!);
  return arrays({
    inputs: { data: x, dims: [table.length, PIXELS] },
    targets: { data: y, dims: [table.length] },
    batchSize,
  });
}

function digitsTable(): readonly (readonly number[])[] {
  const text = gunzipSync(readFileSync(new URL("digits.csv.gz", fixtures))).toString();
  return text
    .trim()
    .split("\n")
    .map((line) => line.split(",").map(Number));
}

/** The rows that the digits network was trained on in their order, chosen ones of them, or the other 360 rows; `only` keeps some of them. */
export function digitsRows(
  which: "train" | "test" | ((labels: readonly number[]) => readonly number[]),
  { batchSize = 1437, only }: { readonly batchSize?: number; readonly only?: readonly number[] } = {},
): Data {
  const table = digitsTable();
  const kept = <T>(rows: readonly T[]) => (only === undefined ? rows : only.map((row) => rows[row]!));
  const reference = JSON.parse(readFileSync(new URL("../digits_ref.json", fixtures), "utf8"));
  const trained: readonly number[] = reference.train_rows;
  const train = trained.map((row) => table[row]!);
  if (which === "train") return digitsData(kept(train), batchSize);
  if (which === "test") {
    const seen = new Set(trained);
    return digitsData(kept(table.filter((_, row) => !seen.has(row))), batchSize);
  }
  return digitsData(
    which(train.map((row) => row[PIXELS]!)).map((row) => train[row]!),
    batchSize,
  );
}

/** The digits network and its 1,437 rows. */
export async function digitsRisk({
  dtype = "float64",
  data = digitsRows("train"),
}: {
  readonly dtype?: "float32" | "float64";
  readonly data?: Data;
} = {}): Promise<Risk> {
  const model = await loadModel(fileURLToPath(new URL("../../examples/digits/digits_mlp.onnx", import.meta.url)));
  return empiricalRisk({ model, loss: crossEntropy(), data, dtype, threads: 1 });
}

/** Difference of two numbers over the larger. */
export function relative(actual: number, expected: number): number {
  return Math.abs(actual - expected) / Math.max(Math.abs(actual), Math.abs(expected), 1e-300);
}
