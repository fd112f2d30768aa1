import { rm } from "node:fs/promises";
import { Command, InvalidArgumentError, Option } from "commander";
import {
  type LaplacePosterior,
  type Link,
  laplace,
  loadLaplace,
  predict,
  saveLaplace,
  type UncertaintyReport,
  type UncertaintyState,
  uncertaintyReportSteps,
  type WeightChoice,
} from "../../applications/laplace/index.ts";
import { CurvatureError, type Data, type FileModel, loadData, type Risk } from "../../index.ts";
import { stateStore } from "../../linalg/index.ts";
import { renderUncertainty } from "../../report/index.ts";
import { openData, openRisk, type RiskOptions, withRiskOptions } from "../dataOptions.ts";
import { interruptible } from "../interruption.ts";
import { withOutputs } from "../lossOption.ts";
import { openModel, readOptions } from "../modelOptions.ts";
import { outFileOption } from "../outOption.ts";
import { prepareFiles, writeFiles } from "../outputFiles.ts";
import { positiveNumber, wholeNumber } from "../parsers.ts";
import { predictionTable } from "../predictionTable.ts";
import { print, printError, printJson } from "../print.ts";
import { progressDisplay } from "../progress.ts";
import { uncertaintyText } from "../uncertaintyText.ts";

interface UncertaintyOptions extends Omit<RiskOptions, "data"> {
  readonly data?: string;
  readonly from?: string;
  readonly test?: string;
  readonly ood?: string;
  readonly predict?: string;
  readonly subset: WeightChoice;
  readonly structure: (typeof STRUCTURES)[number];
  readonly matrix?: "ggn" | "fisher" | "empiricalFisher";
  readonly prior: number | "evidence" | "validation";
  readonly by: "scalar" | "tensor";
  readonly validation?: string;
  readonly sigmaNoise?: number;
  readonly temperature?: number;
  readonly rank: number;
  readonly link?: Link;
  readonly samples?: number;
  readonly seed: number;
  readonly save?: string;
  readonly state?: string;
  readonly out: string;
  readonly csv: string;
  readonly json?: true;
}

const STRUCTURES = [
  "kfac",
  "ekfac",
  "full",
  "diagonal",
  "blockDiagonal",
  "lowRank",
  "functionSpace",
  "matrixFree",
] as const;
const LINKS = ["probit", "bridge", "bridgeNormalized", "monteCarlo", "monteCarloDiagonal", "network", "moments"];

const EXAMPLE = `
The posterior of the weights around the trained ones (Laplace approximation), its prior chosen by the evidence, and predictions with it. --test scores them on
held-out rows before and after, --ood tells rows of another kind, --predict writes a table of predictions with intervals. --save keeps the posterior: later --from needs it,
the model and the rows to predict alone.

Example:
  $ onnx-curvature uncertainty digits_mlp.onnx --data digits_train.csv.gz --rows :1200 --scale 16 --loss crossEntropy --subset last-layer --predict new.csv --save posterior.safetensors
  $ onnx-curvature uncertainty digits_mlp.onnx --from posterior.safetensors --loss crossEntropy --scale 16 --predict new.csv`;

/** `uncertainty MODEL`: error bars for the predictions of a trained network. */
export function uncertaintyCommand(): Command {
  const command = new Command("uncertainty")
    .description(
      "give predictions error bars by a Laplace approximation of the weights' posterior, and say how well calibrated they are",
    )
    .argument("<model>", "ONNX file, or its URL");
  withRiskOptions(command);
  const data = command.options.find((option) => option.long === "--data")!;
  data.makeOptionMandatory(false);
  data.description = "rows that the model was trained on, and their labels; not with --from";
  return withPredictionOptions(withPosteriorOptions(command))
    .option("--seed <n>", "seed of all random numbers", wholeNumber(0), 0)
    .option("--state <file>", "file to keep the state in, from which the same command goes on")
    .addOption(outFileOption("report to write", "uncertainty.html").default("uncertainty.html"))
    .option("--csv <file>", "table of predictions to write", "predictions.csv")
    .option("--json", "print the numbers as JSON")
    .option("--debug", "print where an error happened")
    .addHelpText("after", EXAMPLE)
    .action((file: string, options: UncertaintyOptions) => uncertainty(command, file, options));
}

function withPosteriorOptions(command: Command): Command {
  return command
    .optionsGroup("Posterior:")
    .addOption(
      new Option("--subset <weights>", "weights that are uncertain: all, last-layer, or largest:N of largest magnitude")
        .argParser(subset)
        .default("all" as WeightChoice, "all"),
    )
    .addOption(new Option("--structure <name>", "form of the precision").choices([...STRUCTURES]).default("kfac"))
    .addOption(
      new Option("--matrix <name>", "ggn, or fisher for losses that are not convex, by default").choices([
        "ggn",
        "fisher",
        "empiricalFisher",
      ]),
    )
    .addOption(
      new Option("--prior <choice>", "prior precision: evidence, validation (by --validation or --test), or a number")
        .argParser(priorChoice)
        .default("evidence"),
    )
    .addOption(
      new Option("--by <group>", "one precision, or one a tensor, by the evidence")
        .choices(["scalar", "tensor"])
        .default("scalar"),
    )
    .option("--sigma-noise <x>", "noise of squared errors; by the evidence where it is left out", positiveNumber)
    .option("--temperature <x>", "T of the likelihood to the power 1 / T; 1 by default", positiveNumber)
    .option("--rank <n>", "eigenpairs of lowRank", wholeNumber(1), 20)
    .option("--from <file>", "take the posterior that --save wrote")
    .option("--save <file>", "file to keep the posterior in");
}

function withPredictionOptions(command: Command): Command {
  return command
    .optionsGroup("Predictions:")
    .option("--test <file>", "held-out rows with labels, to score predictions on")
    .option("--validation <file>", "rows with labels for --prior validation")
    .option("--ood <file>", "rows of another kind, which predictions should be less sure of")
    .option("--predict <file>", "rows to predict, without labels, or with the same columns as --data")
    .addOption(new Option("--link <name>", "from outputs to predictions; probit by default for classes").choices(LINKS))
    .option("--samples <n>", "samples of a link that draws", wholeNumber(2));
}

function subset(text: string): WeightChoice {
  if (text === "all") return "all";
  if (text === "last-layer" || text === "lastLayer") return "lastLayer";
  const count = /^largest:(\d+)$/.exec(text)?.[1];
  if (count !== undefined) return { largest: "magnitude", count: Number(count) };
  throw new InvalidArgumentError("Expected all, last-layer or largest:N.");
}

function priorChoice(text: string): UncertaintyOptions["prior"] {
  if (text === "evidence" || text === "validation") return text;
  const value = Number(text);
  if (text.trim() !== "" && value > 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError("Expected evidence, validation or a positive number.");
}

async function uncertainty(command: Command, file: string, options: UncertaintyOptions): Promise<void> {
  const { out, csv, save, from, json } = options;
  if ((options.data === undefined) === (from === undefined)) {
    command.error("error: expected either --data FILE, to make a posterior, or --from FILE, to use a saved one");
  }
  if (options.prior === "validation" && options.validation === undefined && options.test === undefined) {
    command.error("error: --prior validation needs rows with labels; give --validation FILE or --test FILE");
  }
  const reports = from === undefined || options.test !== undefined;
  if (!reports && options.predict === undefined) {
    command.error("error: expected --predict FILE or --test FILE together with --from");
  }
  const outputs = [...(reports ? [out] : []), ...(options.predict ? [csv] : []), ...(save ? [save] : [])];
  await interruptible(async (signal) => {
    const model = await openModel(file, { ...options, signal });
    await prepareFiles(...outputs);
    const display = progressDisplay();
    const fitted = await fittedPosterior(model, { options, signal, onProgress: display.update }).finally(display.stop);
    try {
      const { posterior, report } = await reported(model, fitted, { options, signal, reports });
      if (save !== undefined) await saveLaplace(save, posterior);
      const pages: (readonly [string, string])[] = report ? [[out, renderUncertainty(report)]] : [];
      if (options.predict !== undefined) pages.push([csv, await predicted(model, posterior, { options, signal })]);
      await writeFiles(pages);
      await fitted.finished();
      if (json) printJson({ ...report, files: outputs });
      else if (report) print(uncertaintyText(report));
      for (const path of outputs) printError(`Wrote ${path}\n`);
    } finally {
      await fitted.posterior.dispose();
      await fitted.risk?.dispose();
    }
  });
}

interface Work {
  readonly options: UncertaintyOptions;
  readonly signal: AbortSignal;
}

interface Fitted {
  readonly posterior: LaplacePosterior;
  /** The objective that it was made of; none for a saved posterior. */
  readonly risk: Risk | undefined;
  /** Description of the rows that the posterior was fitted to, where it is known. */
  readonly rows?: string;
  /** What an interrupted run has of the report. */
  readonly report?: UncertaintyState;
  /** Keeps what this run has of it. */
  keep(report: UncertaintyState): Promise<void>;
  /** Removes the state. */
  finished(): Promise<void>;
}

/** What the state file of the command holds; a posterior that can be saved lies beside it. */
interface CommandState {
  readonly fitted: boolean;
  /** Description of the rows that it was fitted to, which a loaded posterior does not know. */
  readonly rows: string | undefined;
  readonly report?: UncertaintyState;
}

/** The posterior: a saved one, that of an interrupted run, or a new one. */
async function fittedPosterior(
  model: FileModel,
  { options, signal, onProgress }: Work & { readonly onProgress: ReturnType<typeof progressDisplay>["update"] },
): Promise<Fitted> {
  const { from, state } = options;
  const loss = withOutputs(options);
  const { kept, store, finished } = stateOf(options);
  const before = (await store?.load()) as CommandState | undefined;
  const saved = from ?? (before?.fitted ? kept : undefined);
  const isKept = state !== undefined && options.structure !== "matrixFree";
  const ofRows = (rows: string | undefined) => ({
    keep: async (report: UncertaintyState) => store?.save({ fitted: isKept, rows, report }),
    finished,
    ...(rows !== undefined && { rows }),
    ...(before?.report && { report: before.report }),
  });
  if (saved !== undefined) {
    return { posterior: await loadLaplace(saved, { model, loss }), risk: undefined, ...ofRows(before?.rows) };
  }
  const data = await openData(model, { ...options, data: options.data!, signal });
  const risk = await openRisk(model, { data, options: { ...options, data: options.data! } });
  try {
    const posterior = await made(risk, { options, signal, onProgress });
    if (isKept) {
      await saveLaplace(kept!, posterior);
      await store!.save({ fitted: true, rows: data.description });
    }
    return { posterior, risk, ...ofRows(data.description) };
  } catch (error) {
    await risk.dispose();
    throw error;
  }
}

/** The state file, and the file of the fitted posterior beside it. */
function stateOf({ state, loss: _, ...plain }: UncertaintyOptions) {
  if (state === undefined) return { kept: undefined, store: undefined, finished: async () => {} };
  const told = JSON.stringify({ ...plain, out: undefined, csv: undefined, json: undefined, save: undefined });
  const [kept, store] = [`${state}.posterior`, stateStore(state, { settings: { told } })];
  const finished = async () => {
    await store.clear();
    await rm(kept, { force: true });
  };
  return { kept, store, finished };
}

function made(
  risk: Risk,
  { options, signal, onProgress }: Work & { readonly onProgress: ReturnType<typeof progressDisplay>["update"] },
): Promise<LaplacePosterior> {
  const { subset: weights, structure, matrix, prior, sigmaNoise, temperature, rank, seed } = options;
  const of = matrix === "fisher" ? ({ type: 2 } as const) : matrix;
  return laplace(risk, {
    weights,
    structure,
    rank,
    seed,
    estimation: { seed },
    ...(of && { of }),
    ...(typeof prior === "number" && { priorPrecision: prior }),
    ...(sigmaNoise !== undefined && { sigmaNoise }),
    ...(temperature !== undefined && { temperature }),
    signal,
    onProgress,
  });
}

async function reported(
  model: FileModel,
  fitted: Fitted,
  { options, signal, reports }: Work & { readonly reports: boolean },
): Promise<{ readonly posterior: LaplacePosterior; readonly report?: UncertaintyReport }> {
  const { posterior: own, report: state } = fitted;
  if (!reports) return { posterior: own };
  const { test, validation, ood, prior, by, sigmaNoise, link, samples, seed, from } = options;
  const labelled = async (path: string) =>
    openData(model, { ...options, data: options.data ?? path, file: path, signal });
  const display = progressDisplay();
  try {
    const steps = uncertaintyReportSteps(own, {
      // Of a saved posterior the prior was chosen when it was made.
      prior: typeof prior === "number" || from !== undefined ? "given" : prior,
      by,
      ...(sigmaNoise !== undefined && { sigmaNoise: false }),
      ...(test && { test: await labelled(test) }),
      ...(validation && { validation: await labelled(validation) }),
      ...(ood && { outOfDistribution: await unlabelled(model, { path: ood, options, signal }) }),
      ...(link && { link }),
      ...(samples !== undefined && { samples }),
      ...(state && { state }),
      seed,
      signal,
      onProgress: display.update,
    });
    for (;;) {
      const next = await steps.next();
      if (next.done === true) {
        const { posterior, report } = next.value;
        return { posterior, report: { ...report, data: fitted.rows ?? report.data } };
      }
      await fitted.keep(next.value);
    }
  } finally {
    display.stop();
  }
}

/** Rows with the columns of the data, whose labels are not looked at, or without labels. */
async function unlabelled(
  model: FileModel,
  { path, options, signal }: Work & { readonly path: string },
): Promise<Data> {
  const { label, scale, batchSize, loss } = options;
  const base = {
    ...readOptions(options),
    signal,
    model,
    targetType: loss.targetType,
    data: path,
    ...(scale === undefined ? {} : { scale }),
    ...(batchSize === undefined ? {} : { batchSize }),
  };
  try {
    return await loadData({ ...base, label: false });
  } catch (error) {
    if (!(error instanceof CurvatureError) || error.code === "aborted" || error.code === "file") throw error;
    try {
      const { targets: _, ...rows } = await loadData({ ...base, ...(label === undefined ? {} : { label }) });
      return rows;
    } catch {
      throw error;
    }
  }
}

async function predicted(model: FileModel, posterior: LaplacePosterior, { options, signal }: Work): Promise<string> {
  const { predict: path, link, samples, seed } = options;
  const rows = await unlabelled(model, { path: path!, options, signal });
  const display = progressDisplay();
  try {
    const found = await predict(posterior, rows, {
      ...(link && { link }),
      ...(samples !== undefined && { samples }),
      seed,
      signal,
      onProgress: display.update,
    });
    return predictionTable(found);
  } finally {
    display.stop();
  }
}
