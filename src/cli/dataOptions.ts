import { type Command, Option } from "commander";
import {
  CurvatureError,
  type Data,
  type EmpiricalRiskOptions,
  empiricalRisk,
  type FileModel,
  loadData,
  type Risk,
} from "../index.ts";
import { DATA_HELP, type FileOptions, fileSettings, withFileOptions } from "./fileOptions.ts";
import {
  classAxisOption,
  dtypeOption,
  type LossChoice,
  lossOption,
  reductionOption,
  withOutputs,
} from "./lossOption.ts";
import { type ModelOptions, readOptions, withModelOptions } from "./modelOptions.ts";
import { patternList, wholeNumber } from "./parsers.ts";

/** Options of commands that evaluate a model on one table of rows. */
export interface RiskOptions extends ModelOptions, FileOptions {
  readonly data: string;
  readonly targets?: string;
  readonly loss: LossChoice;
  readonly reduction: "mean" | "sum";
  readonly classAxis?: "second" | "last";
  readonly assumeLogits?: true;
  readonly dtype: "float32" | "float64";
  readonly parameters?: readonly (string | RegExp)[];
  readonly batchSize?: number;
}

/** Help of `--targets` in commands that read other rows too. */
const TARGETS_HELP = "labels or values of --data in a file of their own; other rows are then ROWS,TARGETS";

/** Adds these options to a command. */
export function withRiskOptions(command: Command): Command {
  return withModelOptions(
    withFileOptions(
      command
        .requiredOption("--data <file>", DATA_HELP)
        .addOption(new Option("--targets <file>", TARGETS_HELP).conflicts("label")),
    )
      .addOption(lossOption())
      .addOption(reductionOption())
      .addOption(classAxisOption())
      .option("--assume-logits", "take outputs as logits even where they are probabilities")
      .option("--parameters <pattern>", "weights to take: name, name with * or /regexp/; repeatable", patternList)
      .option("--batch-size <n>", "rows at once; 512 by default", wholeNumber(1))
      .addOption(dtypeOption()),
  );
}

/** Rows from a file, as the options say. With `targets`, other files than that of `data` are pairs of rows and targets. */
export function openData(
  model: FileModel,
  options: RiskOptions & { readonly file?: string; readonly signal: AbortSignal },
): Promise<Data> {
  const { batchSize, loss, file = options.data, signal } = options;
  const isOther = file !== options.data;
  const [data, targets] = isOther && options.targets !== undefined ? pairOf(file) : [file, options.targets];
  const { rows, ...settings } = fileSettings(options);
  return loadData({
    ...readOptions(options),
    ...settings,
    signal,
    model,
    targetType: loss.targetType,
    data,
    ...(targets === undefined ? {} : { targets }),
    ...(rows === undefined || isOther ? {} : { rows }),
    ...(batchSize === undefined ? {} : { batchSize }),
  });
}

/** The files of rows and targets, which a comma separates. */
function pairOf(text: string): readonly [rows: string, targets: string] {
  const [rows, targets, ...more] = text.split(",");
  if (rows && targets && more.length === 0) return [rows, targets];
  throw new CurvatureError(
    "argument",
    `expected ROWS,TARGETS, the files of rows and of their targets with a comma between, as --data and --targets are two; got "${text}"`,
  );
}

/** The risk of a model on rows, as the options say. */
export function openRisk(
  model: FileModel,
  { data, options }: { readonly data: Data; readonly options: RiskOptions },
): Promise<Risk> {
  const { dtype, parameters, memoryLimit, assumeLogits = false } = options;
  const settings: EmpiricalRiskOptions = {
    model,
    loss: withOutputs(options),
    data,
    dtype,
    assumeLogits,
    ...(memoryLimit === undefined ? {} : { memoryLimit }),
    ...(parameters === undefined ? {} : { parameters: [...parameters] }),
  };
  return empiricalRisk(settings);
}
