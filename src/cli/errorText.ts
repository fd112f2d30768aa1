import { CurvatureError } from "../index.ts";

/** Exit codes of the process; 130 is a shell's code for Ctrl-C. */
export const exitCodes = { success: 0, failure: 1, usage: 2, interrupted: 130 } as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Text of an error: one line, or with `stack` also the stack traces of the error and its causes. */
export function errorText(error: unknown, { stack }: { readonly stack: boolean }): string {
  const text = `error: ${explanation(error)}`;
  return stack ? [text, ...traces(error)].join("\n") : text;
}

function explanation(error: unknown): string {
  const message = (error instanceof Error ? error.message : String(error)).trim().replace(/\s*\n\s*/g, " ");
  const expected = error instanceof CurvatureError || (error instanceof Error && "code" in error);
  return expected
    ? message
    : `unexpected failure: ${message || "no message"}; run again with --debug for where it happened`;
}

function traces(error: unknown): readonly string[] {
  if (!(error instanceof Error)) return [];
  const own = error.stack ?? error.message;
  return error.cause === undefined ? [own] : [own, "caused by:", ...traces(error.cause)];
}
