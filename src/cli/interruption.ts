import { CurvatureError } from "../index.ts";
import { printError } from "./print.ts";

/**
 * Runs work with a signal that Ctrl-C fires; a second Ctrl-C ends the process at once.
 *
 * @throws CurvatureError "aborted" if it was stopped
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const interrupt = () => {
    printError("\nStopping; press Ctrl-C again to end at once\n");
    controller.abort();
  };
  process.once("SIGINT", interrupt);
  try {
    return await work(controller.signal);
  } catch (cause) {
    if (!controller.signal.aborted) throw cause;
    throw new CurvatureError("aborted", "stopped by Ctrl-C; nothing was written", { cause });
  } finally {
    process.removeListener("SIGINT", interrupt);
  }
}
