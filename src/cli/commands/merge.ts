import { Command, Option } from "commander";
import { type MergedTask, mergeModels } from "../../applications/information/index.ts";
import { CurvatureError, type Risk, saveModel } from "../../index.ts";
import { ekfac, kfac } from "../../structured/index.ts";
import { openData, openRisk, type RiskOptions, withRiskOptions } from "../dataOptions.ts";
import { interruptible } from "../interruption.ts";
import { openModel } from "../modelOptions.ts";
import { outFileOption } from "../outOption.ts";
import { prepareFiles } from "../outputFiles.ts";
import { nameList, positiveNumber } from "../parsers.ts";
import { print, printError, printJson } from "../print.ts";
import { progressDisplay } from "../progress.ts";

interface MergeCommandOptions extends RiskOptions {
  readonly taskData?: readonly string[];
  readonly method: "matrix" | "average";
  readonly curvature?: MergeCurvature;
  readonly damping: number;
  readonly out: string;
  readonly json?: true;
}

type MergeCurvature = "fisher" | "kfac" | "ekfac";

const EXAMPLE = `
Each model is weighted by the Fisher matrix on its own rows: --task-data once for each model in order, or --data for all. The exact
Fisher matrix takes a pass over the rows for each product; kfac and ekfac take one or two passes in all, and products without rows.

Example:
  $ onnx-curvature merge a.onnx b.onnx --data digits_train.csv.gz --scale 16 --loss crossEntropy --out merged.onnx`;

/** `merge A B ...`: merges models of one architecture, weighted by what each knows. */
export function mergeCommand(): Command {
  const command = new Command("merge")
    .description("merge models of one architecture and a common ancestor, weighted by their Fisher matrices")
    .argument("<models...>", "two ONNX files or more");
  return withRiskOptions(command)
    .option("--task-data <file>", "rows of one model's own task; once for each model in order", nameList)
    .addOption(new Option("--method <name>", "how").choices(["matrix", "average"]).default("matrix"))
    .addOption(
      new Option("--curvature <name>", "matrix of each model; fisher by default, the others approximate it").choices([
        "fisher",
        "kfac",
        "ekfac",
      ]),
    )
    .option("--damping <x>", "pull to the mean of the models", positiveNumber, 1e-3)
    .addOption(outFileOption("model to write", "merged.onnx").default("merged.onnx"))
    .option("--json", "print the result as JSON")
    .option("--debug", "print where an error happened")
    .addHelpText("after", EXAMPLE)
    .action((files: readonly string[], options: MergeCommandOptions) => merge(command, files, options));
}

async function merge(command: Command, files: readonly string[], options: MergeCommandOptions): Promise<void> {
  const { taskData, method, curvature, damping, out, json } = options;
  if (method === "average" && curvature !== undefined) {
    command.error(
      "error: expected --curvature with --method matrix; an average takes no matrix, leave one of them out",
    );
  }
  if (files.length < 2) command.error(`error: expected two models or more, got ${files.length}`);
  if (taskData !== undefined && taskData.length !== files.length) {
    command.error(`error: expected --task-data once for each of ${files.length} models, got ${taskData.length}`);
  }
  await interruptible(async (signal) => {
    await prepareFiles(out);
    const risks: Risk[] = [];
    const display = progressDisplay();
    try {
      const models = [];
      for (const [i, file] of files.entries()) {
        const model = await openModel(file, { ...options, signal });
        const data = await openData(model, { ...options, ...(taskData && { file: taskData[i]! }), signal });
        risks.push(await openRisk(model, { data, options }));
        models.push(model);
      }
      const tasks: MergedTask[] = [];
      for (const risk of risks) tasks.push({ risk, ...(await matrixOf(risk, { curvature, signal })) });
      const merged = await mergeModels(tasks, { method, damping, signal, onProgress: display.update });
      display.stop();
      if (merged.status !== "converged" && merged.status !== "stagnated")
        throw new CurvatureError("numeric", merged.message);
      await saveModel(models[0]!, risks[0]!.split(merged.theta), out);
      const { theta: _, ...summary } = merged;
      if (json) printJson({ file: out, ...summary });
      else print(table(files, merged.tasks));
      printError(`Wrote ${out}\n`);
    } finally {
      display.stop();
      for (const risk of risks) await risk.dispose();
    }
  });
}

/** The approximation of a model's Fisher matrix; nothing for the exact one, which `mergeModels` takes itself. */
async function matrixOf(
  risk: Risk,
  { curvature = "fisher", signal }: { readonly curvature: MergeCurvature | undefined; readonly signal: AbortSignal },
): Promise<Pick<MergedTask, "matrix">> {
  if (curvature === "fisher") return {};
  const approximate = { kfac, ekfac }[curvature];
  return { matrix: await approximate(risk, { seed: 0, signal }) };
}

function table(
  files: readonly string[],
  tasks: readonly { readonly own: number; readonly merged: number; readonly average: number }[],
): string {
  const cells = (values: readonly (string | number)[]) => values.map((value) => String(value).padStart(14)).join("");
  const rows = tasks.map(
    ({ own, merged, average }, i) => `${cells([own, merged, average].map((loss) => loss.toPrecision(5)))}  ${files[i]}`,
  );
  return [`${cells(["own", "merged", "average"])}  loss on the rows of`, ...rows, ""].join("\n");
}
