import { openSession } from "#runtime";
import { CurvatureError } from "../errors/index.ts";
import { isInput, topologicalOrder } from "../graph/index.ts";
import { byName, dtypeOf, formatDims, type Precision, sizeOf, type Tensor, valueNamed } from "../tensors/index.ts";
import { lower, type NamedGraph } from "./lower.ts";
import type { Session, SessionOptions } from "./session.ts";
import { inPrecision } from "./writer.ts";

/** How a graph is to be compiled. */
export interface CompileOptions {
  readonly precision: Precision;
  /** Threads within one operation; the engine's choice if absent. */
  readonly threads?: number;
  /**
   * Whether the program runs often enough to be worth the engine's optimizations, true by default: they take up to four times as long as
   * all else about opening it, and gain some percent of a run.
   */
  readonly optimized?: boolean;
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
 * Compiles a graph for ONNX Runtime.
 *
 * @throws CurvatureError "runtime" where the engine refuses the graph
 */
export async function compile(graph: NamedGraph, options: CompileOptions): Promise<Program> {
  const { precision, threads, optimized = true } = options;
  // The engine refuses a graph without outputs.
  if (Object.keys(graph.outputs).length === 0) return { run: async () => ({}), release: async () => {} };
  const { bytes, inputs } = lower(graph, { precision });
  const session = await openChecked(bytes, {
    // The higher fusions are partly missing and partly wrong in float64.
    optimization: !optimized ? "none" : precision === "float64" ? "basic" : "all",
    largestValue: largestValue(graph, precision),
    ...(threads === undefined ? {} : { threads }),
  });
  const outputs = Object.keys(graph.outputs);
  const values = graph.inputs;
  return {
    async run(feeds) {
      const given = byName<Tensor>();
      for (const name of inputs)
        given[name] = checkedFeed(name, valueNamed(feeds, name), { shape: values[name].shape, precision });
      try {
        return await session.run(given, outputs);
      } catch (cause) {
        throw engineError("could not run a graph", cause);
      }
    },
    release: () => session.release(),
  };
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
  const text = cause instanceof Error ? cause.message : String(cause);
  const line = text.split("\n")[0].replace(/\/\S*\/onnxruntime\S*/g, "");
  return new CurvatureError("runtime", `ONNX Runtime ${what}: ${line}`, { cause });
}
