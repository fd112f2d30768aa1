import { Command } from "commander";
import { inspectModel } from "../../index.ts";
import { inspectionText } from "../inspectionText.ts";
import { type ModelOptions, openModel, withModelOptions } from "../modelOptions.ts";
import { print, printJson } from "../print.ts";

interface InspectOptions extends ModelOptions {
  readonly json?: true;
}

const EXAMPLE = `
Example:
  $ onnx-curvature inspect digits_mlp.onnx`;

/** `inspect MODEL`: shows the contents of a file and the operators that this library supports. */
export function inspectCommand(): Command {
  const command = new Command("inspect")
    .description(
      "show inputs, outputs, weights and operators of a model, whether each is supported, and which loss fits",
    )
    .argument("<model>", "ONNX file, or its URL");
  return withModelOptions(command)
    .optionsGroup("Output:")
    .option("--json", "print everything as JSON")
    .option("--debug", "print where an error happened")
    .addHelpText("after", EXAMPLE)
    .action(async (file: string, options: InspectOptions) => {
      const found = inspectModel(await openModel(file, options));
      if (options.json) printJson(found);
      else print(inspectionText(found));
    });
}
