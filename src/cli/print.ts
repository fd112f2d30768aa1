import { printableJson, printableText } from "../index.ts";

/** Writes text on standard output. All output of a command goes through this function or `printError`, which escape control characters. */
export function print(text: string): void {
  process.stdout.write(printableText(text, { keepLines: true }));
}

/** Writes text on standard error. */
export function printError(text: string): void {
  process.stderr.write(printableText(text, { keepLines: true }));
}

/** Writes a value as JSON on standard output. */
export function printJson(value: unknown): void {
  process.stdout.write(`${printableJson(JSON.stringify(value, undefined, 2))}\n`);
}
