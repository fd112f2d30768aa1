import { Command, Option } from "commander";
import {
  adamSteps,
  gradientDescentSteps,
  hessianFreeSteps,
  levenbergMarquardtSteps,
  naturalGradientSteps,
  newtonCgSteps,
  type TrainingResult,
} from "../../applications/training/index.ts";
import { accuracy, CurvatureError, ggn, type Risk, type RunOptions, saveModel } from "../../index.ts";
import { stateStore } from "../../linalg/index.ts";
import { openData, openRisk, type RiskOptions, withRiskOptions } from "../dataOptions.ts";
import { interruptible } from "../interruption.ts";
import { openModel } from "../modelOptions.ts";
import { outFileOption } from "../outOption.ts";
import { prepareFiles } from "../outputFiles.ts";
import { patternList, positiveNumber, wholeNumber } from "../parsers.ts";
import { print, printError, printJson } from "../print.ts";
import { progressDisplay } from "../progress.ts";

interface TuneOptions extends RiskOptions {
  readonly method: keyof typeof METHODS;
  readonly steps: number;
  readonly learningRate?: number;
  readonly weightDecay?: number;
  readonly freeze?: readonly (string | RegExp)[];
  readonly validation?: string;
  readonly patience?: number;
  readonly batchRows?: number;
  readonly target?: number;
  readonly seed: number;
  readonly state?: string;
  readonly out: string;
  readonly json?: true;
}

const METHODS = {
  "newton-cg": (risk: Risk, { learningRate: _, ...options }: MethodOptions) =>
    newtonCgSteps(risk, { ...options, matrix: ggn }),
  "hessian-free": (risk: Risk, { learningRate: _, ...options }: MethodOptions) => hessianFreeSteps(risk, options),
  "natural-gradient": (risk: Risk, { learningRate: _, ...options }: MethodOptions) =>
    naturalGradientSteps(risk, options),
  "levenberg-marquardt": (risk: Risk, { learningRate: _, ...options }: MethodOptions) =>
    levenbergMarquardtSteps(risk, options),
  "gradient-descent": (risk: Risk, { learningRate = 0.1, ...options }: MethodOptions) =>
    gradientDescentSteps(risk, { ...options, learningRate, momentum: 0.9 }),
  adam: (risk: Risk, options: MethodOptions) => adamSteps(risk, options),
} as const;

interface MethodOptions extends RunOptions {
  readonly steps: number;
  readonly learningRate?: number;
  readonly weightDecay?: number;
  readonly frozen?: readonly (string | RegExp)[];
  readonly validation?: Risk;
  readonly patience?: number;
  readonly batchRows?: number;
  readonly target?: number;
  readonly seed: number;
  readonly state?: never;
}

const EXAMPLE = `
Methods: newton-cg (trust region, Gauss-Newton matrix), hessian-free, natural-gradient, levenberg-marquardt, gradient-descent (momentum 0.9), adam.
Ctrl-C keeps what is done with --state FILE: the same command goes on from there.

Example:
  $ onnx-curvature tune digits_mlp.onnx --data digits_train.csv.gz --scale 16 --loss crossEntropy --weight-decay 1e-4 --steps 10 --out tuned.onnx`;

/** `tune MODEL`: trains the weights further and writes the file with them. */
export function tuneCommand(): Command {
  const command = new Command("tune")
    .description("train the weights of a model further with second-order methods and write the file again with them")
    .argument("<model>", "ONNX file, or its URL");
  return withRiskOptions(command)
    .addOption(new Option("--method <name>", "how").choices(Object.keys(METHODS)).default("newton-cg"))
    .option("--steps <n>", "most steps", wholeNumber(1), 50)
    .option("--learning-rate <x>", "of gradient-descent and adam", positiveNumber)
    .option("--weight-decay <x>", "strength w of w / 2 |theta|^2", positiveNumber)
    .option(
      "--freeze <pattern>",
      "weights that keep their values: name, name with * or /regexp/; repeatable",
      patternList,
    )
    .option("--validation <file>", "rows whose loss is watched; the weights with the least one are written")
    .option("--patience <n>", "steps without a lower validation loss until the end; 10 by default", wholeNumber(1))
    .option("--batch-rows <n>", "rows of a step, at random; all by default", wholeNumber(1))
    .option("--target <x>", "loss at which to end", positiveNumber)
    .option("--seed <n>", "seed of all random numbers", wholeNumber(0), 0)
    .option("--state <file>", "file to keep the state in, from which the same command goes on")
    .addOption(outFileOption("model to write", "tuned.onnx").default("tuned.onnx"))
    .option("--json", "print the steps and the result as JSON")
    .option("--debug", "print where an error happened")
    .addHelpText("after", EXAMPLE)
    .action(tune);
}

async function tune(file: string, options: TuneOptions): Promise<void> {
  const { out } = options;
  await interruptible(async (signal) => {
    const model = await openModel(file, { ...options, signal });
    const data = await openData(model, { ...options, signal });
    await prepareFiles(out);
    const risk = await openRisk(model, { data, options });
    try {
      const validation =
        options.validation === undefined
          ? undefined
          : await risk.on(await openData(model, { ...options, file: options.validation, signal }));
      const [before, shareBefore] = [await risk.loss(), await accuracy(risk)];
      const result = await trained(risk, { options, validation, signal });
      const after = risk.at(result.theta);
      const [loss, share] = [await after.loss(), await accuracy(after)];
      const saved = await saveModel(model, risk.split(result.theta), out);
      const summary = {
        file: out,
        lossBefore: before,
        loss,
        accuracyBefore: shareBefore,
        accuracy: share,
        ...described(result),
        tensors: saved.tensors,
      };
      if (options.json) printJson(summary);
      else print(table(result, summary));
      printError(`Wrote ${out}\n`);
    } finally {
      await risk.dispose();
    }
  });
}

async function trained(
  risk: Risk,
  {
    options,
    validation,
    signal,
  }: { readonly options: TuneOptions; readonly validation: Risk | undefined; readonly signal: AbortSignal },
): Promise<TrainingResult> {
  const { method, steps, learningRate, weightDecay, freeze, patience, batchRows, target, seed } = options;
  const display = progressDisplay();
  const settings = {
    steps,
    seed,
    ...(learningRate !== undefined && { learningRate }),
    ...(weightDecay !== undefined && { weightDecay }),
    ...(freeze !== undefined && { frozen: freeze }),
    ...(validation !== undefined && { validation }),
    ...(patience !== undefined && { patience }),
    ...(batchRows !== undefined && { batchRows }),
    ...(target !== undefined && { target }),
  };
  const { loss: _, ...plain } = options;
  const told = JSON.stringify({ ...plain, state: undefined, out: undefined, json: undefined });
  const store =
    options.state === undefined ? undefined : stateStore(options.state, { settings: { ...risk.settings, told } });
  try {
    const state = await store?.load();
    const run = METHODS[method](risk, {
      ...settings,
      ...(state !== undefined && { state: state as never }),
      signal,
      onProgress: display.update,
    });
    for (;;) {
      const next = await run.next();
      if (next.done !== true) await store?.save(next.value);
      else if (next.value.stopped === "aborted") throw new CurvatureError("aborted", next.value.message);
      else {
        await store?.clear();
        return next.value;
      }
    }
  } finally {
    display.stop();
  }
}

function described({ theta: _, steps, ...result }: TrainingResult) {
  return { ...result, steps };
}

function table(
  { steps, message, gradientEquivalents }: TrainingResult,
  {
    lossBefore,
    loss,
    accuracyBefore,
    accuracy: share,
  }: {
    readonly lossBefore: number;
    readonly loss: number;
    readonly accuracyBefore: number | undefined;
    readonly accuracy: number | undefined;
  },
): string {
  const line = (cells: readonly (string | number)[]) => cells.map((cell) => String(cell).padStart(12)).join(" ");
  const shown = (value: number | undefined) => {
    if (value === undefined) return "";
    return value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential(4) : value.toPrecision(5);
  };
  const rows = steps.map((step) =>
    line([
      step.step,
      shown(step.objective),
      shown(step.gradientNorm),
      shown(step.ratio),
      step.accepted ? "yes" : "no",
      shown(step.validationLoss),
    ]),
  );
  const percent = (value: number | undefined) =>
    value === undefined ? "" : `, accuracy ${(100 * value).toFixed(2)} %`;
  return [
    line(["step", "objective", "|gradient|", "ratio", "accepted", "validation"]),
    ...rows,
    "",
    `before: loss ${shown(lossBefore)}${percent(accuracyBefore)}`,
    `after:  loss ${shown(loss)}${percent(share)}`,
    `${message}; cost of ${gradientEquivalents.toFixed(0)} gradients`,
    "",
  ].join("\n");
}
