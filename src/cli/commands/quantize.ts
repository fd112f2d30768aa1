import { join } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import {
  type BitPlan,
  bitPlan,
  checkBudget,
  comparePlans,
  type FileLoss,
  measureFile,
  measurePlan,
  type PlanComparison,
  type PlanLoss,
  type PlanObjective,
  type QuantizationSensitivity,
  type QuantizedWeights,
  type QuantizedWeightsOptions,
  quantizationSensitivitySteps,
  quantizedWeights,
  type SavedQuantizedTensor,
  type SizeBudget,
  saveQuantizedModel,
} from "../../applications/quantization/index.ts";
import {
  CurvatureError,
  type FileModel,
  ggn,
  hessian,
  type LinearOperator,
  printableJson,
  type Risk,
  type RunOptions,
} from "../../index.ts";
import { stateStore } from "../../linalg/index.ts";
import { renderQuantization } from "../../report/index.ts";
import { diagonal, kfac } from "../../structured/index.ts";
import { openData, openRisk, type RiskOptions, withRiskOptions } from "../dataOptions.ts";
import { interruptible } from "../interruption.ts";
import { openModel } from "../modelOptions.ts";
import { outFolderOption } from "../outOption.ts";
import { prepareFiles, writeFiles } from "../outputFiles.ts";
import { byteSize, patternList, wholeNumber } from "../parsers.ts";
import { print, printError, printJson } from "../print.ts";
import { progressDisplay } from "../progress.ts";
import { quantizationText } from "../quantizationText.ts";

interface QuantizeOptions extends RiskOptions {
  readonly bits: readonly number[];
  readonly budget: SizeBudget;
  readonly quantize?: readonly (string | RegExp)[];
  readonly perChannel?: true;
  readonly scheme: "symmetric" | "asymmetric";
  readonly step: "max" | "mse";
  readonly objective: PlanObjective;
  readonly eigenvalues?: true;
  readonly matrix: "ggn" | "hessian";
  readonly products?: number;
  readonly compensate?: true;
  readonly test?: string;
  readonly seed: number;
  readonly state?: string;
  readonly out: string;
  readonly json?: true;
}

const EXAMPLE = `
Writes plan.json, quantized.onnx (QDQ: integers, DequantizeLinear) and report.html into the folder --out.
Ctrl-C keeps the sensitivities that are done with --state FILE: the same command goes on from there.

Example:
  $ onnx-curvature quantize digits_mlp.onnx --data digits_train.csv.gz --scale 16 --loss crossEntropy --budget 4 --per-channel --compensate --out quantized`;

/** `quantize MODEL`: plans the bits of each tensor by its curvature, and writes the file with quantized weights. */
export function quantizeCommand(): Command {
  const command = new Command("quantize")
    .description("plan the bits of each weight tensor by curvature, round the weights and write a quantized file")
    .argument("<model>", "ONNX file, or its URL");
  return withRiskOptions(command)
    .option("--bits <list>", "bits to choose among: 2 to 8, and 16 for float16", bitList, [2, 3, 4, 5, 6, 8])
    .option("--budget <size>", "average bits of a weight, as 4 or 3.5, or a size, as 20kB", sizeBudget, {
      averageBits: 4,
    })
    .option(
      "--quantize <pattern>",
      "tensors to quantize: name, name with * or /regexp/; repeatable; weights and tables of two axes or more by default",
      patternList,
    )
    .option("--per-channel", "a step for each output channel")
    .addOption(
      new Option("--scheme <name>", "placement of levels").choices(["symmetric", "asymmetric"]).default("symmetric"),
    )
    .addOption(
      new Option("--step <rule>", "step from the largest weight or of least squared error")
        .choices(["max", "mse"])
        .default("max"),
    )
    .addOption(
      new Option(
        "--objective <name>",
        "what the plan makes least: trace times squared error, change to second order, or the change that was measured",
      )
        .choices(["omega", "predicted", "measured"])
        .default("measured"),
    )
    .addOption(new Option("--matrix <name>", "matrix of the predictions").choices(["ggn", "hessian"]).default("ggn"))
    .option(
      "--products <n>",
      "estimate traces from so many products; exact by default where a pass suffices",
      wholeNumber(2),
    )
    .option("--eigenvalues", "compute the largest eigenvalue of each tensor's block (HAWQ) as well")
    .option("--compensate", "let weights that are not rounded yet make up for the errors of those that are (GPTQ)")
    .option("--test <file>", "rows on which loss and accuracy are measured as well")
    .option("--seed <n>", "seed of all random numbers", wholeNumber(0), 0)
    .option("--state <file>", "file to keep the state in, from which the same command goes on")
    .addOption(outFolderOption("folder to write into").default("quantized"))
    .option("--json", "print the contents of plan.json")
    .option("--debug", "print where an error happened")
    .addHelpText("after", EXAMPLE)
    .action(quantize);
}

/** Reads numbers of bits separated by commas. */
function bitList(text: string): readonly number[] {
  const bits = text.split(",").map(Number);
  const isBits = (each: number) => each === 16 || (Number.isInteger(each) && each >= 2 && each <= 8);
  if (bits.every(isBits) && new Set(bits).size === bits.length) return bits;
  throw new InvalidArgumentError("Expected different numbers from 2 to 8, or 16 for float16, separated by commas.");
}

/** Reads average bits, or a size in bytes with its unit. */
function sizeBudget(text: string): SizeBudget {
  const average = Number(text);
  if (text.trim() !== "" && Number.isFinite(average) && average > 0) return { averageBits: average };
  if (/^\s*\d[\d.]*\s*[a-z]+\s*$/i.test(text)) return { bytes: byteSize(text) };
  throw new InvalidArgumentError("Expected average bits of a weight, as 4, or a size, as 20kB.");
}

async function quantize(file: string, options: QuantizeOptions): Promise<void> {
  const { out } = options;
  const paths = { plan: join(out, "plan.json"), model: join(out, "quantized.onnx"), report: join(out, "report.html") };
  await interruptible(async (signal) => {
    const model = await openModel(file, { ...options, signal });
    const data = await openData(model, { ...options, signal });
    const prepared = await prepareFiles(...Object.values(paths));
    const risk = await openRisk(model, { data, options });
    try {
      checkBudget(risk, { ...options, ...(options.quantize && { tensors: options.quantize }) });
      const test = await testRisk(risk, { model, options, signal });
      const found = await quantized(risk, { model, test, options, signal, path: paths.model });
      const summary = { model: model.name, data: data.description, rows: risk.rows, files: paths, ...found };
      await writeFiles([
        [paths.plan, `${printableJson(JSON.stringify(summary, undefined, 2))}\n`],
        [paths.report, renderQuantization(summary)],
      ]);
      if (options.json) printJson(summary);
      else print(quantizationText(summary));
      printError(`Wrote ${Object.values(paths).join(", ")}\n`);
    } catch (error) {
      await prepared.discard();
      throw error;
    } finally {
      await risk.dispose();
    }
  });
}

async function testRisk(
  risk: Risk,
  {
    model,
    options,
    signal,
  }: { readonly model: FileModel; readonly options: QuantizeOptions; readonly signal: AbortSignal },
): Promise<Risk | undefined> {
  if (options.test === undefined) return undefined;
  return risk.on(await openData(model, { ...options, file: options.test, signal }));
}

interface Work {
  readonly model: FileModel;
  readonly test: Risk | undefined;
  readonly options: QuantizeOptions;
  readonly signal: AbortSignal;
  /** Path of the file to write. */
  readonly path: string;
}

async function quantized(risk: Risk, work: Work) {
  const { model, test, options, signal } = work;
  const { budget, seed, compensate, objective } = options;
  const display = progressDisplay();
  try {
    const run = { signal, onProgress: display.update };
    const matrix = options.matrix === "hessian" ? hessian(risk) : ggn(risk);
    const rounding = compensate ? { compensation: await kfac(risk, { of: "inputs", ...run }) } : {};
    const sensitivity = await sensitivityOf(risk, { matrix, rounding, options, run });
    const plan = bitPlan(sensitivity, { budget, objective, seed });
    const tested = test && { test };
    const weights = await quantizedWeights(risk, plan, { ...rounding, ...run });
    const planned = await measurePlan(risk, { weights, matrix, ...tested, ...run });
    const plain = compensate ? await plainLoss(risk, { plan, matrix, test, run }) : undefined;
    const comparison = await comparePlans(risk, sensitivity, { objective, matrix, rounding, ...tested, ...run });
    const { tensors: stored, bytes } = await saveQuantizedModel(model, weights.tensors, work.path);
    const file = { ...(await lossOfFile(risk, work)), bytesBefore: model.source.bytes.length, bytes };
    return summaryOf({ sensitivity, plan, weights, planned, plain, comparison, file, stored, options });
  } finally {
    display.stop();
  }
}

/** The plan with each weight at its nearest point, to see what compensation gains. */
async function plainLoss(
  risk: Risk,
  {
    plan,
    matrix,
    test,
    run,
  }: {
    readonly plan: BitPlan;
    readonly matrix: LinearOperator;
    readonly test: Risk | undefined;
    readonly run: RunOptions;
  },
): Promise<PlanLoss> {
  const weights = await quantizedWeights(risk, plan);
  return measurePlan(risk, { weights, matrix, ...(test && { test }), ...run });
}

async function sensitivityOf(
  risk: Risk,
  {
    matrix,
    rounding,
    options,
    run,
  }: {
    readonly matrix: LinearOperator;
    readonly rounding: QuantizedWeightsOptions;
    readonly options: QuantizeOptions;
    readonly run: RunOptions;
  },
): Promise<QuantizationSensitivity> {
  const { bits, quantize: tensors, perChannel, scheme, step: scale, seed, products, state: path } = options;
  const known =
    products === undefined && options.matrix === "ggn" ? await exactDiagonal(risk, { seed, run }) : undefined;
  const { loss: _, ...plain } = options;
  const told = JSON.stringify({ ...plain, state: undefined, out: undefined, json: undefined, debug: undefined });
  const store = path === undefined ? undefined : stateStore(path, { settings: { ...risk.settings, told } });
  const state = await store?.load();
  const steps = quantizationSensitivitySteps(risk, {
    bits,
    matrix,
    scheme,
    scale,
    seed,
    channels: perChannel ? "output" : "tensor",
    eigenvalues: options.eigenvalues ?? false,
    rounding,
    ...(tensors && { tensors }),
    ...(known && { diagonal: known }),
    ...(products !== undefined && { matvecs: products }),
    ...(state !== undefined && { state: state as never }),
    ...run,
  });
  for (;;) {
    const next = await steps.next();
    if (next.done !== true) await store?.save(next.value);
    else {
      await store?.clear();
      return next.value;
    }
  }
}

/** The diagonal of the Gauss-Newton matrix from one pass; undefined where it would only be an estimate, or the loss is not convex. */
async function exactDiagonal(risk: Risk, { seed, run }: { readonly seed: number; readonly run: RunOptions }) {
  try {
    const found = await diagonal(risk, { of: "ggn", seed, ...run });
    return found.terms === "signs" ? undefined : await found.diagonal();
  } catch (cause) {
    if (cause instanceof CurvatureError && cause.code === "unsupported") return undefined;
    throw cause;
  }
}

/** Loss and accuracy of the file by ONNX Runtime, on the rows and the test rows; a reason where that cannot be measured. */
async function lossOfFile(
  risk: Risk,
  { test, options, signal, path }: Work,
): Promise<{ readonly rows?: FileLoss; readonly test?: FileLoss; readonly reason?: string }> {
  try {
    const model = await openModel(path, { ...readAgain(options), signal });
    const rows = await measureFile(risk, { model, signal });
    return { rows, ...(test && { test: await measureFile(test, { model, signal }) }) };
  } catch (cause) {
    // Inputs with fixed values (--bind) are inputs of the file.
    const isKnown = cause instanceof CurvatureError && (cause.code === "unsupported" || cause.code === "runtime");
    if (isKnown) return { reason: cause.message };
    throw cause;
  }
}

/** The options for reading the written file: its weights are no longer called as they were. */
function readAgain({ weights: _, constants: __, ...options }: QuantizeOptions): Omit<QuantizeOptions, "weights"> {
  return options;
}

function summaryOf(parts: {
  readonly sensitivity: QuantizationSensitivity;
  readonly plan: BitPlan;
  readonly weights: QuantizedWeights;
  readonly planned: PlanLoss;
  readonly plain: PlanLoss | undefined;
  readonly comparison: readonly PlanComparison[];
  readonly file: Awaited<ReturnType<typeof lossOfFile>> & { readonly bytesBefore: number; readonly bytes: number };
  readonly stored: readonly SavedQuantizedTensor[];
  readonly options: QuantizeOptions;
}) {
  const { sensitivity, plan, weights, planned, plain, comparison, file, stored, options } = parts;
  return {
    matrix: options.matrix,
    sensitivity,
    plan,
    planned,
    ...(plain && { withoutCompensation: plain }),
    ...(weights.compensated && { compensated: weights.compensated }),
    comparison: comparison.map(({ bits, uniform, plan: own, planned: measured }) => ({
      bits,
      uniform,
      planBits: own.tensors.map((tensor) => tensor.bits),
      usedBits: own.usedBits,
      planned: measured,
    })),
    file,
    stored,
    warnings: [
      ...sensitivity.warnings,
      ...planned.warnings,
      ...stabilityWarnings(plan),
      ...uniformWarnings(plan, { loss: planned.loss, comparison }),
    ],
  };
}

/** A plan that loses to uniform bits of no larger size is said to. */
function uniformWarnings(
  { averageBits }: BitPlan,
  { loss, comparison }: { readonly loss: number; readonly comparison: readonly PlanComparison[] },
): readonly string[] {
  const better = comparison.filter(({ bits, uniform }) => bits <= averageBits && uniform.loss < loss);
  return better.map(
    ({ bits, uniform }) =>
      `all tensors at ${bits} bits take no more room and have the lower loss ${uniform.loss.toPrecision(4)}; try another --objective`,
  );
}

function stabilityWarnings({ stability }: BitPlan): readonly string[] {
  return stability.unstable.length === 0 ? [] : [stability.message];
}
