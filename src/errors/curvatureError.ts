import { printableText } from "./printableText.ts";

/** Kind of an error. Programs branch on it; people read the message. */
export type ErrorCode =
  | "argument" // a function was called with an invalid argument
  | "file" // a file is missing, unreadable, truncated or not of the type that its name suggests
  | "model" // the model is readable but cannot be used as requested
  | "unsupported" // an operator, attribute or combination without a rule
  | "shape" // shapes that do not fit together
  | "data" // rows, labels or values out of range
  | "numeric" // a computation gave NaN or infinity, or did not converge
  | "nondeterministic" // two evaluations that should agree do not
  | "aborted" // stopped by the caller's signal
  | "runtime"; // the execution engine failed

/**
 * The one error type of the library. The message says in one line what was expected, what came and what to do. If an iterative method set
 * `state`, it is plain data from which the method can be resumed.
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

/** Names in a damaged file can be anything, so control characters are escaped and long text is cut. */
function oneLine(message: string): string {
  const shown = printableText(message);
  return shown.length <= LONGEST ? shown : `${shown.slice(0, LONGEST)}...`;
}

/** Largest number of characters of a message. */
const LONGEST = 2000;
