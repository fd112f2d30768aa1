import { basename, join } from "node:path";
import { Command } from "commander";
import {
  type ApproximationName,
  approximationNames,
  type Communicator,
  CurvatureError,
  type CurvatureReport,
  curvatureReport,
  type Data,
  empiricalRisk,
  type FileModel,
  loadData,
  type MatrixName,
  matrixNames,
  onAllRanks,
  type Risk,
  rankStore,
  shardOf,
  version,
} from "../../index.ts";
import { type StateStore, stateStore } from "../../linalg/index.ts";
import { renderComparison, renderComparisonTable, renderHtml, renderJson, renderTable } from "../../report/index.ts";
import { type ChosenLoss, chosenLoss } from "../chosenLoss.ts";
import { DATA_HELP, type FileOptions, fileSettings, withFileOptions } from "../fileOptions.ts";
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
import { outFolderOption } from "../outOption.ts";
import { prepareFiles, writeFiles } from "../outputFiles.ts";
import { approximationList, matrixList, namedFile, patternList, wholeNumber } from "../parsers.ts";
import { print, printError, printJson } from "../print.ts";
import { type ProgressDisplay, progressDisplay } from "../progress.ts";
import { onRanks } from "../ranks.ts";
import { stoppedReport } from "../stoppedReport.ts";

interface ReportOptions extends ModelOptions, FileOptions {
  readonly data?: string;
  readonly input?: { readonly [name: string]: string };
  readonly targets?: string;
  readonly loss?: LossChoice;
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
  readonly rounding: boolean;
  readonly relative: boolean;
  readonly structured?: readonly ApproximationName[];
  readonly seed: number;
  readonly out: string;
  readonly resume?: true;
  readonly state?: string;
  readonly json?: true;
}

const EXAMPLE = `
Data files are CSV, JSON lines, NPY, NPZ or IDX (each also .gz), Parquet or Arrow. Rows are reshaped to the model's input where sizes agree.
Either --data or --input for each input is required.

Example:
  $ onnx-curvature report digits_mlp.onnx --data digits_train.csv.gz --scale 16 --out digits`;

/** `report MODEL...`: writes report.html and report.json for each model and, for several, a comparison. */
export function reportCommand(): Command {
  const command = new Command("report").description(
    "compute the curvature of the loss on a data set and write report.html and report.json",
  );
  addDataOptions(command.argument("<models...>", "ONNX file, or its URL; several are compared on the same data"));
  addMatrixOptions(command);
  return command
    .optionsGroup("Output:")
    .addOption(outFolderOption("folder for report.html and report.json").default("curvature-report"))
    .option("--resume", "go on from the report that Ctrl-C left in --out")
    .option(
      "--state <file>",
      "file to keep finished matrices in, from which the same command goes on; for several models, FILE-NAME of each",
    )
    .option("--json", "print report.json on standard output instead of the short table")
    .option("--debug", "print where an error happened")
    .addHelpText("after", EXAMPLE)
    .action((models: readonly string[], options: ReportOptions) => reports(command, models, options));
}

function addDataOptions(command: Command): void {
  command
    .optionsGroup("Data:")
    .option("--data <file>", DATA_HELP)
    .option("--input <name=file>", "rows of one input; repeat for each", namedFile)
    .option("--targets <file>", "labels or values, one entry a row");
  withFileOptions(command)
    .optionsGroup("Loss:")
    .addOption(lossOption({ mandatory: false }))
    .addOption(reductionOption())
    .addOption(classAxisOption());
  command
    .option("--assume-logits", "take outputs as logits even where they are probabilities")
    .option("--coupled-rows", "take all rows as one batch, for models whose rows influence one another");
  withModelOptions(command);
}

function addMatrixOptions(command: Command): void {
  command
    .optionsGroup("Contents and cost:")
    .option(
      "--matrices <list>",
      `${matrixNames.join(", ")}; by default all that the loss has and that differ`,
      matrixList,
    )
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
    .option("--no-rounding", "do not measure the loss with rounded layers")
    .option("--no-relative", "do not measure the curvature in units of the weights")
    .option(
      "--structured <list>",
      `${approximationNames.join(", ")}: make them and measure how near they are to the Gauss-Newton matrix`,
      approximationList,
    )
    .option("--seed <n>", "seed of all random numbers", wholeNumber(0), 0);
}

async function reports(command: Command, files: readonly string[], options: ReportOptions): Promise<void> {
  checkDataOptions(command, options);
  await onRanks((communicator) => reportsOn(communicator, { files, options }));
}

async function reportsOn(
  communicator: Communicator,
  { files, options }: { readonly files: readonly string[]; readonly options: ReportOptions },
): Promise<void> {
  if (files.length === 1) {
    const { found, text, paths } = await report(files[0]!, { communicator, options });
    print(options.json ? text : renderTable(found));
    return printError(`Wrote ${paths.html} and ${paths.json}\n`);
  }
  const names = distinctNames(files);
  const page = join(options.out, "comparison.html");
  const folders = await onFirstRank(communicator, () => prepareFiles(page));
  try {
    const named: { readonly name: string; readonly report: CurvatureReport; readonly page: string }[] = [];
    for (const [i, file] of files.entries()) {
      const name = names[i]!;
      const { found } = await report(file, { communicator, options: optionsOf(name, options) });
      named.push({ name, report: found, page: `${encodeURIComponent(name)}/report.html` });
    }
    await onFirstRank(communicator, () => writeFiles([[page, renderComparison(named)]]));
    if (options.json) printJson(Object.fromEntries(named.map(({ name, report: found }) => [name, found])));
    else print(renderComparisonTable(named));
    printError(`Wrote ${page}, and a report beside it for each of ${names.join(", ")}\n`);
  } finally {
    await folders?.discard();
  }
}

/** The options of one of several models: a folder and a state of its own. */
function optionsOf(name: string, options: ReportOptions): ReportOptions {
  const { out, state } = options;
  return { ...options, out: join(out, name), ...(state !== undefined && { state: `${state}-${name}` }) };
}

/** Work that the first rank does alone; an error of it ends all ranks. */
async function onFirstRank<T>(communicator: Communicator, work: () => Promise<T>): Promise<T | undefined> {
  return onAllRanks(communicator, async () => (communicator.rank === 0 ? work() : undefined));
}

/** Names of files without folders and endings; a number sets equal ones apart. */
function distinctNames(files: readonly string[]): readonly string[] {
  const stems = files.map((file) => basename(file.split(/[?#]/)[0]!).replace(/[.]onnx$/i, "") || "model");
  return stems.map((stem, i) => (stems.indexOf(stem) === i ? stem : `${stem}-${i + 1}`));
}

interface Written {
  readonly found: CurvatureReport;
  /** Text of report.json. */
  readonly text: string;
  readonly paths: { readonly html: string; readonly json: string };
}

/** Makes the report on one model and writes its files; after Ctrl-C, those of the finished matrices. */
async function report(
  file: string,
  { communicator, options }: { readonly communicator: Communicator; readonly options: ReportOptions },
): Promise<Written> {
  const paths = { html: join(options.out, "report.html"), json: join(options.out, "report.json") };
  const state = await onAllRanks(communicator, async () => (options.resume ? stoppedReport(paths.json) : undefined));
  const display = progressDisplay();
  const folders = await onFirstRank(communicator, () => prepareFiles(paths.html, paths.json));
  const written = (found: CurvatureReport) => write(found, { communicator, paths });
  try {
    const found = await interruptible(
      async (signal) => {
        const { model, chosen } = await onAllRanks(communicator, async () => {
          const model = await openModel(file, { ...options, signal });
          const chosen = await chosenLoss(model, {
            asked: options.loss,
            namesOutput: options.output !== undefined,
            load: (targetType) => dataOf(model, { ...options, targetType, signal }),
          });
          return { model, chosen };
        });
        return compute({ model, chosen, communicator, signal, options, display, state });
      },
      { onInterrupt: display.stop, communicator },
    );
    return { found, text: await written(found), paths };
  } catch (error) {
    if (!(error instanceof CurvatureError && isPartial(error.state))) throw error;
    await written(error.state);
    const finished = Object.values(error.state.matrices).map(({ title }) => title);
    const message = `${error.message} after ${finished.join(", ")}; wrote these to ${paths.html}; the same command ${options.state === undefined ? "with --resume " : ""}goes on`;
    throw new CurvatureError("aborted", message, { cause: error });
  } finally {
    await folders?.discard();
  }
}

function isPartial(state: unknown): state is CurvatureReport {
  return typeof state === "object" && state !== null && "matrices" in state;
}

/** Writes both files and returns the text of report.json. */
async function write(
  found: CurvatureReport,
  { communicator, paths }: { readonly communicator: Communicator; readonly paths: Written["paths"] },
): Promise<string> {
  const text = renderJson(found);
  await onFirstRank(communicator, () =>
    writeFiles([
      [paths.html, renderHtml(found)],
      [paths.json, text],
    ]),
  );
  return text;
}

function checkDataOptions(
  command: Command,
  { data, input, targets, label, output, resume, state }: ReportOptions,
): void {
  const refuse = (message: string) => command.error(`error: ${message}`);
  if ((data === undefined) === (input === undefined)) {
    refuse(
      `expected either --data FILE or --input NAME=FILE for each input, got ${data === undefined ? "neither" : "both"}`,
    );
  }
  if (targets !== undefined && label !== undefined) refuse("expected either --targets or --label, got both");
  if (data === undefined && targets === undefined) refuse("expected --targets FILE beside --input");
  if (resume && state !== undefined) refuse("expected either --resume or --state, got both");
  if (output !== undefined && output.length > 2) refuse(`expected at most two --output, got ${output.length}`);
}

function dataOf(
  model: FileModel,
  options: ReportOptions & { readonly targetType: LossChoice["targetType"]; readonly signal: AbortSignal },
): Promise<Data> {
  const { data, input, targets, batchSize, targetType } = options;
  return loadData({
    ...readOptions(options),
    ...fileSettings(options),
    signal: options.signal,
    model,
    targetType,
    ...(data === undefined ? {} : { data }),
    ...(input === undefined ? {} : { inputs: input }),
    ...(targets === undefined ? {} : { targets }),
    ...(batchSize === undefined ? {} : { batchSize }),
  });
}

interface Computation {
  readonly model: FileModel;
  readonly chosen: ChosenLoss;
  readonly communicator: Communicator;
  readonly signal: AbortSignal;
  readonly options: ReportOptions;
  readonly display: ProgressDisplay;
  readonly state: CurvatureReport | undefined;
}

async function compute(request: Computation): Promise<CurvatureReport> {
  const { model, chosen, signal, options, display, state } = request;
  const risk = await riskOf(request);
  const store = storeOf(risk, request);
  if (chosen.reason !== undefined) printError(`Loss ${risk.lossFunction.name}: ${chosen.reason}\n`);
  const { matrices, probes, steps, densityProbes, eigenvalues, dense, seed, rounding, relative, structured } = options;
  try {
    const kept = state ?? ((await store?.load()) as CurvatureReport | undefined);
    const found = await curvatureReport(risk, {
      wholeData: chosen.data,
      seed,
      rounding,
      relative,
      ...(matrices === undefined ? {} : { matrices }),
      ...(probes === undefined ? {} : { probes }),
      ...(steps === undefined ? {} : { steps }),
      ...(densityProbes === undefined ? {} : { densityProbes }),
      ...(eigenvalues === undefined ? {} : { eigenvalues }),
      ...(dense === undefined ? {} : { dense }),
      ...(structured === undefined ? {} : { structured }),
      ...(kept === undefined ? {} : { state: kept }),
      ...(store && { onMatrix: store.save }),
      provenance: provenance(model, { options, chosen }),
      signal,
      onProgress: display.update,
      onWarning: (warning) => printError(`warning: ${warning}\n`),
    });
    await store?.clear();
    // That of the rows of all ranks.
    return { ...found, data: { ...found.data, file: chosen.data.description } };
  } finally {
    display.stop();
    await risk.dispose();
  }
}

/** The file of `--state`, which the first rank writes. */
function storeOf(risk: Risk, { communicator, options }: Computation): StateStore | undefined {
  const { state, out: _, json: __, resume: ___, ...rest } = options;
  if (state === undefined) return undefined;
  const told = JSON.stringify(rest);
  return rankStore(stateStore(state, { settings: { ...risk.settings, told } }), communicator);
}

function riskOf({ model, chosen, communicator, options }: Computation): Promise<Risk> {
  const { parameters, memoryLimit, reduction, classAxis, dtype } = options;
  const output = options.output ?? (chosen.output === undefined ? undefined : [chosen.output]);
  return empiricalRisk({
    model,
    data: shardOf(chosen.data, communicator),
    communicator,
    dtype,
    loss: withOutputs({ loss: chosen.loss, reduction, ...(classAxis && { classAxis }), ...(output && { output }) }),
    assumeLogits: options.assumeLogits ?? false,
    coupledRows: options.coupledRows ?? false,
    ...(memoryLimit === undefined ? {} : { memoryLimit }),
    ...(parameters === undefined ? {} : { parameters: [...parameters] }),
  });
}

/** What a reader needs to repeat the run. */
function provenance(
  model: FileModel,
  { options, chosen }: { readonly options: ReportOptions; readonly chosen: ChosenLoss },
): { readonly [entry: string]: string } {
  const { scale, label, data } = options;
  return {
    Command: ["onnx-curvature", ...process.argv.slice(2).map(quoted)].join(" "),
    Date: new Date().toISOString(),
    Versions: `onnx-curvature ${version}, Node ${process.versions.node}, ${process.platform} ${process.arch}`,
    Scale: scale === undefined ? "inputs as in the file" : `inputs divided by ${scale}`,
    ...(data === undefined ? {} : { "Label column": label ?? "the last, or the array of targets" }),
    ...(model.producer === "" ? {} : { "Model from": model.producer }),
    ...(chosen.reason === undefined ? {} : { "Loss chosen": chosen.reason }),
  };
}

/** An argument as a shell reads it back. */
function quoted(argument: string): string {
  return /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;
}
