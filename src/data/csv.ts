import { arrays } from "./arrays.ts";
import { checkedScale } from "./checkedScale.ts";
import { convertTensor } from "./convertTensor.ts";
import type { Data } from "./data.ts";
import { readSource, type Source } from "./readSource.ts";
import { readTable, type TableOptions } from "./readTable.ts";
import { type LabelOptions, splitTable } from "./splitTable.ts";

/** Options of a data set from a CSV file. */
export interface CsvOptions extends TableOptions, LabelOptions {
  /** Divides the features: `fround(x / scale)`. 1 by default. */
  readonly scale?: number;
  /** Rows per batch; 512 by default. */
  readonly batchSize?: number;
}

/**
 * Data set of a CSV file, plain or gzipped: features `[rows, columns - 1]` in float32 as the model's only input and the
 * label column `[rows]` as targets.
 *
 * @throws CurvatureError naming file, line, row and column where the file is not a table of finite numbers with labels 0, 1, 2, ...; see
 *   also the options
 */
export async function csv(
  source: Source,
  { label, targetType, scale, batchSize, ...options }: CsvOptions = {},
): Promise<Data> {
  const divisor = checkedScale(scale);
  const contents = await readSource(source, options);
  const { name } = contents;
  const table = readTable(contents, options);
  const { features, targets } = splitTable(table, {
    ...(label === undefined ? {} : { label }),
    ...(targetType === undefined ? {} : { targetType }),
  });
  return arrays({
    inputs: convertTensor(features, { dtype: "float32", scale: divisor, where: name }),
    ...(targets === undefined ? {} : { targets }),
    ...(batchSize === undefined ? {} : { batchSize }),
    description: name,
  });
}
