import { printableJson, printableText } from "../index.ts";

/** Whether nothing is printed: on all ranks but the first. */
export const muted = { value: false };

/** Writes text on standard output. All output of a command goes through this function or `printError`, which escape control characters. */
export function print(text: string): void {
  if (!muted.value) process.stdout.write(printableText(text, { keepLines: true }));
}

/** Writes text on standard error. */
export function printError(text: string): void {
  if (!muted.value) process.stderr.write(printableText(text, { keepLines: true }));
}

/** Writes a value as JSON on standard output. */
export function printJson(value: unknown): void {
  process.stdout.write(`${printableJson(JSON.stringify(value, undefined, 2))}\n`);
}
