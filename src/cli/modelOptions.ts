import type { Command } from "commander";
import { type FileModel, loadModel } from "../index.ts";
import { namedNumber, nameList } from "./parsers.ts";

/** Options of every command that say how a model is read. */
export interface ModelOptions {
  readonly output?: readonly string[];
  readonly bind?: { readonly [name: string]: number };
  readonly inference?: true;
  readonly restoreTies?: true;
}

/** Adds these options to a command. */
export function withModelOptions(command: Command): Command {
  return command
    .option("--output <name>", "output to read, any value of the graph; repeat for gaussianNll with two", nameList)
    .option(
      "--bind <name=value>",
      "give an input or an open size a fixed value, for example sr=16000; repeatable",
      namedNumber,
    )
    .option("--restore-ties", "make weights that are copies of one another a single weight again")
    .option("--inference", "read a model that was saved in training mode as it works after training");
}

/** The model as these options ask for it. */
export function openModel(file: string, { output, bind, inference, restoreTies }: ModelOptions): Promise<FileModel> {
  return loadModel(file, {
    ...(output && { output }),
    ...(bind && { bind }),
    ...(restoreTies && { ties: "restore" as const }),
    ...(inference && { trainingMode: "inference" as const }),
  });
}
