import { Command } from "commander";
import { samSharpness, stableLearningRate } from "../../applications/sharpness/index.ts";
import { accuracy, hessian, type Risk } from "../../index.ts";
import { hutchinsonTrace } from "../../linalg/index.ts";
import { openData, openRisk, type RiskOptions, withRiskOptions } from "../dataOptions.ts";
import { interruptible } from "../interruption.ts";
import { openModel } from "../modelOptions.ts";
import { positiveNumber, wholeNumber } from "../parsers.ts";
import { print, printJson } from "../print.ts";
import { progressDisplay } from "../progress.ts";

interface CompareOptions extends RiskOptions {
  readonly radius: number;
  readonly probes: number;
  readonly seed: number;
  readonly json?: true;
}

const EXAMPLE = `
Example:
  $ onnx-curvature compare epoch1.onnx epoch2.onnx --data digits_train.csv.gz --scale 16 --loss crossEntropy`;

/** `compare A B ...`: curvature of models on the same rows, as along the checkpoints of a training run. */
export function compareCommand(): Command {
  const command = new Command("compare")
    .description("compare loss, curvature and sharpness of models on the same rows, as along checkpoints of training")
    .argument("<models...>", "ONNX files");
  return withRiskOptions(command)
    .option("--radius <x>", "radius of the adaptive sharpness", positiveNumber, 0.5)
    .option("--probes <n>", "random vectors of the trace", wholeNumber(2), 50)
    .option("--seed <n>", "seed of all random numbers", wholeNumber(0), 0)
    .option("--json", "print the result as JSON")
    .option("--debug", "print where an error happened")
    .addHelpText("after", EXAMPLE)
    .action(compare);
}

async function compare(files: readonly string[], options: CompareOptions): Promise<void> {
  const found = await interruptible(async (signal) => {
    const display = progressDisplay();
    const rows: (Checkpoint & { readonly file: string })[] = [];
    try {
      for (const file of files) {
        display.update({ stage: file, done: rows.length, total: files.length });
        const model = await openModel(file, { ...options, signal });
        const data = await openData(model, { ...options, signal });
        const risk = await openRisk(model, { data, options });
        try {
          rows.push({ file, ...(await checkpoint(risk, { ...options, signal })) });
        } finally {
          await risk.dispose();
        }
      }
    } finally {
      display.stop();
    }
    return rows;
  });
  if (options.json) printJson(found);
  else print(table(found));
}

type Checkpoint = Awaited<ReturnType<typeof checkpoint>>;

async function checkpoint(
  risk: Risk,
  {
    radius,
    probes,
    seed,
    signal,
  }: { readonly radius: number; readonly probes: number; readonly seed: number; readonly signal: AbortSignal },
) {
  const trace = await hutchinsonTrace(hessian(risk), { matvecs: probes, seed, signal });
  const edge = await stableLearningRate(risk, { seed, signal });
  const sam = await samSharpness(risk, { radius, scale: "adaptive", signal });
  return {
    loss: sam.loss,
    accuracy: await accuracy(risk, { signal }),
    gradientNorm: sam.gradientNorm,
    trace: { value: trace.trace, standardError: trace.standardError },
    largestEigenvalue: { value: edge.eigenvalue, residualNorm: edge.residualNorm },
    stableLearningRate: edge.threshold,
    adaptiveSharpness: { radius, value: sam.sharpness },
  };
}

function table(rows: readonly (Checkpoint & { readonly file: string })[]): string {
  const cells = (values: readonly string[]) => values.map((value) => value.padStart(13)).join("");
  const short = (value: number | undefined) => (value === undefined ? "" : value.toPrecision(4));
  const head = ["loss", "accuracy", "|gradient|", "trace", "+-", "largest", "stable rate", "sharpness"];
  const lines = rows.map(
    (row) =>
      `${cells([short(row.loss), short(row.accuracy), short(row.gradientNorm), short(row.trace.value), short(row.trace.standardError), short(row.largestEigenvalue.value), short(row.stableLearningRate), short(row.adaptiveSharpness.value)])}  ${row.file}`,
  );
  return [`${cells(head)}  model`, ...lines, ""].join("\n");
}
