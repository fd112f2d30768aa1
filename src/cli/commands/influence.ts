import { Command, Option } from "commander";
import {
  type Influence,
  type InfluenceSolver,
  influenceSteps,
  logit,
  margin,
  type SelfInfluence,
  selfInfluenceSteps,
} from "../../applications/influence/index.ts";
import {
  CurvatureError,
  type Data,
  empiricalFisher,
  empiricalRisk,
  type FileModel,
  fisher,
  ggn,
  hessian,
  type Risk,
} from "../../index.ts";
import { hutchinsonTrace, type LinearOperator, stateStore } from "../../linalg/index.ts";
import { type InfluencePage, type PictureShape, renderInfluence } from "../../report/index.ts";
import { diagonal, ekfac, kfac } from "../../structured/index.ts";
import { openData, openRisk, type RiskOptions, withRiskOptions } from "../dataOptions.ts";
import { interruptible } from "../interruption.ts";
import { openModel } from "../modelOptions.ts";
import { outFileOption } from "../outOption.ts";
import { prepareFiles, writeFiles } from "../outputFiles.ts";
import { nonnegativeNumber, pictureDims, wholeNumber } from "../parsers.ts";
import { print, printError, printJson } from "../print.ts";
import { type ProgressDisplay, progressDisplay } from "../progress.ts";
import { pictureShape, shownRows } from "../shownRows.ts";

interface InfluenceCommandOptions extends RiskOptions {
  readonly queries?: string;
  readonly self?: true;
  readonly matrix?: keyof typeof MATRICES;
  readonly damping?: number;
  readonly weightDecay: number;
  readonly solver?: "inverse" | "dense" | "cg" | "minres" | "lissa";
  readonly measure: "loss" | "margin" | "logit";
  readonly top: number;
  readonly keep: "top" | "all";
  readonly picture?: PictureShape;
  readonly seed: number;
  readonly state?: string;
  readonly out: string;
  readonly json?: true;
}

const MATRICES = {
  ggn: async (risk: Risk) => ggn(risk),
  hessian: async (risk: Risk) => hessian(risk),
  fisher: async (risk: Risk) => fisher(risk, { type: 2 }),
  "empirical-fisher": async (risk: Risk) => empiricalFisher(risk),
  kfac: (risk: Risk, seed: number) => kfac(risk, { seed }),
  ekfac: (risk: Risk, seed: number) => ekfac(risk, { seed }),
  diagonal: (risk: Risk, seed: number) => diagonal(risk, { seed }),
} as const;

/** Weights up to which the whole matrix is the default. */
const WHOLE_SIZE = 4096;

/** Queries that the page shows. */
const SHOWN_QUERIES = 20;

const EXAMPLE = `
The score of training row z for query t is g_t' (A + damping)^-1 g_z; removing z changes the query's loss by about + score / N.
Matrices: ggn, hessian, fisher, empirical-fisher (exact, by products); kfac, ekfac, diagonal (approximations with an inverse). Without --matrix: ggn up to
4,096 weights, else ekfac. Without --damping: a tenth of the matrix's mean eigenvalue, which is printed.

Example:
  $ onnx-curvature influence digits_mlp.onnx --data digits_train.csv.gz --scale 16 --loss crossEntropy --self --picture 8x8 --out influence.html`;

/** `influence MODEL`: tells which training rows help and harm the predictions of queries, and which training rows stand alone. */
export function influenceCommand(): Command {
  const command = new Command("influence")
    .description("find the training rows that help and harm predictions, and the rows with wrong labels")
    .argument("<model>", "ONNX file, or its URL");
  return withRiskOptions(command)
    .option("--queries <file>", "labelled rows whose loss is explained; in the form of --data")
    .option("--self", "the influence of each training row on itself, which finds wrong labels")
    .addOption(new Option("--matrix <name>", "curvature matrix").choices(Object.keys(MATRICES)))
    .option("--damping <x>", "added to the matrix", nonnegativeNumber)
    .option("--weight-decay <x>", "strength w of w / 2 |theta|^2 in the training", nonnegativeNumber, 0)
    .addOption(
      new Option("--solver <name>", "how systems are solved; default: what suits the matrix").choices([
        "inverse",
        "dense",
        "cg",
        "minres",
        "lissa",
      ]),
    )
    .addOption(
      new Option("--measure <what>", "value of a query: its loss, or the margin or logit of its label")
        .choices(["loss", "margin", "logit"])
        .default("loss"),
    )
    .option("--top <n>", "rows told for each query", wholeNumber(1), 10)
    .addOption(new Option("--keep <what>", "scores in --json").choices(["top", "all"]).default("top"))
    .option("--picture <HxW>", "show rows as pictures of these axes, as 8x8 or 3x32x32", pictureDims)
    .option("--seed <n>", "seed of all random numbers", wholeNumber(0), 0)
    .option("--state <file>", "file to keep the state in, from which the same command goes on")
    .addOption(outFileOption("page to write", "influence.html").default("influence.html"))
    .option("--json", "print all numbers as JSON")
    .option("--debug", "print where an error happened")
    .addHelpText("after", EXAMPLE)
    .action((file: string, options: InfluenceCommandOptions) => explain(command, file, options));
}

async function explain(command: Command, file: string, options: InfluenceCommandOptions): Promise<void> {
  const { out, queries: queryFile, self } = options;
  if (queryFile === undefined && !self) command.error("error: expected --queries FILE, --self, or both");
  await interruptible(async (signal) => {
    const model = await openModel(file, { ...options, signal });
    const data = await openData(model, { ...options, signal });
    const queryData =
      queryFile === undefined ? undefined : await openData(model, { ...options, file: queryFile, signal });
    await prepareFiles(out);
    const picture = pictureOf(data, options);
    const risk = await openRisk(model, { data, options });
    const display = progressDisplay();
    try {
      const run = { options, signal, display };
      const curvature = await curvatureOf(risk, run);
      const queries = queryData && (await queryRisk(model, risk, { queryData, options }));
      const found = await computed(risk, { queries, curvature, run });
      display.stop();
      const page = await pageOf({ model, data, queryData, risk, found, matrix: curvature.name, picture, options });
      await writeFiles([[out, renderInfluence(page)]]);
      if (options.json) printJson({ matrix: curvature.name, ...found });
      else print(table(found, curvature.name));
      printError(`Wrote ${out}\n`);
    } finally {
      display.stop();
      await risk.dispose();
    }
  });
}

interface CommandRun {
  readonly options: InfluenceCommandOptions;
  readonly signal: AbortSignal;
  readonly display: ProgressDisplay;
}

interface Curvature {
  readonly name: string;
  readonly matrix: LinearOperator;
  readonly damping: number;
}

async function curvatureOf(risk: Risk, { options, signal, display }: CommandRun): Promise<Curvature> {
  const { seed } = options;
  const name = options.matrix ?? (risk.size <= WHOLE_SIZE ? "ggn" : "ekfac");
  const matrix: LinearOperator = await MATRICES[name](risk, seed);
  if (options.damping !== undefined) return { name, matrix, damping: options.damping };
  const trace =
    (await matrix.trace?.()) ??
    (await hutchinsonTrace(matrix, { seed, matvecs: 30, signal, onProgress: display.update })).trace;
  return { name, matrix, damping: Number((Math.max(0.1 * trace, 0) / risk.size).toPrecision(3)) };
}

async function queryRisk(
  model: FileModel,
  risk: Risk,
  { queryData, options }: { readonly queryData: Data; readonly options: InfluenceCommandOptions },
): Promise<Risk> {
  if (options.measure === "loss") return risk.on(queryData);
  const loss = options.measure === "margin" ? margin() : logit();
  const parameters = risk.parameters.map(({ name }) => name);
  return empiricalRisk({ model, loss, data: queryData, dtype: options.dtype, parameters });
}

interface Found {
  readonly influence?: Influence;
  readonly self?: SelfInfluence;
}

async function computed(
  risk: Risk,
  {
    queries,
    curvature,
    run,
  }: { readonly queries: Risk | undefined; readonly curvature: Curvature; readonly run: CommandRun },
): Promise<Found> {
  const { options, signal, display } = run;
  const { weightDecay, solver: method, seed, top, keep, measure } = options;
  const solver: InfluenceSolver | undefined = method === "lissa" ? { method, seed } : method;
  const { matrix, damping } = curvature;
  const common = { matrix, damping, weightDecay, ...(solver && { solver }), signal, onProgress: display.update };
  const store = stateOf(risk, options);
  const saved = ((await store?.load()) ?? {}) as { readonly influence?: never; readonly self?: never };
  let kept: { readonly [part: string]: unknown } = saved;
  const toEnd = async <State, Result>(part: "influence" | "self", steps: AsyncGenerator<State, Result, void>) => {
    for (;;) {
      const next = await steps.next();
      if (next.done === true) return next.value;
      kept = { ...kept, [part]: next.value };
      await store?.save(kept);
    }
  };
  const from = (state: never | undefined) => (state === undefined ? {} : { state });
  const better = measure === "loss" ? "lower" : "higher";
  const influence =
    queries &&
    (await toEnd(
      "influence",
      influenceSteps(risk, queries, { ...common, top, keep, better, ...from(saved.influence) }),
    ));
  const self = options.self && (await toEnd("self", selfInfluenceSteps(risk, { ...common, ...from(saved.self) })));
  await store?.clear();
  return { ...(influence && { influence }), ...(self && { self }) };
}

function stateOf(risk: Risk, options: InfluenceCommandOptions) {
  if (options.state === undefined) return undefined;
  const { loss: _, ...plain } = options;
  const told = JSON.stringify({ ...plain, state: undefined, out: undefined, json: undefined });
  return stateStore(options.state, { settings: { ...risk.settings, told } });
}

/** The axes of rows as pictures: those that are asked for, or those that the rows have. */
function pictureOf({ inputs, description }: Data, { picture }: InfluenceCommandOptions): PictureShape | undefined {
  const [first] = Object.values(inputs);
  const dims = first?.dims ?? [];
  if (picture === undefined) return pictureShape(dims);
  const size = dims.reduce((product, dim) => product * dim, 1);
  const { channels, height, width } = picture;
  if (channels * height * width === size) return picture;
  throw new CurvatureError(
    "argument",
    `--picture ${channels === 1 ? "" : `${channels}x`}${height}x${width} has ${channels * height * width} numbers, but a row of ${description} has ${size}`,
  );
}

async function pageOf({
  model,
  data,
  queryData,
  risk,
  found,
  matrix,
  picture,
}: {
  readonly model: FileModel;
  readonly data: Data;
  readonly queryData: Data | undefined;
  readonly risk: Risk;
  readonly found: Found;
  readonly matrix: string;
  readonly picture: PictureShape | undefined;
  readonly options: InfluenceCommandOptions;
}): Promise<InfluencePage> {
  const { influence, self } = found;
  const shown = influence?.queries.slice(0, SHOWN_QUERIES) ?? [];
  const named = shown.flatMap(({ helpful, harmful }) => [...helpful, ...harmful].map(({ row }) => row));
  const trainRows = await shownRows(data, [...named, ...(self?.ranking.slice(0, SHOWN_QUERIES) ?? [])]);
  return {
    model: model.name,
    data: data.description,
    ...(queryData && {
      queryData: queryData.description,
      queryRows: await shownRows(
        queryData,
        shown.map((_, t) => t),
      ),
    }),
    rows: risk.rows,
    matrix,
    ...found,
    trainRows,
    ...(picture && { picture }),
  };
}

function table({ influence, self }: Found, matrix: string): string {
  const { damping, dampingShare, residual, solver } = (influence ?? self)!;
  const short = (value: number) => value.toPrecision(3);
  const lines = [
    `${matrix}, damping ${damping} (${(100 * dampingShare).toFixed(0)} % of a typical quadratic form), solved by ${solver.method}, residual ${short(residual)}`,
  ];
  influence?.queries.slice(0, SHOWN_QUERIES).forEach(({ value, helpful, harmful }, t) => {
    const listed = (rows: typeof helpful) =>
      rows
        .slice(0, 5)
        .map(({ row, ifRemoved }) => `${row} (${short(ifRemoved)})`)
        .join(", ");
    lines.push(
      `query ${t}: ${influence.measurement} ${value.toPrecision(4)}`,
      `  helpful rows (change if removed): ${listed(helpful)}`,
      `  harmful rows: ${listed(harmful)}`,
    );
  });
  if (self !== undefined) {
    lines.push(`rows of largest self-influence: ${self.ranking.slice(0, 20).join(", ")}`);
    lines.push(`rows of largest loss: ${self.lossRanking.slice(0, 20).join(", ")}`);
  }
  return [...lines, ...new Set([...(influence?.warnings ?? []), ...(self?.warnings ?? [])]), ""].join("\n");
}
