import { Command, Option } from "commander";
import { CurvatureError, type ExportedProduct, exportProduct, type FileModel, printableText } from "../../index.ts";
import { checkExported } from "../checkExported.ts";
import {
  classAxisOption,
  dtypeOption,
  type LossChoice,
  lossOption,
  reductionOption,
  withOutputs,
} from "../lossOption.ts";
import { type ModelOptions, openModel, withModelOptions } from "../modelOptions.ts";
import { outFileOption } from "../outOption.ts";
import { prepareFiles, writeFiles } from "../outputFiles.ts";
import { namedShape, patternList, wholeNumber } from "../parsers.ts";
import { print, printError, printJson } from "../print.ts";

interface ExportCommandOptions extends ModelOptions {
  readonly product: ExportedProduct;
  readonly loss: LossChoice;
  readonly reduction: "mean" | "sum";
  readonly classAxis?: "second" | "last";
  readonly batchSize: number;
  readonly out: string;
  readonly parameters?: readonly (string | RegExp)[];
  readonly parametersAsInputs?: true;
  readonly dtype: "float32" | "float64";
  readonly rowShape?: { readonly [input: string]: readonly number[] };
  readonly json?: true;
}

const EXAMPLE = `
Products: gradient (loss and gradient), hvp (Hessian times v), ggnvp (Gauss-Newton matrix times v), jvp (derivative of the
outputs along v), vjp (its transpose times u). Inputs are those of the model, "targets", and "v.<parameter>" or "u.<output>".

Example:
  $ onnx-curvature export digits_mlp.onnx --product hvp --loss crossEntropy --batch-size 64 --out hvp.onnx`;

/** `export MODEL`: writes a derivative as an ONNX model. */
export function exportCommand(): Command {
  const command = new Command("export")
    .description("write a derivative of the model as an ONNX model that any runtime can run")
    .argument("<model>", "ONNX file, or its URL")
    .optionsGroup("Derivative:")
    .addOption(
      new Option("--product <name>", "which derivative; required")
        .choices(["gradient", "hvp", "ggnvp", "jvp", "vjp"])
        .makeOptionMandatory(),
    )
    .addOption(lossOption())
    .addOption(reductionOption())
    .addOption(classAxisOption());
  return withModelOptions(command)
    .optionsGroup("Written file:")
    .addOption(
      new Option("--batch-size <n>", "rows of its inputs; required").argParser(wholeNumber(1)).makeOptionMandatory(),
    )
    .addOption(outFileOption("file to write; required", "derivative.onnx").makeOptionMandatory())
    .option(
      "--parameters <pattern>",
      "weights to differentiate: name, name with * or /regexp/; repeatable",
      patternList,
    )
    .option("--parameters-as-inputs", "make the weights inputs instead of storing them in the file")
    .addOption(dtypeOption())
    .option(
      "--row-shape <input=dims>",
      "shape of an input's rows where the model leaves it open, as x=3,32,32",
      namedShape,
    )
    .optionsGroup("Output:")
    .option("--json", "print what was written as JSON")
    .option("--debug", "print where an error happened")
    .addHelpText("after", EXAMPLE)
    .action(exportModel);
}

async function exportModel(file: string, options: ExportCommandOptions): Promise<void> {
  const { product, batchSize, dtype, parameters, rowShape, out } = options;
  const model = await openModel(file, options);
  checkShapes(model, rowShape);
  const folders = await prepareFiles(out);
  try {
    const exported = await exportProduct(model, {
      product,
      loss: withOutputs(options),
      batchSize,
      dtype,
      parametersAsInputs: options.parametersAsInputs ?? false,
      ...(parameters === undefined ? {} : { parameters: [...parameters] }),
      ...(rowShape === undefined ? {} : { rowShapes: rowShape }),
    });
    const { inputs, outputs } = await checkExported(exported, model);
    await writeFiles([[out, exported.bytes]]);
    tell(options, { inputs, outputs });
  } finally {
    await folders.discard();
  }
}

interface Slots {
  readonly inputs: readonly Slot[];
  readonly outputs: readonly Slot[];
}

function tell({ json, product, out }: ExportCommandOptions, { inputs, outputs }: Slots): void {
  if (json) printJson({ file: out, product, inputs, outputs });
  else print(summary(inputs, outputs));
  printError(`Wrote ${out}, after running it once\n`);
}

function checkShapes({ name, inputs }: FileModel, shapes: ExportCommandOptions["rowShape"] = {}): void {
  const unknown = Object.keys(shapes).find((key) => inputs.every((input) => input.name !== key));
  if (unknown === undefined) return;
  const known = inputs.map((input) => input.name).join(", ");
  throw new CurvatureError(
    "argument",
    `${name} has no input "${unknown}" to give a row shape; expected one of ${known}`,
  );
}

interface Slot {
  readonly name: string;
  readonly dtype: string;
  readonly dims: readonly number[];
}

function summary(inputs: readonly Slot[], outputs: readonly Slot[]): string {
  const line = ({ name, dtype, dims }: Slot) => `  ${printableText(name)}  ${dtype} [${dims.join(", ")}]`;
  return ["inputs", ...inputs.map(line), "outputs", ...outputs.map(line), ""].join("\n");
}
