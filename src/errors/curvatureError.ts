import { printableText } from "./printableText.ts";

/** What kind of mistake an error reports; callers branch on this, people read the message. */
export type ErrorCode =
  | "argument" // a function was called with something it cannot take
  | "file" // a file is missing, unreadable, truncated or not what its name says
  | "model" // the model is readable but cannot be used as asked
  | "unsupported" // an operator, attribute or combination without a rule
  | "shape" // shapes that do not fit together
  | "data" // rows, labels or values out of range
  | "numeric" // a computation left the real numbers or did not converge
  | "nondeterministic" // two evaluations that should agree do not
  | "aborted" // stopped by the caller's signal
  | "runtime"; // the execution engine failed

/**
 * The one error type of the library. The message says what was expected, what came and what to do, in one line;
 * `state`, where an iterative method set it, is plain data from which the method can be resumed.
 */
export class CurvatureError extends Error {
  readonly code: ErrorCode;
  readonly state?: unknown;

  constructor(code: ErrorCode, message: string, options: { readonly cause?: unknown; readonly state?: unknown } = {}) {
    super(oneLine(message), options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "CurvatureError";
    this.code = code;
    if (options.state !== undefined) this.state = options.state;
  }
}

/** Names in a damaged file can be anything: control characters show as escapes, and nothing is endless. */
function oneLine(message: string): string {
  const shown = printableText(message);
  return shown.length <= LONGEST ? shown : `${shown.slice(0, LONGEST)}...`;
}

/** Characters beyond which a message says no more. */
const LONGEST = 2000;
