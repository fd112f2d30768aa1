import { join } from "node:path";
import { Command } from "commander";
import {
  type Communicator,
  type CurvatureReport,
  curvatureReport,
  type Data,
  empiricalRisk,
  type FileModel,
  loadData,
  type MatrixName,
  matrixNames,
  onAllRanks,
  type RunOptions,
  shardOf,
} from "../../index.ts";
import { renderHtml, renderJson, renderTable } from "../../report/index.ts";
import { interruptible } from "../interruption.ts";
import {
  classAxisOption,
  dtypeOption,
  type LossChoice,
  lossOption,
  reductionOption,
  withOutputs,
} from "../lossOption.ts";
import { type ModelOptions, openModel, readOptions, withModelOptions } from "../modelOptions.ts";
import { prepareFiles, writeFiles } from "../outputFiles.ts";
import { matrixList, namedFile, patternList, positiveNumber, rowRange, wholeNumber } from "../parsers.ts";
import { print, printError } from "../print.ts";
import { progressDisplay } from "../progress.ts";
import { onRanks } from "../ranks.ts";

interface ReportOptions extends ModelOptions {
  readonly data?: string;
  readonly input?: { readonly [name: string]: string };
  readonly targets?: string;
  readonly label?: string;
  readonly scale?: number;
  readonly rows?: readonly [from: number, to?: number];
  readonly loss: LossChoice;
  readonly reduction: "mean" | "sum";
  readonly classAxis?: "second" | "last";
  readonly assumeLogits?: true;
  readonly coupledRows?: true;
  readonly matrices?: readonly MatrixName[];
  readonly parameters?: readonly (string | RegExp)[];
  readonly batchSize?: number;
  readonly dtype: "float32" | "float64";
  readonly probes?: number;
  readonly steps?: number;
  readonly densityProbes?: number;
  readonly eigenvalues?: number;
  readonly dense?: boolean;
  readonly seed: number;
  readonly out: string;
  readonly json?: true;
}

const EXAMPLE = `
Data files are CSV (also .gz), NPY, NPZ or IDX (also .gz). Rows are reshaped to the model's input where sizes agree.

Example:
  $ onnx-curvature report digits_mlp.onnx --data digits_train.csv.gz --scale 16 --loss crossEntropy --out digits`;

/** `report MODEL`: writes report.html and report.json for a model and data. */
export function reportCommand(): Command {
  const command = new Command("report").description(
    "compute the curvature of the loss on a data set and write report.html and report.json",
  );
  addDataOptions(command.argument("<model>", "ONNX file, or its URL"));
  addMatrixOptions(command);
  return command
    .option("--out <dir>", "folder for report.html and report.json", "curvature-report")
    .option("--json", "print report.json on standard output instead of the short table")
    .option("--debug", "print where an error happened")
    .addHelpText("after", EXAMPLE)
    .action((model: string, options: ReportOptions) => report(command, model, options));
}

function addDataOptions(command: Command): void {
  command
    .option("--data <file>", "rows of the model's only input, and their labels unless --targets is given")
    .option("--input <name=file>", "rows of one input; repeat for each", namedFile)
    .option("--targets <file>", "labels or values, one entry a row")
    .option("--label <column>", "label column of --data by name or number from 0; the last by default")
    .option("--scale <x>", "divide inputs by this number", positiveNumber)
    .option("--rows <a:b>", "use rows A to B - 1 only, counted from 0", rowRange)
    .addOption(lossOption())
    .addOption(reductionOption())
    .addOption(classAxisOption());
  command
    .option("--assume-logits", "take outputs as logits even where they are probabilities")
    .option("--coupled-rows", "take all rows as one batch, for models whose rows influence one another");
  withModelOptions(command);
}

function addMatrixOptions(command: Command): void {
  command
    .option("--matrices <list>", `${matrixNames.join(", ")}; all that the loss has by default`, matrixList)
    .option(
      "--parameters <pattern>",
      "weights to differentiate: name, name with * or /regexp/; repeatable",
      patternList,
    )
    .option("--batch-size <n>", "rows at once; 512 by default", wholeNumber(1))
    .addOption(dtypeOption())
    .option(
      "--probes <n>",
      "random vectors for traces and norms; 100 by default, 50 beyond 5,000 weights",
      wholeNumber(2),
    )
    .option(
      "--steps <n>",
      "Lanczos steps of the spectral density; 64 by default, 48 beyond 5,000 weights",
      wholeNumber(1),
    )
    .option(
      "--density-probes <n>",
      "random vectors of the spectral density; 6 by default, 3 beyond 5,000 weights",
      wholeNumber(1),
    )
    .option("--eigenvalues <k>", "eigenvalues at each end of the spectrum; 5 by default", wholeNumber(1))
    .option("--dense", "form the dense matrices for exact values; by default for few weights only")
    .option("--no-dense", "do not form them")
    .option("--seed <n>", "seed of all random numbers", wholeNumber(0), 0);
}

async function report(command: Command, file: string, options: ReportOptions): Promise<void> {
  checkDataOptions(command, options);
  await onRanks((communicator) => reportOn(communicator, { file, options }));
}

async function reportOn(
  communicator: Communicator,
  { file, options }: { readonly file: string; readonly options: ReportOptions },
): Promise<void> {
  const [html, json] = [join(options.out, "report.html"), join(options.out, "report.json")];
  const writes = communicator.rank === 0;
  const found = await interruptible(async (signal) => {
    const { model, data } = await onAllRanks(communicator, async () => {
      const model = await openModel(file, { ...options, signal });
      const data = await dataOf(model, { ...options, signal });
      if (writes) await prepareFiles(html, json);
      return { model, data };
    });
    return compute({ model, data, communicator, signal, options });
  });
  const text = renderJson(found);
  await onAllRanks(communicator, async () => {
    if (!writes) return;
    await writeFiles([
      [html, renderHtml(found)],
      [json, text],
    ]);
  });
  print(options.json ? text : renderTable(found));
  printError(`Wrote ${html} and ${json}\n`);
}

function checkDataOptions(command: Command, { data, input, targets, label, output }: ReportOptions): void {
  const refuse = (message: string) => command.error(`error: ${message}`);
  if ((data === undefined) === (input === undefined)) {
    refuse(
      `expected either --data FILE or --input NAME=FILE for each input, got ${data === undefined ? "neither" : "both"}`,
    );
  }
  if (targets !== undefined && label !== undefined) refuse("expected either --targets or --label, got both");
  if (data === undefined && targets === undefined) refuse("expected --targets FILE beside --input");
  if (output !== undefined && output.length > 2) refuse(`expected at most two --output, got ${output.length}`);
}

function dataOf(model: FileModel, options: ReportOptions & { readonly signal: AbortSignal }): Promise<Data> {
  const { data, input, targets, label, scale, rows, batchSize, loss } = options;
  return loadData({
    ...readOptions(options),
    signal: options.signal,
    wanted: Object.fromEntries(model.inputs.map(({ name, dims, dtype }) => [name, { dims, dtype }])),
    targetType: loss.targetType,
    ...(data === undefined ? {} : { data }),
    ...(input === undefined ? {} : { inputs: input }),
    ...(targets === undefined ? {} : { targets }),
    ...(label === undefined ? {} : { label }),
    ...(scale === undefined ? {} : { scale }),
    ...(rows === undefined ? {} : { rows }),
    ...(batchSize === undefined ? {} : { batchSize }),
  });
}

async function compute({
  model,
  data,
  communicator,
  signal,
  options,
}: {
  readonly model: FileModel;
  readonly data: Data;
  readonly communicator: Communicator;
  readonly signal: AbortSignal;
  readonly options: ReportOptions;
}): Promise<CurvatureReport> {
  const { dtype, parameters, matrices, probes, steps, densityProbes, eigenvalues, dense, seed } = options;
  const loss = withOutputs(options);
  const risk = await empiricalRisk({
    model,
    loss,
    data: shardOf(data, communicator),
    communicator,
    dtype,
    assumeLogits: options.assumeLogits ?? false,
    coupledRows: options.coupledRows ?? false,
    ...(options.memoryLimit === undefined ? {} : { memoryLimit: options.memoryLimit }),
    ...(parameters === undefined ? {} : { parameters: [...parameters] }),
  });
  const display = progressDisplay();
  const run: RunOptions = { signal, onProgress: display.update };
  try {
    const found = await curvatureReport(risk, {
      seed,
      ...(matrices === undefined ? {} : { matrices }),
      ...(probes === undefined ? {} : { probes }),
      ...(steps === undefined ? {} : { steps }),
      ...(densityProbes === undefined ? {} : { densityProbes }),
      ...(eigenvalues === undefined ? {} : { eigenvalues }),
      ...(dense === undefined ? {} : { dense }),
      ...run,
    });
    // That of the rows of all ranks.
    return { ...found, data: { ...found.data, file: data.description } };
  } finally {
    display.stop();
    await risk.dispose();
  }
}
