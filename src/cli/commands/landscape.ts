import { Command, Option } from "commander";
import {
  checkpointDirection,
  eigenvectorDirections,
  filterNormalized,
  gradientDirection,
  type Landscape,
  type LandscapeDirection,
  landscapeSteps,
  randomDirections,
} from "../../applications/sharpness/index.ts";
import { CurvatureError, type Risk } from "../../index.ts";
import { stateStore } from "../../linalg/index.ts";
import { renderLandscape } from "../../report/index.ts";
import { openData, openRisk, type RiskOptions, withRiskOptions } from "../dataOptions.ts";
import { interruptible } from "../interruption.ts";
import { openModel } from "../modelOptions.ts";
import { outFileOption } from "../outOption.ts";
import { prepareFiles, writeFiles } from "../outputFiles.ts";
import { positiveNumber, wholeNumber } from "../parsers.ts";
import { print, printError, printJson } from "../print.ts";
import { progressDisplay } from "../progress.ts";

interface LandscapeCommandOptions extends RiskOptions {
  readonly directions: "eigenvectors" | "random" | "gradient" | "checkpoint";
  readonly line?: true;
  readonly filterNormalize?: true;
  readonly to?: string;
  readonly range: number;
  readonly points: number;
  readonly accuracy?: true;
  readonly seed: number;
  readonly state?: string;
  readonly out: string;
  readonly json?: true;
}

const EXAMPLE = `
Directions: eigenvectors of the largest eigenvalues of the Hessian, random ones (filter-normalized), the gradient (and the top eigenvector), or the
way to the weights of another file (--to, and the top eigenvector).

Example:
  $ onnx-curvature landscape digits_mlp.onnx --data digits_train.csv.gz --scale 16 --loss crossEntropy --out landscape.html`;

/** `landscape MODEL`: writes the loss on a plane or a line through the weights, with the quadratic model. */
export function landscapeCommand(): Command {
  const command = new Command("landscape")
    .description("compute the loss on a plane or a line through the weights, beside its quadratic model, and draw both")
    .argument("<model>", "ONNX file, or its URL");
  return withRiskOptions(command)
    .addOption(
      new Option("--directions <kind>", "axes of the picture")
        .choices(["eigenvectors", "random", "gradient", "checkpoint"])
        .default("eigenvectors"),
    )
    .option("--line", "a line along the first direction instead of a plane")
    .option("--filter-normalize", "scale the weights of each output as they are in the network")
    .option("--to <file>", "file of the same network whose weights lie at step 1 of --directions checkpoint")
    .option("--range <x>", "largest step along each direction", positiveNumber, 1)
    .option("--points <n>", "points along each direction", wholeNumber(2), 21)
    .option("--accuracy", "compute the accuracy as well")
    .option("--seed <n>", "seed of all random numbers", wholeNumber(0), 0)
    .option("--state <file>", "file to keep the state in, from which the same command goes on")
    .addOption(outFileOption("page to write", "landscape.html").default("landscape.html"))
    .option("--json", "print all numbers as JSON")
    .option("--debug", "print where an error happened")
    .addHelpText("after", EXAMPLE)
    .action((file: string, options: LandscapeCommandOptions) => drawLandscape(command, file, options));
}

async function drawLandscape(command: Command, file: string, options: LandscapeCommandOptions): Promise<void> {
  const { out, json } = options;
  if ((options.directions === "checkpoint") !== (options.to !== undefined)) {
    command.error("error: expected --directions checkpoint together with --to FILE");
  }
  await interruptible(async (signal) => {
    const model = await openModel(file, { ...options, signal });
    const data = await openData(model, { ...options, signal });
    await prepareFiles(out);
    const risk = await openRisk(model, { data, options });
    try {
      const directions = await directionsOf(risk, { ...options, signal });
      const found = await computed(risk, { directions, options, signal });
      const page = renderLandscape({ model: model.name, data: data.description, rows: risk.rows, landscape: found });
      await writeFiles([[out, page]]);
      if (json)
        printJson({
          ...found,
          values: found.values.map((row) => [...row]),
          quadratic: found.quadratic.map((row) => [...row]),
        });
      else print(table(found));
      printError(`Wrote ${out}\n`);
    } finally {
      await risk.dispose();
    }
  });
}

async function directionsOf(
  risk: Risk,
  options: LandscapeCommandOptions & { readonly signal: AbortSignal },
): Promise<readonly LandscapeDirection[]> {
  const { directions, seed, line, filterNormalize, signal } = options;
  const k = line ? 1 : 2;
  const top = async (count: number) => eigenvectorDirections(risk, { seed, k: count, signal });
  const kinds = {
    eigenvectors: () => top(k),
    random: () => randomDirections(risk, { seed, k }),
    gradient: async () => [await gradientDirection(risk), ...(line ? [] : await top(1))],
    checkpoint: async () => [
      checkpointDirection(risk, await otherWeights(risk, options)),
      ...(line ? [] : await top(1)),
    ],
  };
  const found = await kinds[directions]();
  return filterNormalize && directions !== "random"
    ? Promise.all(found.map((direction) => filterNormalized(risk, direction)))
    : found;
}

async function otherWeights(risk: Risk, options: LandscapeCommandOptions & { readonly signal: AbortSignal }) {
  const other = await openModel(options.to!, options);
  const tensors = risk.parameters.map(({ name, dims }) => {
    const found = other.parameters.find((each) => each.name === name);
    if (found !== undefined && found.dims.join() === dims.join()) return [name, found] as const;
    throw new CurvatureError(
      "argument",
      `--to ${options.to} has no weight "${name}" of these dimensions; expected another checkpoint of the same network`,
    );
  });
  return risk.join(Object.fromEntries(tensors.map(([name, { data, dims }]) => [name, { data, dims }])));
}

async function computed(
  risk: Risk,
  {
    directions,
    options,
    signal,
  }: {
    readonly directions: readonly LandscapeDirection[];
    readonly options: LandscapeCommandOptions;
    readonly signal: AbortSignal;
  },
): Promise<Landscape> {
  const { range, points, accuracy = false } = options;
  const { loss: _, ...plain } = options;
  const told = JSON.stringify({ ...plain, state: undefined, out: undefined, json: undefined });
  const store =
    options.state === undefined ? undefined : stateStore(options.state, { settings: { ...risk.settings, told } });
  const grid = Array.from({ length: points }, (_, i) => range * ((2 * i) / (points - 1) - 1));
  const display = progressDisplay();
  try {
    const state = await store?.load();
    const settings = { directions, grid, accuracy, signal, onProgress: display.update };
    const run = landscapeSteps(risk, { ...settings, ...(state !== undefined && { state: state as never }) });
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

function table({ axes, loss, values, message }: Landscape): string {
  const all = values.flatMap((row) => [...row]).filter(Number.isFinite);
  const lines = axes.map(
    ({ name, norm, slope, curvature }) =>
      `${name}: length ${norm.toPrecision(4)}, slope ${slope.toPrecision(4)}, curvature ${curvature.toPrecision(4)}`,
  );
  const ends = `loss ${loss.toPrecision(5)} at the weights, ${Math.min(...all).toPrecision(5)} to ${Math.max(...all).toPrecision(5)} on the grid`;
  return [...lines, ends, ...(message === "" ? [] : [message]), ""].join("\n");
}
