import { statSync } from "node:fs";
import { join } from "node:path";
import { InvalidArgumentError, Option } from "commander";

/**
 * `--out` of a command that writes one file. A folder, one that exists or a name with a slash at its end, gets the file under its usual name.
 *
 * @param description what is written
 * @param usual name of the file
 */
export function outFileOption(description: string, usual: string): Option {
  return new Option("--out <file>", `${description}; in a folder, ${usual}`).argParser((text: string) =>
    isFolder(text) ? join(text, usual) : text,
  );
}

/** `--out` of a command that writes several files, into a folder. */
export function outFolderOption(description: string): Option {
  return new Option("--out <folder>", description).argParser((text: string) => {
    if (!/[.](html|json|onnx|csv|txt)$/i.test(text) || isFolder(text)) return text;
    throw new InvalidArgumentError(
      `Expected a folder, since this command writes several files; got the name of a file. Try --out ${text.replace(/[.]\w+$/, "")}.`,
    );
  });
}

function isFolder(path: string): boolean {
  return /[\\/]$/.test(path) || (statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false);
}
