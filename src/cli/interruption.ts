import { type Communicator, CurvatureError, selfCommunicator } from "../index.ts";
import { printError } from "./print.ts";

/** What a message calls the signals that stop a run. */
const NAMES = { SIGINT: "Ctrl-C", SIGTERM: "SIGTERM" } as const;

type StoppingSignal = keyof typeof NAMES;

/** How work is interrupted. */
export interface InterruptionOptions {
  /** Runs first, to clear what is on the screen. */
  readonly onInterrupt?: () => void;
  /** The ranks that stop together; default: this process alone. */
  readonly communicator?: Communicator;
}

/**
 * Runs work with a signal that Ctrl-C or SIGTERM fires, on all ranks within the same call; a second one ends the process at once.
 *
 * @throws CurvatureError "aborted" if it was stopped, with the `state` of the work if that has one
 */
export async function interruptible<T>(
  work: (signal: AbortSignal) => Promise<T>,
  { onInterrupt, communicator = selfCommunicator() }: InterruptionOptions = {},
): Promise<T> {
  const { signal, request } = communicator.interruption ?? selfCommunicator().interruption!;
  let received: StoppingSignal | undefined;
  const interrupt = (name: NodeJS.Signals) => {
    received ??= name as StoppingSignal;
    onInterrupt?.();
    printError(name === "SIGINT" ? "Stopping; press Ctrl-C again to end at once\n" : "Stopping after SIGTERM\n");
    request();
  };
  for (const name of stoppingSignals) process.once(name, interrupt);
  try {
    return await work(signal);
  } catch (cause) {
    if (!signal.aborted) throw cause;
    const state = cause instanceof CurvatureError ? cause.state : undefined;
    const by = received === undefined ? "a signal to another rank" : NAMES[received];
    const options = { cause, ...(state === undefined ? {} : { state }) };
    throw new CurvatureError("aborted", `stopped by ${by}`, options);
  } finally {
    for (const name of stoppingSignals) process.removeListener(name, interrupt);
  }
}

const stoppingSignals = Object.keys(NAMES) as readonly StoppingSignal[];
