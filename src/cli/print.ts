import { styleText } from "node:util";
import { printableJson, printableText } from "../index.ts";

/** Whether nothing is printed: on all ranks but the first. */
export const muted = { value: false };

/** Writes text on standard output. All output of a command goes through this function or `printError`, which escape control characters. */
export function print(text: string): void {
  if (!muted.value) process.stdout.write(emphasized(printableText(text, { keepLines: true }), process.stdout));
}

/** Writes text on standard error. */
export function printError(text: string): void {
  if (!muted.value) process.stderr.write(emphasized(printableText(text, { keepLines: true }), process.stderr));
}

/** Writes a value as JSON on standard output, arrays of numbers of every kind as lists. */
export function printJson(value: unknown): void {
  const lists = (_: string, part: unknown) => (ArrayBuffer.isView(part) ? [...(part as Float64Array)] : part);
  if (!muted.value) process.stdout.write(`${printableJson(JSON.stringify(value, lists, 2))}\n`);
}

type Style = "bold" | "red" | "yellow";

/** Text in a style, by its escape codes. */
export function styled(style: Style, text: string): string {
  return styleText(style, text, { validateStream: false });
}

/** Words at the beginning of a line that say of what kind it is. */
const EMPHASIS: readonly (readonly [word: RegExp, style: Style])[] = [
  [/^error:/gm, "red"],
  [/^ *(warning|caution):/gm, "yellow"],
];

/** The text with its words of warning in colour, if the stream takes colours. */
export function emphasized(text: string, stream: NodeJS.WriteStream): string {
  if (!takesColours(stream)) return text;
  return EMPHASIS.reduce((marked, [word, style]) => marked.replace(word, (found) => styled(style, found)), text);
}

/** Whether a stream is a terminal with colours. NO_COLOR and FORCE_COLOR overrule it (no-color.org, force-color.org). */
function takesColours(stream: NodeJS.WriteStream): boolean {
  const { NO_COLOR, FORCE_COLOR } = process.env;
  if (NO_COLOR) return false;
  if (FORCE_COLOR !== undefined) return FORCE_COLOR !== "0" && FORCE_COLOR !== "false";
  return stream.isTTY === true && stream.hasColors?.() !== false;
}
