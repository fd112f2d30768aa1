import { Command } from "commander";
import { checkpointCurvature } from "../../applications/sharpness/index.ts";
import { type NamedCheckpoint, renderCheckpoints } from "../../report/index.ts";
import { openData, openRisk, type RiskOptions, withRiskOptions } from "../dataOptions.ts";
import { interruptible } from "../interruption.ts";
import { openModel } from "../modelOptions.ts";
import { outFileOption } from "../outOption.ts";
import { type PreparedFolders, prepareFiles, writeFiles } from "../outputFiles.ts";
import { positiveNumber, wholeNumber } from "../parsers.ts";
import { print, printError, printJson } from "../print.ts";
import { type ProgressDisplay, progressDisplay } from "../progress.ts";

interface CompareOptions extends RiskOptions {
  readonly radius: number;
  readonly probes: number;
  readonly seed: number;
  readonly out?: string;
  readonly json?: true;
}

const EXAMPLE = `
For a quick look along many models: loss, trace, largest eigenvalue and sharpness of each. "report" takes several models too, with spectra, layers and all other
sections for each, at many times the cost.

Example:
  $ onnx-curvature compare epoch1.onnx epoch2.onnx --data digits_train.csv.gz --scale 16 --loss crossEntropy --out checkpoints.html`;

/** `compare A B ...`: curvature of models on the same rows, as along the checkpoints of a training run. */
export function compareCommand(): Command {
  const command = new Command("compare")
    .description("compare loss, curvature and sharpness of models on the same rows, as along checkpoints of training")
    .argument("<models...>", "ONNX files");
  return withRiskOptions(command)
    .option("--radius <x>", "radius of the adaptive sharpness", positiveNumber, 0.5)
    .option("--probes <n>", "random vectors of the trace", wholeNumber(2), 50)
    .option("--seed <n>", "seed of all random numbers", wholeNumber(0), 0)
    .addOption(outFileOption("page to write, with a figure for each quantity along the models", "compare.html"))
    .option("--json", "print the result as JSON")
    .option("--debug", "print where an error happened")
    .addHelpText("after", EXAMPLE)
    .action(compare);
}

async function compare(files: readonly string[], options: CompareOptions): Promise<void> {
  const { out } = options;
  let folders: PreparedFolders | undefined;
  const display = progressDisplay();
  try {
    await interruptible(
      async (signal) => {
        folders = out === undefined ? undefined : await prepareFiles(out);
        const { checkpoints, data, rows } = await computed(files, { options, signal, display });
        display.stop();
        if (out !== undefined) await writeFiles([[out, renderCheckpoints({ checkpoints, data, rows })]]);
        if (options.json) printJson(checkpoints.map(({ name, ...numbers }) => ({ file: name, ...numbers })));
        else print(table(checkpoints));
        if (out !== undefined) printError(`Wrote ${out}\n`);
      },
      { onInterrupt: display.stop },
    );
  } finally {
    display.stop();
    await folders?.discard();
  }
}

/** The numbers of all models, and what they were computed on. */
async function computed(
  files: readonly string[],
  {
    options,
    signal,
    display,
  }: { readonly options: CompareOptions; readonly signal: AbortSignal; readonly display: ProgressDisplay },
) {
  const { radius, probes, seed } = options;
  const checkpoints: NamedCheckpoint[] = [];
  let [data, rows] = ["", 0];
  // A file that cannot be read is said before anything is computed.
  for (const name of files) await openModel(name, { ...options, signal });
  for (const name of files) {
    display.update({ stage: name, done: checkpoints.length, total: files.length });
    const model = await openModel(name, { ...options, signal });
    const table = await openData(model, { ...options, signal });
    const risk = await openRisk(model, { data: table, options });
    try {
      checkpoints.push({ name, ...(await checkpointCurvature(risk, { radius, probes, seed, signal })) });
      [data, rows] = [table.description, risk.rows];
    } finally {
      await risk.dispose();
    }
  }
  return { checkpoints, data, rows };
}

function table(rows: readonly NamedCheckpoint[]): string {
  const cells = (values: readonly string[]) => values.map((value) => value.padStart(13)).join("");
  const short = (value: number | undefined) => (value === undefined ? "" : value.toPrecision(4));
  const head = ["loss", "accuracy", "|gradient|", "trace", "+-", "largest", "stable rate", "sharpness"];
  const lines = rows.map(
    (row) =>
      `${cells([short(row.loss), short(row.accuracy), short(row.gradientNorm), short(row.trace.value), short(row.trace.standardError), short(row.largestEigenvalue.value), short(row.stableLearningRate), short(row.adaptiveSharpness.value)])}  ${row.name}`,
  );
  return [`${cells(head)}  model`, ...lines, ""].join("\n");
}
