import { join } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import {
  type ComparePruningOptions,
  comparePruningSteps,
  type NamedPruningMethod,
  type PruningComparison,
  type PruningCurve,
  type PruningPoint,
} from "../../applications/pruning/index.ts";
import { type CompactModel, type Risk, type SavedModel, saveCompact, saveModel } from "../../index.ts";
import { stateStore } from "../../linalg/index.ts";
import { renderPruning } from "../../report/index.ts";
import { openData, openRisk, type RiskOptions, withRiskOptions } from "../dataOptions.ts";
import { interruptible } from "../interruption.ts";
import { openModel } from "../modelOptions.ts";
import { outFolderOption } from "../outOption.ts";
import { prepareFiles, writeFiles } from "../outputFiles.ts";
import { patternList, positiveNumber, wholeNumber } from "../parsers.ts";
import { print, printError, printJson } from "../print.ts";
import { progressDisplay } from "../progress.ts";

interface PruneCommandOptions extends RiskOptions {
  readonly sparsity?: readonly number[];
  readonly pattern?: string;
  readonly method?: readonly NamedPruningMethod[];
  readonly units: "weights" | "rows" | "columns" | "channels";
  readonly tensors?: readonly (string | RegExp)[];
  readonly scope: "global" | "layer";
  readonly steps: number;
  readonly damping: number;
  readonly test?: string;
  readonly probes?: number;
  readonly seed: number;
  readonly state?: string;
  readonly out: string;
  readonly json?: true;
}

const METHODS: Readonly<Record<string, NamedPruningMethod>> = {
  magnitude: "magnitude",
  "first-order": "firstOrder",
  obd: "obd",
  obs: "obs",
  sequential: "sequential",
  kfac: "kfac",
  ekfac: "ekfac",
  woodfisher: "woodFisher",
};

const EXAMPLE = `
Methods: magnitude, first-order, obd (diagonal of the Gauss-Newton matrix), obs (its damped inverse), sequential (obs, one weight at a time), kfac, ekfac, woodfisher (blocks of 50
weights). From obs on all other weights adapt to what is removed. By default magnitude, obd, obs and woodfisher; for more than 3,000 weights magnitude, kfac and woodfisher.

Writes to --out: report.html with all methods and sparsities, and pruned.onnx with the method of least loss (on --test, if given) at the last sparsity.

Example:
  $ onnx-curvature prune digits_mlp.onnx --data digits_train.csv.gz --scale 16 --loss crossEntropy --sparsity 0.5,0.7,0.9 --out pruning`;

/** `prune MODEL`: removes weights in several ways, reports loss and accuracy, and writes the best model. */
export function pruneCommand(): Command {
  const command = new Command("prune")
    .description("remove weights by saliency, adapt the others, and compare loss and accuracy with what was predicted")
    .argument("<model>", "ONNX file, or its URL");
  return withRiskOptions(command)
    .option("--sparsity <list>", "shares of weights to remove, between 0 and 1; 0.5,0.7,0.9 by default", shareList)
    .option("--pattern <n:m>", "keep N of each M consecutive inputs of an output, such as 2:4, instead of --sparsity")
    .option("--method <list>", "ways of pruning, separated by commas", methodList)
    .addOption(
      new Option("--units <kind>", "what is removed at once; channels are taken out of the file")
        .choices(["weights", "rows", "columns", "channels"])
        .default("weights"),
    )
    .option("--tensors <pattern>", "tensors to prune: name, name with * or /regexp/; repeatable", patternList)
    .addOption(
      new Option("--scope <kind>", "compare all weights, or remove the same share of each tensor")
        .choices(["global", "layer"])
        .default("global"),
    )
    .option("--steps <n>", "steps of gradual pruning, with a matrix of its own each", wholeNumber(1), 1)
    .option("--damping <x>", "added to the matrix", positiveNumber, 1e-3)
    .option("--test <file>", "other rows on which loss and accuracy are measured too")
    .option("--probes <n>", "random vectors where a diagonal is estimated", wholeNumber(2))
    .option("--seed <n>", "seed of all random numbers", wholeNumber(0), 0)
    .option("--state <file>", "file to keep the state in, from which the same command goes on")
    .addOption(outFolderOption("folder to write report.html and pruned.onnx to").default("pruning"))
    .option("--json", "print all numbers as JSON")
    .option("--debug", "print where an error happened")
    .addHelpText("after", EXAMPLE)
    .action((file: string, options: PruneCommandOptions) => pruneModel(command, file, options));
}

function shareList(text: string): readonly number[] {
  return text.split(",").map((part) => {
    const value = Number(part);
    if (part.trim() !== "" && value >= 0 && value <= 1) return value;
    throw new InvalidArgumentError(`Expected shares from 0 to 1 separated by commas, such as 0.5,0.9; got "${part}".`);
  });
}

function methodList(text: string): readonly NamedPruningMethod[] {
  return text.split(",").map((part) => {
    const name = part.trim().toLowerCase();
    if (Object.hasOwn(METHODS, name)) return METHODS[name]!;
    throw new InvalidArgumentError(
      `Expected names among ${Object.keys(METHODS).join(", ")}, separated by commas; got "${part}".`,
    );
  });
}

async function pruneModel(command: Command, file: string, options: PruneCommandOptions): Promise<void> {
  const { out, json, sparsity, pattern } = options;
  if (sparsity !== undefined && pattern !== undefined)
    command.error("error: expected --sparsity or --pattern, got both");
  await interruptible(async (signal) => {
    const model = await openModel(file, { ...options, signal });
    const data = await openData(model, { ...options, signal });
    const [page, pruned] = [join(out, "report.html"), join(out, "pruned.onnx")];
    const risk = await openRisk(model, { data, options });
    const folders = await prepareFiles(page, pruned);
    try {
      const test =
        options.test === undefined
          ? undefined
          : await risk.on(await openData(model, { ...options, file: options.test, signal }));
      const comparison = await compared(risk, { options, test, signal });
      const { curve, point } = bestOf(comparison);
      const save = options.units === "channels" ? saveCompact : saveModel;
      const saved = await save(model, risk.split(point.theta), pruned);
      const written = { method: curve.title, point, file: "pruned.onnx" };
      const tested = test && { test: { data: test.data.description, rows: test.rows } };
      await writeFiles([
        [
          page,
          renderPruning({ model: model.name, data: data.description, rows: risk.rows, ...tested, comparison, written }),
        ],
      ]);
      const chosen = { file: pruned, method: curve.method, sparsity: point.sparsity, loss: point.loss };
      if (json) printJson({ ...withoutWeights(comparison), written: { ...chosen, ...saved } });
      else print(`${table(comparison, { curve, point })}${removedUnits(saved)}`);
      printError(`Wrote ${page} and ${pruned}\n`);
    } finally {
      await folders.discard();
      await risk.dispose();
    }
  });
}

async function compared(
  risk: Risk,
  {
    options,
    test,
    signal,
  }: { readonly options: PruneCommandOptions; readonly test: Risk | undefined; readonly signal: AbortSignal },
): Promise<PruningComparison> {
  const { sparsity, pattern, method, units, tensors, scope, steps, damping, probes, seed } = options;
  const { loss: _, ...plain } = options;
  const told = JSON.stringify({ ...plain, state: undefined, out: undefined, json: undefined });
  const store =
    options.state === undefined ? undefined : stateStore(options.state, { settings: { ...risk.settings, told } });
  const display = progressDisplay();
  const settings: ComparePruningOptions = {
    ...(sparsity !== undefined && { sparsities: sparsity }),
    ...(pattern !== undefined && { pattern }),
    ...(method !== undefined && { methods: method }),
    ...(tensors !== undefined && { tensors }),
    ...(probes !== undefined && { probes }),
    ...(test !== undefined && { validation: test }),
    units,
    scope,
    steps,
    damping,
    seed,
    signal,
    onProgress: display.update,
  };
  try {
    const state = await store?.load();
    const run = comparePruningSteps(risk, { ...settings, ...(state !== undefined && { state: state as never }) });
    for (;;) {
      const next = await run.next();
      if (next.done === true) {
        await store?.clear();
        return next.value;
      }
      await store?.save(next.value);
    }
  } finally {
    display.stop();
  }
}

interface Best {
  readonly curve: PruningCurve;
  readonly point: PruningPoint;
}

/** The method of least loss at the last sparsity. */
function bestOf({ curves }: PruningComparison): Best {
  const last = curves.map((curve) => ({ curve, point: curve.points.at(-1)! }));
  const measured = ({ point }: Best) => point.validationLoss ?? point.loss;
  return last.reduce((best, each) => (measured(each) < measured(best) ? each : best));
}

/** Which units are out of the file, and where zeros stay. */
function removedUnits(saved: SavedModel | CompactModel): string {
  if (!("layers" in saved)) return "";
  const { layers, fixed, bytes, bytesWithZeros } = saved;
  return [
    ...layers.map(({ parameter, units, removed }) => `${parameter}: ${removed.length} of ${units} units taken out`),
    ...fixed.map(({ parameter, reason }) => `${parameter}: all units stay, since ${reason}`),
    `${bytes} bytes, ${bytesWithZeros} with zeros`,
    "",
  ].join("\n");
}

function withoutWeights({ curves, ...comparison }: PruningComparison) {
  return {
    ...comparison,
    curves: curves.map(({ points, ...curve }) => ({ ...curve, points: points.map(({ theta: _, ...point }) => point) })),
  };
}

function table({ curves, loss, accuracy, ...comparison }: PruningComparison, { curve, point }: Best): string {
  const line = (cells: readonly string[]) => cells.map((cell) => cell.padStart(15)).join("");
  const shown = (value: number | undefined) => (value === undefined ? "" : value.toPrecision(4));
  const percent = (value: number | undefined) => (value === undefined ? "" : `${(100 * value).toFixed(2)} %`);
  const rows = curves.flatMap(({ title, points }) =>
    points.map((each) =>
      [
        title.padEnd(20),
        line([
          percent(each.sparsity),
          shown(loss + each.predictedIncrease),
          `${shown(each.loss)}${each.beyondQuadratic ? "*" : ""}`,
          percent(each.accuracy),
          shown(each.validationLoss),
          percent(each.validationAccuracy),
        ]),
      ].join(""),
    ),
  );
  const head = ["sparsity", "predicted loss", "loss", "accuracy", "test loss", "test accuracy"];
  const before = ["0.00 %", "", shown(loss), percent(accuracy), shown(comparison.validationLoss)];
  return [
    `${"method".padEnd(20)}${line(head)}`,
    `${"the whole network".padEnd(20)}${line([...before, percent(comparison.validationAccuracy)])}`,
    ...rows,
    "",
    ...(curves.some(({ points }) => points.some((each) => each.beyondQuadratic))
      ? ["* beyond the quadratic region: the measured increase is far from the predicted one; more steps may help"]
      : []),
    ...curves.flatMap(({ title, inverse }) => (inverse === undefined ? [] : [`${title}: ${inverse}`])),
    `written: ${curve.title} at ${percent(point.sparsity)}, loss ${shown(point.loss)}`,
    "",
  ].join("\n");
}
