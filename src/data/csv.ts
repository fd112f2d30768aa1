import { arrays } from "./arrays.ts";
import { checkedScale } from "./checkedScale.ts";
import { convertTensor } from "./convertTensor.ts";
import type { Data } from "./data.ts";
import { readSource, type Source } from "./readSource.ts";
import type { ColumnOptions } from "./tables/chooseColumns.ts";
import { csvTable, type TableOptions } from "./tables/csvTable.ts";
import type { TargetType } from "./tables/labelCodes.ts";
import { loadTable } from "./tables/loadTable.ts";
import { tableTargets } from "./tables/tableTargets.ts";
import { checkedRange } from "./takeRows.ts";

/** Options that say what the columns of a table are. */
export interface LabelOptions extends ColumnOptions {
  /** "class" (the default): whole numbers from 0, or names, which become such numbers; kept as int32. "number": float32. */
  readonly targetType?: TargetType;
  /** Names of the classes in the order of their labels; by default those that occur, sorted. */
  readonly classes?: readonly string[];
}

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
 * @throws CurvatureError naming file, line, row and column where the file is not a table of finite numbers with labels 0, 1, 2, ... or
 *   names of classes; see also the options
 */
export async function csv(source: Source, { scale, batchSize, ...options }: CsvOptions = {}): Promise<Data> {
  const divisor = checkedScale(scale);
  const contents = await readSource(source, options);
  const { name, memoryLimit } = contents;
  if (options.rows !== undefined) checkedRange(options.rows, { where: name }); // checked before rows are skipped by it
  const { inputs, targets, weights, classes } = await loadTable(csvTable(contents, options), {
    ...options,
    memoryLimit,
  });
  const { targetType = "class" } = options;
  const labels = targets && tableTargets(targets, { targetType, whole: false, where: name });
  return {
    ...arrays({
      inputs: convertTensor(inputs[""]!, { dtype: "float32", scale: divisor, where: name }),
      ...(labels && { targets: { data: labels.data, dims: labels.dims } }),
      ...(weights && { weights }),
      ...(batchSize === undefined ? {} : { batchSize }),
      description: name,
    }),
    ...(classes && { classes }),
  };
}
