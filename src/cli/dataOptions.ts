import type { Command } from "commander";
import { type Data, type EmpiricalRiskOptions, empiricalRisk, type FileModel, loadData, type Risk } from "../index.ts";
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
  readonly loss: LossChoice;
  readonly reduction: "mean" | "sum";
  readonly classAxis?: "second" | "last";
  readonly assumeLogits?: true;
  readonly dtype: "float32" | "float64";
  readonly parameters?: readonly (string | RegExp)[];
  readonly batchSize?: number;
}

/** Adds these options to a command. */
export function withRiskOptions(command: Command): Command {
  return withModelOptions(
    withFileOptions(command.requiredOption("--data <file>", DATA_HELP))
      .addOption(lossOption())
      .addOption(reductionOption())
      .addOption(classAxisOption())
      .option("--assume-logits", "take outputs as logits even where they are probabilities")
      .option("--parameters <pattern>", "weights to take: name, name with * or /regexp/; repeatable", patternList)
      .option("--batch-size <n>", "rows at once; 512 by default", wholeNumber(1))
      .addOption(dtypeOption()),
  );
}

/** Rows from a file, as the options say. */
export function openData(
  model: FileModel,
  options: RiskOptions & { readonly file?: string; readonly signal: AbortSignal },
): Promise<Data> {
  const { batchSize, loss, file = options.data, signal } = options;
  const { rows, ...settings } = fileSettings(options);
  return loadData({
    ...readOptions(options),
    ...settings,
    signal,
    model,
    targetType: loss.targetType,
    data: file,
    ...(rows === undefined || file !== options.data ? {} : { rows }),
    ...(batchSize === undefined ? {} : { batchSize }),
  });
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
