import { Command, CommanderError } from "commander";
import { printableText, version } from "../index.ts";
import { compareCommand } from "./commands/compare.ts";
import { exportCommand } from "./commands/export.ts";
import { inspectCommand } from "./commands/inspect.ts";
import { landscapeCommand } from "./commands/landscape.ts";
import { mergeCommand } from "./commands/merge.ts";
import { reportCommand } from "./commands/report.ts";
import { tuneCommand } from "./commands/tune.ts";
import { type ExitCode, errorText, exitCodes } from "./errorText.ts";
import { printError } from "./print.ts";

const EXAMPLES = `
Examples:
  $ onnx-curvature inspect model.onnx
  $ onnx-curvature report model.onnx --data train.csv --loss crossEntropy --out report
  $ onnx-curvature export model.onnx --product hvp --loss crossEntropy --batch-size 32 --out hvp.onnx

"onnx-curvature help report" lists all options of a command.`;

/** Runs the command line with these arguments: results go to standard output, progress and errors to standard error. */
export async function runProgram(args: readonly string[]): Promise<ExitCode> {
  const program = buildProgram();
  try {
    await program.parseAsync(args, { from: "user" });
    return exitCodes.success;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.success : exitCodes.usage;
    printError(`${errorText(error, { stack: args.includes("--debug") })}\n`);
    return exitCodes.failure;
  }
}

function buildProgram(): Command {
  const program = new Command("onnx-curvature")
    .description("Curvature of any network that can be exported to ONNX: Hessian, Gauss-Newton and Fisher matrices.")
    .version(version, "--version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand("help [command]", "print the help of a command")
    .addHelpText("after", EXAMPLES)
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(`${printableText(oneLine(text))}\n`) });
  for (const command of [
    inspectCommand(),
    reportCommand(),
    exportCommand(),
    landscapeCommand(),
    tuneCommand(),
    mergeCommand(),
    compareCommand(),
  ]) {
    program.addCommand(command.copyInheritedSettings(program));
  }
  program.action((_, { args: [unknown] }: Command) => {
    const got = unknown === undefined ? "none" : `"${unknown}"`;
    program.error(
      `error: expected a command (inspect, report, export, landscape, tune, merge or compare), got ${got}; see --help`,
    );
  });
  return program.allowExcessArguments(true);
}

/** Commander adds its suggestions on lines of their own. */
function oneLine(text: string): string {
  return text.trim().replace(/\s*\n\s*/g, " ");
}
