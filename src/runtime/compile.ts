import { openSession } from "#runtime";
import { CurvatureError } from "../errors/index.ts";
import { formatBytes } from "../files/index.ts";
import { isInput, topologicalOrder, type Value } from "../graph/index.ts";
import { byName, dtypeOf, formatDims, type Precision, sizeOf, type Tensor, valueNamed } from "../tensors/index.ts";
import { liveBytes } from "./liveBytes.ts";
import { lower, type NamedGraph } from "./lower.ts";
import { packed } from "./packing.ts";
import { withPreferredKernels } from "./preferredKernels.ts";
import { segmentsOf } from "./segments.ts";
import type { Session, SessionOptions } from "./session.ts";
import { inPrecision } from "./writer.ts";

/** Options for compiling a graph. */
export interface CompileOptions {
  readonly precision: Precision;
  /** Threads within one operation; the engine's choice if absent. */
  readonly threads?: number;
  /**
   * Whether the program runs often enough to be worth the engine's optimizations, true by default: they take up to four times as long as
   * all else about opening it, and gain some percent of a run.
   */
  readonly optimized?: boolean;
  /** Most bytes that values may take at once while the program runs, see `liveBytes`; no limit if absent. */
  readonly memoryLimit?: number;
}

/** A graph ready to run. Holds memory of the execution engine until it is released. */
export interface Program {
  /**
   * Computes all outputs. Feeds that the graph does not read are ignored; floats are converted to the graph's precision
   * where they come in the other.
   */
  run(feeds: { readonly [name: string]: Tensor }): Promise<{ readonly [name: string]: Tensor }>;
  release(): Promise<void>;
}

/**
 * Values from which on a graph is large. The engine plans which results may share memory by looking, for each result, through all that are
 * free, and its optimizations look through the graph again for each change they make: both take a time that grows with the square of the
 * graph. A large graph is therefore run in segments, without these optimizations, which gain 1 to 4 % of a run and do not see across
 * segments.
 */
const LARGE_GRAPH = 6000;

/** Values of a segment of a large graph: opening one takes about as long as writing it. */
const SEGMENT = 2000;

/**
 * Compiles a graph for ONNX Runtime. Graphs of more than 6,000 values are run in several sessions, one after the other, so that compiling
 * takes a time in proportion to the graph.
 *
 * @throws CurvatureError "runtime" where the engine refuses the graph, "model" where it would take more memory than the limit
 */
export async function compile(graph: NamedGraph, options: CompileOptions): Promise<Program> {
  const { precision, optimized = true, memoryLimit } = options;
  const names = Object.keys(graph.outputs);
  // The engine refuses a graph without outputs.
  if (names.length === 0) return { run: async () => ({}), release: async () => {} };
  if (topologicalOrder(Object.values(graph.outputs)).length <= LARGE_GRAPH) {
    return compileWhole(graph, { ...options, optimized });
  }
  const forms = withPreferredKernels(Object.values(graph.outputs), precision);
  const outputs = Object.fromEntries(names.map((name, i) => [name, forms[i]]));
  if (memoryLimit !== undefined) checkLiveBytes(forms, { precision, memoryLimit });
  const programs: CompiledSegment[] = [];
  try {
    for (const segment of segmentsOf({ ...graph, outputs }, SEGMENT)) {
      programs.push(await compileWhole(segment, { ...options, optimized: false }));
    }
  } catch (error) {
    for (const program of programs) await program.release();
    throw error;
  }
  return inTurn(programs, names);
}

/** A program that runs others in turn. Each reads the results of earlier ones. */
function inTurn(programs: readonly CompiledSegment[], names: readonly string[]): Program {
  const wanted = new Set(names);
  const lastUse = new Map<string, number>();
  programs.forEach(({ inputs }, i) => {
    for (const name of inputs) lastUse.set(name, i);
  });
  return {
    async run(feeds) {
      const known = new Map(Object.entries(feeds));
      for (const [i, program] of programs.entries()) {
        const results = await program.run(Object.fromEntries(program.inputs.flatMap((name) => entryOf(known, name))));
        for (const [name, tensor] of Object.entries(results)) known.set(name, tensor);
        for (const name of program.inputs) if (lastUse.get(name) === i && !wanted.has(name)) known.delete(name);
      }
      return Object.fromEntries(names.map((name) => [name, known.get(name)!]));
    },
    async release() {
      for (const program of programs) await program.release();
    },
  };
}

function entryOf(known: ReadonlyMap<string, Tensor>, name: string): [string, Tensor][] {
  const tensor = known.get(name);
  return tensor === undefined ? [] : [[name, tensor]];
}

/** A program in one session, with the names of the inputs that it reads. */
interface CompiledSegment extends Program {
  readonly inputs: readonly string[];
}

async function compileWhole(graph: NamedGraph, options: CompileOptions): Promise<CompiledSegment> {
  const { precision, threads, optimized, memoryLimit } = options;
  const { graph: written, pack, unpack } = packed(graph, precision);
  const { bytes, results } = lower(written, { precision });
  if (memoryLimit !== undefined) checkLiveBytes(results, { precision, memoryLimit });
  const session = await openChecked(bytes, {
    // The higher fusions are partly missing and partly wrong in float64.
    optimization: !optimized ? "none" : precision === "float64" ? "basic" : "all",
    largestValue: largestValue(graph, precision),
    ...(threads === undefined ? {} : { threads }),
  });
  const outputs = Object.keys(written.outputs);
  const values = graph.inputs;
  const reached = new Set(topologicalOrder(Object.values(graph.outputs)));
  const inputs = Object.keys(values).filter((name) => reached.has(values[name]));
  return {
    inputs,
    async run(feeds) {
      const given = byName<Tensor>();
      for (const name of inputs)
        given[name] = checkedFeed(name, valueNamed(feeds, name), { shape: values[name].shape, precision });
      try {
        return unpack(await session.run(pack(given), outputs));
      } catch (cause) {
        throw engineError("could not run a graph", cause);
      }
    },
    release: () => session.release(),
  };
}

function checkLiveBytes(
  results: readonly Value[],
  { precision, memoryLimit }: { readonly precision: Precision; readonly memoryLimit: number },
): void {
  const { bytes, at } = liveBytes(results, precision);
  if (bytes <= memoryLimit) return;
  throw new CurvatureError(
    "model",
    `the values of a batch take ${formatBytes(bytes)} at once (where ${at?.primitive.name} gives ${formatDims(at?.shape ?? [])}), more than the memory limit of ${formatBytes(memoryLimit)}; take smaller batches (--batch-size), or raise memoryLimit (--memory-limit)`,
  );
}

async function openChecked(bytes: Uint8Array, options: SessionOptions): Promise<Session> {
  try {
    return await openSession(bytes, options);
  } catch (cause) {
    throw engineError("refused a graph", cause);
  }
}

/** Bytes of the largest value that is computed. */
function largestValue({ outputs }: NamedGraph, precision: Precision): number {
  let entries = 0;
  for (const value of topologicalOrder(Object.values(outputs))) {
    if (!isInput(value)) entries = Math.max(entries, sizeOf(value.shape));
  }
  return entries * (precision === "float64" ? 8 : 4);
}

function checkedFeed(
  name: string,
  tensor: Tensor | undefined,
  { shape, precision }: { readonly shape: readonly number[]; readonly precision: Precision },
): Tensor {
  if (tensor === undefined) throw new CurvatureError("argument", `input "${name}" of the graph was not given`);
  if (tensor.data.length !== sizeOf(shape)) {
    throw new CurvatureError(
      "shape",
      `input "${name}" must have shape ${formatDims(shape)}, got ${formatDims(tensor.dims)}`,
    );
  }
  const converted = inPrecision(tensor, precision);
  return converted.dims === shape ? converted : { data: converted.data, dims: shape, dtype: dtypeOf(converted) };
}

/** The engine's own message, without its file names and line numbers. */
export function engineError(what: string, cause: unknown): CurvatureError {
  // Not of the engine: where there is none.
  if (cause instanceof CurvatureError) return cause;
  const text = cause instanceof Error ? cause.message : String(cause);
  const line = text.split("\n")[0].replace(/\/\S*\/onnxruntime\S*/g, "");
  return new CurvatureError("runtime", `ONNX Runtime ${what}: ${line}`, { cause });
}
