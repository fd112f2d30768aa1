import type { Command } from "commander";
import { type Bindings, CurvatureError, type FileModel, loadModel, loadTensor, type ReadOptions } from "../index.ts";
import { byteSize, namedBinding, nameList, patternList, positiveNumber } from "./parsers.ts";

/** Options of every command for reading a model. */
export interface ModelOptions {
  readonly output?: readonly string[];
  readonly bind?: { readonly [name: string]: number | string };
  readonly weights?: readonly (string | RegExp)[];
  readonly constants?: readonly (string | RegExp)[];
  readonly inference?: true;
  readonly restoreTies?: true;
  readonly memoryLimit?: number;
  readonly timeout?: number;
}

/** Adds these options to a command. */
export function withModelOptions(command: Command): Command {
  return command
    .optionsGroup("Model:")
    .option("--output <name>", "output to read, any value of the graph; repeat for gaussianNll with two", nameList)
    .option(
      "--bind <name=value>",
      "give an input or an open size a fixed value, or an input the array in a file, as sr=16000 or edge_index=e.npy; repeatable",
      namedBinding,
    )
    .option(
      "--weights <pattern>",
      "float tensors that are weights, against the evidence of the file: a name, with * for any characters, or /regex/; repeatable",
      patternList,
    )
    .option("--constants <pattern>", "float tensors that are not weights, in the same form; repeatable", patternList)
    .option("--restore-ties", "make weights that are copies of one another a single weight again")
    .option("--inference", "read a model that was saved in training mode as it works after training")
    .option(
      "--memory-limit <size>",
      "most memory for any one file, and for the values of a batch, as 2GB; default: a quarter of the free memory",
      byteSize,
    )
    .option(
      "--timeout <seconds>",
      "give up a server or pipe after so many seconds of silence; 8 by default",
      positiveNumber,
    );
}

/** The options of reading model and data files. */
export function readOptions({ memoryLimit, timeout }: ModelOptions): ReadOptions {
  return {
    ...(memoryLimit === undefined ? {} : { memoryLimit }),
    ...(timeout === undefined ? {} : { timeout: 1000 * timeout }),
  };
}

/** Loads the model with these options. */
export async function openModel(
  file: string,
  options: ModelOptions & { readonly signal?: AbortSignal },
): Promise<FileModel> {
  const { output, bind, weights, constants, inference, restoreTies } = options;
  const parameters = { ...(weights && { include: weights }), ...(constants && { exclude: constants }) };
  return loadModel(file, {
    ...readOptions(options),
    ...(options.signal && { signal: options.signal }),
    ...(output && { output }),
    ...(bind && { bind: await loadBindings(bind, options) }),
    parameters,
    ...(restoreTies && { ties: "restore" as const }),
    ...(inference && { trainingMode: "inference" as const }),
  });
}

/** The bindings: numbers, and the arrays loaded from files. */
async function loadBindings(
  bind: NonNullable<ModelOptions["bind"]>,
  options: ModelOptions & { readonly signal?: AbortSignal },
): Promise<Bindings> {
  const reading = { ...readOptions(options), ...(options.signal && { signal: options.signal }) };
  const entries = Object.entries(bind).map(async ([name, value]) => {
    if (typeof value === "number") return [name, value] as const;
    try {
      return [name, await loadTensor(value, reading)] as const;
    } catch (error) {
      if (!(error instanceof CurvatureError) || error.code === "aborted") throw error;
      throw new CurvatureError(
        error.code,
        `--bind ${name}=${value} is not a number, and not a file with an array: ${error.message}`,
        { cause: error },
      );
    }
  });
  return Object.fromEntries(await Promise.all(entries));
}
