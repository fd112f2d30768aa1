import { CurvatureError } from "../errors/index.ts";
import { isZip, type RangeFile } from "../files/index.ts";
import { checkedScale } from "./checkedScale.ts";
import { chooseBatchSize } from "./chooseBatchSize.ts";
import { convertTargets } from "./convertTargets.ts";
import type { Batch, BatchOptions, Data } from "./data.ts";
import {
  checkRowWeights,
  type DataRequest,
  describeRange,
  onlyInput,
  tableRequest,
  withoutTargets,
} from "./dataRequest.ts";
import { fitInputs } from "./fitInputs.ts";
import { checkedOnlyMember, splitMember } from "./loadTensor.ts";
import { npzMembers } from "./npzMembers.ts";
import type { Source } from "./readSource.ts";
import { regroup } from "./regroup.ts";
import { withRowAccess } from "./rowAccess.ts";
import { type Rows, rowTypeOf } from "./rows.ts";
import { isArrayFile, streamArray } from "./streamArray.ts";
import { type NpzRanges, streamNpz } from "./streamNpz.ts";
import { rangeFile } from "./streamSource.ts";
import { openTableStream } from "./tables/openTable.ts";
import { type StreamedRows, type StreamPass, streamTable } from "./tables/streamTable.ts";
import { tokenizedRequest } from "./tokenizedRequest.ts";

/** Rows of one file, under the names of the model's inputs. */
interface RowStream {
  readonly name: string;
  readonly rows: number;
  readonly classes?: readonly string[];
  readonly notes?: readonly string[];
  parts(pass: StreamPass): AsyncIterable<StreamedRows>;
}

/**
 * Data set whose files are read again on every pass. Makes one pass over each table at once, which checks all its cells.
 *
 * @throws CurvatureError as `loadData`; "unsupported" for formats that are read whole
 */
export async function streamData(options: DataRequest): Promise<Data> {
  const streams = await openStreams(options);
  const rows = checkedCount(streams);
  const scale = checkedScale(options.scale);
  const description = described(streams, options);
  const pass = { options, scale, batchSize: chooseBatchSize(options.batchSize, rows), description, signal: undefined };
  const first = await firstOf(zipped(streams, { ...pass, from: 0, to: rows }));
  if (first.targets === undefined && options.label !== false) {
    throw withoutTargets(
      options,
      streams.map(({ name }) => name),
    );
  }
  checkRowWeights(first.weights, options);
  const classes = streams.find((stream) => stream.classes !== undefined)?.classes;
  const types = {
    inputs: Object.fromEntries(Object.entries(first.inputs).map(([name, tensor]) => [name, rowTypeOf(tensor)])),
    ...(first.targets && { targets: rowTypeOf(first.targets) }),
    ...(classes && { classes }),
    weighted: first.weights !== undefined,
  };
  const between = (from: number, to: number): Data => {
    const batchSize = chooseBatchSize(options.batchSize, to - from);
    const batches = ({ signal }: BatchOptions = {}) => zipped(streams, { ...pass, batchSize, from, to, signal });
    const data = { rows: to - from, batchSize, description, ...types, batches };
    return withRowAccess(data, (a, b) => between(from + a, from + b));
  };
  return between(0, rows);
}

function described(streams: readonly RowStream[], options: DataRequest): string {
  const names = [...new Set(streams.map(({ name }) => name))].join(" + ");
  const notes = streams.flatMap((stream) => stream.notes ?? []);
  return [names + describeRange(options), ...notes, "read again on every pass"].join("; ");
}

async function firstOf(batches: AsyncIterable<Batch>): Promise<Batch> {
  for await (const batch of batches) return batch;
  throw new CurvatureError("data", "expected at least one row, got none");
}

async function openStreams(options: DataRequest): Promise<readonly RowStream[]> {
  const { data, inputs, targets, label, wanted } = options;
  const own = targets === undefined ? label : false;
  const streams =
    data === undefined
      ? await Promise.all(Object.keys(wanted).map((name) => inputStream(inputs?.[name], { name, options })))
      : await dataStreams(data, { ...options, ...(own !== undefined && { label: own }) });
  return targets === undefined ? streams : [...streams, await targetStream(targets, options)];
}

async function dataStreams(data: Source, options: DataRequest): Promise<readonly RowStream[]> {
  const { array, npz, file } = await openArray(data);
  if (npz !== undefined) {
    const { inputs, target } = npzMembers(npz.names, options);
    const streams = inputs.map(async ([input, member]) =>
      renamed(await npz.member(member), { options, to: (rows) => ({ inputs: { [input]: rows } }) }),
    );
    if (target !== undefined) {
      const rows = npz.member(target);
      streams.push(rows.then((found) => renamed(found, { options, to: (targets) => ({ inputs: {}, targets }) })));
    }
    return Promise.all(streams);
  }
  if (array !== undefined) {
    const input = onlyInput(options);
    return [await renamed(array, { options, to: (rows) => ({ inputs: { [input]: rows } }) })];
  }
  const { table, request } = await tokenizedRequest(await openTableStream(file, options), options);
  return [{ name: file.name, ...(await streamTable(table, request)) }];
}

async function inputStream(
  source: Source | undefined,
  { name, options }: { readonly name: string; readonly options: DataRequest },
): Promise<RowStream> {
  if (source === undefined)
    throw new CurvatureError("argument", `expected a file for each of the model's inputs, got none for ${name}`);
  const { file, array } = await onlyArray(source);
  if (array !== undefined) return renamed(array, { options, to: (rows) => ({ inputs: { [name]: rows } }) });
  const { drop: _, columns: __, rowWeights: ___, ...request } = tableRequest(options);
  const wanted = { [name]: options.wanted[name]! };
  const table = await openTableStream(file, options);
  return { name: file.name, ...(await streamTable(table, { ...request, wanted, label: false })) };
}

async function targetStream(source: Source, options: DataRequest): Promise<RowStream> {
  const { file, array } = await onlyArray(source);
  if (array !== undefined) return renamed(array, { options, to: (targets) => ({ inputs: {}, targets }) });
  const { drop: _, columns: __, wanted: ___, ...request } = tableRequest(options);
  const table = await openTableStream(file, options);
  return { name: file.name, ...(await streamTable(table, { ...request, targetsOnly: true })) };
}

/** A file, and the array that it is, or its arrays. */
interface OpenedArray {
  readonly file: RangeFile;
  readonly array?: RangeFile;
  readonly npz?: NpzRanges;
}

async function openArray(source: Source): Promise<OpenedArray> {
  const split = splitMember(source);
  const file = await rangeFile(split.file);
  const head = await file.range(0, 8);
  if (isArrayFile(head)) return { file, array: file };
  if (!isZip(head)) return { file };
  const npz = await streamNpz(file);
  return split.member === undefined ? { file, npz } : { file, array: await npz.member(split.member) };
}

/** As `openArray`, with the only array of an NPZ file. */
async function onlyArray(source: Source): Promise<OpenedArray> {
  const { file, array, npz } = await openArray(source);
  if (npz === undefined) return { file, ...(array && { array }) };
  return { file, array: await npz.member(checkedOnlyMember(npz.names, file.name)) };
}

type Renaming = (rows: StreamedRows["inputs"][string]) => Pick<StreamedRows, "inputs" | "targets">;

async function renamed(
  file: RangeFile,
  { options, to }: { readonly options: DataRequest; readonly to: Renaming },
): Promise<RowStream> {
  const { rows, parts } = await streamArray(file, options);
  return {
    name: file.name,
    rows,
    async *parts(pass) {
      for await (const { inputs, ...part } of parts(pass)) yield { ...part, ...to(inputs[""]!) };
    },
  };
}

function checkedCount(streams: readonly RowStream[]): number {
  const first = streams[0]!;
  const other = streams.find(({ rows }) => rows !== first.rows);
  if (other === undefined) return first.rows;
  throw new CurvatureError(
    "data",
    `${first.name} has ${first.rows} rows but ${other.name} has ${other.rows}; expected one entry a row in each, in the same order`,
  );
}

interface Pass {
  readonly options: DataRequest;
  readonly scale: number;
  readonly batchSize: number;
  readonly from: number;
  readonly to: number;
  readonly signal: AbortSignal | undefined;
  readonly description: string;
}

/** Batches whose inputs and targets come from several files. */
async function* zipped(streams: readonly RowStream[], pass: Pass): AsyncGenerator<Batch> {
  const { batchSize, from, to, signal, description } = pass;
  const passes = streams.map((stream) => regroup(fittedParts(stream, pass), { batchSize, ...(signal && { signal }) }));
  let seen = 0;
  try {
    for (;;) {
      const batches = await Promise.all(passes.map(async (one) => (await one.next()).value as Batch | undefined));
      const [first] = batches;
      if (first === undefined) break;
      seen += first.rows;
      const inputs = Object.assign({}, ...batches.map((batch) => batch?.inputs));
      const targets = batches.find((batch) => batch?.targets !== undefined)?.targets;
      const weights = batches.find((batch) => batch?.weights !== undefined)?.weights;
      yield { start: first.start, rows: first.rows, inputs, ...(targets && { targets }), ...(weights && { weights }) };
    }
  } finally {
    await Promise.all(passes.map((one) => one.return(undefined)));
  }
  if (seen === to - from || signal?.aborted) return;
  throw new CurvatureError(
    "nondeterministic",
    `${description}: the first pass had ${to - from} rows, a later one ${seen}; keep the files as they are until the end`,
  );
}

async function* fittedParts({ name, parts }: RowStream, { options, scale, ...pass }: Pass): AsyncGenerator<Rows> {
  for await (const { start, rows, inputs, targets, weights } of parts(pass)) {
    const present = Object.entries(inputs).map(([input, tensor]) => [input, { name, tensor }] as const);
    const wanted = Object.fromEntries(present.map(([input]) => [input, options.wanted[input]!]));
    const fitted = fitInputs(Object.fromEntries(present), { wanted, scale, start });
    const converted = targets && convertTargets({ name, tensor: targets }, { targetType: options.targetType, start });
    yield { rows, inputs: fitted, ...(converted && { targets: converted }), ...(weights && { weights }) };
  }
}
