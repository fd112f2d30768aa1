import { Command, CommanderError } from "commander";
import { CurvatureError, printableText, version } from "../index.ts";
import { compareCommand } from "./commands/compare.ts";
import { exportCommand } from "./commands/export.ts";
import { influenceCommand } from "./commands/influence.ts";
import { inspectCommand } from "./commands/inspect.ts";
import { landscapeCommand } from "./commands/landscape.ts";
import { mergeCommand } from "./commands/merge.ts";
import { pruneCommand } from "./commands/prune.ts";
import { quantizeCommand } from "./commands/quantize.ts";
import { reportCommand } from "./commands/report.ts";
import { tuneCommand } from "./commands/tune.ts";
import { uncertaintyCommand } from "./commands/uncertainty.ts";
import { type ExitCode, errorText, exitCodes } from "./errorText.ts";
import { launchedRank, onFirstRankAlone, onOneProcess } from "./launchedRank.ts";
import { emphasized, muted, printError, styled } from "./print.ts";

const EXAMPLES = `
Examples:
  $ onnx-curvature inspect model.onnx
  $ onnx-curvature report model.onnx --data train.csv --out report
  $ onnx-curvature export model.onnx --product hvp --loss crossEntropy --batch-size 32 --out hvp.onnx

"onnx-curvature help report" lists all options of a command.`;

/** Runs the command line with these arguments: results go to standard output, progress and errors to standard error. */
export async function runProgram(args: readonly string[]): Promise<ExitCode> {
  // Help, usage and errors that every rank finds are printed once.
  muted.value = launchedRank() > 0;
  const program = buildProgram();
  try {
    await program.parseAsync(args, { from: "user" });
    return exitCodes.success;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.success : exitCodes.usage;
    printError(`${errorText(error, { stack: args.includes("--debug") })}\n`);
    return error instanceof CurvatureError && error.code === "aborted" ? exitCodes.interrupted : exitCodes.failure;
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
    .configureHelp({ styleTitle: (title) => styled("bold", title) })
    .configureOutput({
      ...(muted.value && { writeOut: () => {}, writeErr: () => {} }),
      outputError: (text, write) => write(`${emphasized(printableText(usageError(text, program)), process.stderr)}\n`),
    });
  for (const command of [
    onFirstRankAlone(inspectCommand()),
    reportCommand(),
    onOneProcess(uncertaintyCommand()),
    influenceCommand(),
    onOneProcess(pruneCommand()),
    onOneProcess(quantizeCommand()),
    onOneProcess(landscapeCommand()),
    onOneProcess(tuneCommand()),
    onOneProcess(mergeCommand()),
    onOneProcess(compareCommand()),
    onFirstRankAlone(exportCommand()),
  ]) {
    program.addCommand(command.copyInheritedSettings(program));
  }
  return program;
}

/** The message in one line; that of an unknown command names the commands. */
function usageError(text: string, { commands }: Command): string {
  const [, unknown, suggestion] = /^error: unknown command '(.*?)'\s*(\(Did you mean .*)?$/s.exec(text.trim()) ?? [];
  if (unknown === undefined) return oneLine(text);
  const names = commands.map((command) => command.name());
  const known = `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`;
  const remedy =
    suggestion === undefined
      ? "see --help"
      : suggestion
          .trim()
          .replace(/^\(Did/, "did")
          .replace(/\)$/, "");
  return `error: expected a command (${known}), got "${unknown}"; ${remedy}`;
}

/** Commander adds its suggestions on lines of their own. */
function oneLine(text: string): string {
  return text.trim().replace(/\s*\n\s*/g, " ");
}
