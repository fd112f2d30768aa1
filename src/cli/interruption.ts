import { CurvatureError } from "../index.ts";
import { printError } from "./print.ts";

/**
 * Runs work with a signal that Ctrl-C fires; a second Ctrl-C ends the process at once. `onInterrupt` runs first, to clear what is on the
 * screen.
 *
 * @throws CurvatureError "aborted" if it was stopped, with the `state` of the work if that has one
 */
export async function interruptible<T>(
  work: (signal: AbortSignal) => Promise<T>,
  { onInterrupt }: { readonly onInterrupt?: () => void } = {},
): Promise<T> {
  const controller = new AbortController();
  const interrupt = () => {
    onInterrupt?.();
    printError("Stopping; press Ctrl-C again to end at once\n");
    controller.abort();
  };
  process.once("SIGINT", interrupt);
  try {
    return await work(controller.signal);
  } catch (cause) {
    if (!controller.signal.aborted) throw cause;
    const state = cause instanceof CurvatureError ? cause.state : undefined;
    const options = { cause, ...(state === undefined ? {} : { state }) };
    throw new CurvatureError("aborted", "stopped by Ctrl-C; nothing was written", options);
  } finally {
    process.removeListener("SIGINT", interrupt);
  }
}
