import { foldResiduals, type ResidualSplit, splitResiduals, vectorize } from "../../autodiff/index.ts";
import { CurvatureError } from "../../errors/index.ts";
import { dependents, input, shareCommonSubexpressions, topologicalOrder, type Value } from "../../graph/index.ts";
import { reshape, slice } from "../../primitives/index.ts";
import { compile, liveBytes, type NamedGraph, type Program, withPreferredKernels } from "../../runtime/index.ts";
import { formatDims, type Precision, sizeOf, type Vector } from "../../tensors/index.ts";
import type { FedBatchGraph } from "./batchGraph.ts";
import { flatRanges } from "./flatVectors.ts";
import type { ResidualNeed } from "./residualCache.ts";
import type { BatchProduct, Tensors } from "./risk.ts";
import { type VectorOutput, vectorOutput } from "./vectorOutput.ts";

/** The settings that programs of a product depend on, besides the shape of the batch. */
export interface ProgramKind {
  /** Number of columns at once. */
  readonly columns: number;
  /** Whether there are further batches, whose flat vectors are added. */
  readonly hasMoreBatches: boolean;
  /** Whether this is the last batch, and smaller than the others. */
  readonly isLastPartial: boolean;
}

/** Compiled forms of one product for one batch shape; each is compiled when first needed. */
export interface ProductPrograms {
  /** Memory for the residuals of one batch; undefined if the product has no vectors or needs no residuals. */
  readonly residualNeed: ResidualNeed | undefined;
  /** How the programs return the product's flat vector, if it has one. */
  readonly flat: VectorOutput | undefined;
  /** Bytes of all values that depend on the vectors, and of the flat vector, for one column. */
  readonly dependentBytes: number;
  /** Vectors and constants in the form that the programs read; several columns are concatenated. */
  feeds(vectors: Tensors, constants: Tensors): Tensors;
  /** The programs of a product with `sources`. */
  readonly drawn: DrawnPrograms | undefined;
  /** The product's own outputs among those of a program, under their names. */
  outputs(results: Tensors): Tensors;
  /** Everything in one graph. */
  whole(): Promise<Program>;
  /** The part that depends on the batch alone. Its outputs are residuals, by the names under which `linear` reads them. */
  residual(): Promise<Program>;
  /** The part that each product computes, given residuals. */
  linear(): Promise<Program>;
  release(): Promise<void>;
}

/** Two programs, between which the vectors are drawn. Results of the first are feeds of the second. */
export interface DrawnPrograms {
  /** All that the vectors do not enter: what they are drawn from, outputs, and residuals. */
  first(): Promise<Program>;
  /** What the vectors are drawn from, among the results of the first. */
  sources(results: Tensors): Tensors;
  /** The other outputs. */
  second(): Promise<Program>;
}

/** Names of the programs' inputs and outputs. Names of different kinds never collide, whatever a product calls its values. */
export const feedName = {
  parameter: (name: string) => `parameter ${name}`,
  input: (name: string) => `input ${name}`,
  targets: "targets",
  weights: "row weights",
  scale: "scale",
  vector: (name: string) => `vector ${name}`,
  constant: (name: string) => `constant ${name}`,
  output: (name: string) => `output ${name}`,
  source: (name: string) => `source ${name}`,
} as const;

/** Builds the graphs of a product; with `columns` above 1, vectors come as `allColumns` and outputs have a leading axis of that size. */
export function productPrograms(
  product: BatchProduct,
  request: ProgramKind & {
    readonly batch: FedBatchGraph;
    readonly parameterNames: readonly string[];
    readonly precision: Precision;
    readonly threads?: number;
    readonly memoryLimit?: number;
  },
): ProductPrograms {
  const { batch, parameterNames, precision, columns, threads, memoryLimit, hasMoreBatches, isLastPartial } = request;
  const built = product.build(batch);
  const vectors = Object.entries(built.vectors ?? {});
  const shared = { ...batchInputs(batch, parameterNames), ...named(built.constants ?? {}, feedName.constant) };
  const { outputs: namedOutputs = {}, flat: parts = [] } = built;
  const names = Object.keys(namedOutputs);
  const flat =
    built.flat &&
    vectorOutput(
      parts.map(({ shape }) => shape),
      { columns, hasMoreBatches },
    );
  const variables = vectors.map(([, value]) => value);
  const sources = Object.entries(built.sources ?? {});
  const count = names.length + parts.length;
  const all = prepared([...Object.values(namedOutputs), ...parts, ...sources.map(([, value]) => value)], {
    variables,
    precision,
  });
  const roots = all.slice(0, count);
  // Split before columns are concatenated: the same residuals serve any number of columns.
  const split = vectors.length === 0 ? undefined : splitResiduals(roots, variables);
  const residualNames = split?.residuals.map((_, i) => `residual ${i}`) ?? [];
  const engine = {
    precision,
    ...(threads !== undefined && { threads }),
    ...(memoryLimit !== undefined && { memoryLimit }),
  };
  const program = lazily((graph: NamedGraph, isRepeated: boolean) =>
    compile(graph, { ...engine, optimized: isRepeated && !isLastPartial }),
  );
  const zip = (values: readonly Value[] = []) => Object.fromEntries(residualNames.map((name, i) => [name, values[i]]));
  const bytes = precision === "float64" ? 8 : 4;
  const size = (values: Iterable<Value>) =>
    [...values].reduce((sum, { shape, type }) => sum + sizeOf(shape) * elementBytes(type, bytes), 0);
  const graph = (values: readonly Value[], kept: { readonly [name: string]: Value }): NamedGraph => {
    const { outputs, inputs } = withColumns(values, vectors, columns);
    return {
      inputs: { ...shared, ...inputs, ...kept },
      outputs: {
        ...Object.fromEntries(names.map((name, i) => [feedName.output(name), outputs[i]])),
        ...flat?.outputs(outputs.slice(names.length)),
      },
    };
  };
  return {
    residualNeed: split && needOf(split, { bytes: size(split.residuals), precision }),
    flat,
    drawn:
      built.sources &&
      drawnPrograms({
        outputs: Object.fromEntries(names.map((name, i) => [feedName.output(name), roots[i]])),
        sources: Object.fromEntries(sources.map(([name], i) => [name, all[count + i]])),
        variables,
        inputs: { ...shared, ...named(Object.fromEntries(vectors), feedName.vector) },
        program,
      }),
    feeds: (given, constants) => ({
      ...named(constants, feedName.constant),
      ...(columns === 1 ? named(given, feedName.vector) : columnFeeds(given, vectors, columns)),
    }),
    outputs: (results) => Object.fromEntries(names.map((name) => [name, results[feedName.output(name)]])),
    dependentBytes: size(dependents(topologicalOrder(roots), variables)) + size(parts),
    whole: () => program("whole", () => graph(roots, {})),
    // Once per batch.
    residual: () => program("residual", () => ({ inputs: shared, outputs: zip(split?.residuals) }), false),
    linear: () => program("linear", () => graph(split?.outputs ?? roots, zip(split?.inputs))),
    release: program.release,
  };
}

function drawnPrograms({
  outputs,
  sources,
  variables,
  inputs,
  program,
}: {
  readonly outputs: { readonly [name: string]: Value };
  readonly sources: { readonly [name: string]: Value };
  readonly variables: readonly Value[];
  readonly inputs: { readonly [name: string]: Value };
  readonly program: ReturnType<typeof lazily>;
}): DrawnPrograms {
  const moving = dependents(topologicalOrder(Object.values(outputs)), variables);
  const [later, before] = [true, false].map((isLater) =>
    Object.entries(outputs).filter(([, value]) => moving.has(value) === isLater),
  );
  const split = splitResiduals(
    later.map(([, value]) => value),
    variables,
  );
  const residuals = (values: readonly Value[]) =>
    Object.fromEntries(values.map((value, i) => [`residual ${i}`, value] as const));
  return {
    first: () =>
      program("first", () => ({
        inputs,
        outputs: { ...Object.fromEntries(before), ...named(sources, feedName.source), ...residuals(split.residuals) },
      })),
    sources: (results) =>
      Object.fromEntries(Object.keys(sources).map((name) => [name, results[feedName.source(name)]])),
    second: () =>
      program("second", () => ({
        inputs: { ...inputs, ...residuals(split.inputs) },
        outputs: Object.fromEntries(later.map(([name], i) => [name, split.outputs[i]])),
      })),
  };
}

function needOf(
  { residuals, outputs }: ResidualSplit,
  { bytes, precision }: { readonly bytes: number; readonly precision: Precision },
): ResidualNeed | undefined {
  if (residuals.length === 0) return undefined;
  // For one column: which residuals are kept must not depend on the number of columns of the first call.
  return { bytes, working: Math.max(liveBytes(residuals, precision).bytes, liveBytes(outputs, precision).bytes) };
}

/**
 * Rewrites operations to the form in which they run, so that their batch-only parts become residuals too. Also collects factors that do not
 * depend on the vectors.
 */
function prepared(
  outputs: readonly Value[],
  { variables, precision }: { readonly variables: readonly Value[]; readonly precision: Precision },
): Value[] {
  const shared = withPreferredKernels(outputs, precision);
  return variables.length === 0 ? shared : shareCommonSubexpressions(foldResiduals(shared, variables));
}

function batchInputs(batch: FedBatchGraph, parameterNames: readonly string[]): { readonly [name: string]: Value } {
  const inputs: Record<string, Value> = { [feedName.targets]: batch.targets, [feedName.scale]: batch.scale };
  batch.allParameters.forEach((value, i) => {
    inputs[feedName.parameter(parameterNames[i])] = value;
  });
  for (const [name, value] of Object.entries(batch.inputs)) inputs[feedName.input(name)] = value;
  if (batch.rowWeights !== undefined) inputs[feedName.weights] = batch.rowWeights;
  return inputs;
}

/** Name of the feed that holds several columns of all vectors: [columns, entries], the concatenated vectors in each row. */
export const allColumns = "all columns";

function withColumns(
  outputs: readonly Value[],
  vectors: readonly (readonly [string, Value])[],
  columns: number,
): { readonly outputs: readonly Value[]; readonly inputs: { readonly [name: string]: Value } } {
  if (columns === 1) return { outputs, inputs: named(Object.fromEntries(vectors), feedName.vector) };
  const variables = vectors.map(([, value]) => value);
  const ranges = flatRanges(variables.map(({ shape }) => shape));
  const all = input(allColumns, [columns, ranges.reduce((sum, { size }) => sum + size, 0)]);
  const replacements = variables.map(({ shape }, i) => {
    const { offset, size } = ranges[i];
    return reshape(slice(all, { axis: 1, start: offset, limit: offset + size }), [columns, ...shape]);
  });
  return { outputs: vectorize(outputs, variables, { replacements, size: columns }), inputs: { [allColumns]: all } };
}

/** Vectors with a leading axis of `columns` as one tensor [columns, entries], unless they are given in this form. */
function columnFeeds(given: Tensors, vectors: readonly (readonly [string, Value])[], columns: number): Tensors {
  if (Object.hasOwn(given, allColumns)) return given;
  const sizes = vectors.map(([, { shape }]) => sizeOf(shape));
  const entries = sizes.reduce((sum, size) => sum + size, 0);
  const data = new Float64Array(columns * entries);
  let offset = 0;
  vectors.forEach(([name, { shape }], i) => {
    const size = sizes[i];
    const tensor = given[name];
    if (tensor === undefined || tensor.data.length !== columns * size) {
      const got = tensor === undefined ? "nothing" : formatDims(tensor.dims);
      throw new CurvatureError(
        "shape",
        `vector "${name}" of ${columns} columns must have shape ${formatDims([columns, ...shape])}, got ${got}`,
      );
    }
    const values = tensor.data as Vector;
    for (let k = 0; k < columns; k++) data.set(values.subarray(k * size, (k + 1) * size), k * entries + offset);
    offset += size;
  });
  return { [allColumns]: { data, dims: [columns, entries] } };
}

function named<T>(values: { readonly [name: string]: T }, rename: (name: string) => string): { [name: string]: T } {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [rename(name), value]));
}

function elementBytes(type: string, floatBytes: number): number {
  if (type === "float") return floatBytes;
  return type === "bool" ? 1 : 8;
}

/** Compiles each named graph once; a failed compilation is not cached. */
function lazily(make: (graph: NamedGraph, isRepeated: boolean) => Promise<Program>) {
  const made = new Map<string, Promise<Program>>();
  const get = (name: string, graph: () => NamedGraph, isRepeated = true): Promise<Program> => {
    let program = made.get(name);
    if (program === undefined) {
      program = make(graph(), isRepeated);
      made.set(name, program);
      program.catch(() => made.delete(name));
    }
    return program;
  };
  return Object.assign(get, {
    async release() {
      for (const program of made.values()) await (await program).release();
      made.clear();
    },
  });
}
