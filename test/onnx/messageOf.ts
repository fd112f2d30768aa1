import { CurvatureError } from "../../src/errors/index.ts";

/** `code: message` of the CurvatureError that the action throws; any other outcome fails. */
export function messageOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return describeError(error);
  }
  throw new Error("Nothing was thrown.");
}

/** `code: message` of the CurvatureError that the promise is rejected with; any other outcome fails. */
export async function rejectionOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(() => {
    throw new Error("The promise was fulfilled.");
  }, describeError);
}

function describeError(error: unknown): string {
  if (!(error instanceof CurvatureError)) throw error;
  if (error.message.includes("\n")) throw new Error("The message has more than one line.");
  return `${error.code}: ${error.message}`;
}
