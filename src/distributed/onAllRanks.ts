import { CurvatureError, type ErrorCode } from "../errors/index.ts";
import type { Communicator } from "./communicator.ts";
import { exchangeText } from "./exchangeText.ts";
import { exclusively } from "./exclusively.ts";
import { textHash } from "./hashes.ts";

const shared = new WeakSet<object>();

/** Whether all ranks throw this error, so that they can end together. */
export function isOnAllRanks(error: unknown): boolean {
  return typeof error === "object" && error !== null && shared.has(error);
}

/** An error that all ranks throw together. */
export function errorOnAllRanks(
  code: ErrorCode,
  message: string,
  options?: { readonly cause?: unknown },
): CurvatureError {
  const error = new CurvatureError(code, message, options);
  shared.add(error);
  return error;
}

/**
 * Runs a rank's own work, such as reading its file, and waits for that of the other ranks. If it fails on some rank, all ranks throw the
 * error of the first of these, with its number; otherwise the others would wait in their next exchange. Costs one exchange of 24 bytes.
 *
 * @throws CurvatureError of the code and with the message of the rank that failed
 */
export async function onAllRanks<T>(communicator: Communicator, work: () => Promise<T>): Promise<T> {
  if (communicator.size === 1) return work();
  const done = await attempt(work);
  return exclusively(communicator, () => agreedResult(communicator, "onAllRanks", done));
}

/**
 * As `onAllRanks`, within exclusive work.
 *
 * @param call what the ranks do, equal on all of them
 */
export async function settled<T>(communicator: Communicator, call: string, work: () => Promise<T>): Promise<T> {
  return agreedResult(communicator, call, await attempt(work));
}

type Attempt<T> = { readonly value: T } | { readonly error: unknown };

async function attempt<T>(work: () => Promise<T>): Promise<Attempt<T>> {
  try {
    return { value: await work() };
  } catch (error) {
    return { error };
  }
}

async function agreedResult<T>(communicator: Communicator, call: string, done: Attempt<T>): Promise<T> {
  const { rank, size } = communicator;
  const wish = communicator.interruption?.isRequested() === true ? 1 : 0;
  const own = Float64Array.of("error" in done ? 1 : 0, textHash(call), wish);
  const all = await communicator.allGather(own, new Float64Array(own.length * size));
  const ranks = Array.from({ length: size }, (_, i) => ({
    failed: all[3 * i] === 1,
    call: all[3 * i + 1],
    wishesToStop: all[3 * i + 2] === 1,
  }));
  if (ranks.some(({ wishesToStop }) => wishesToStop)) communicator.interruption?.agree();
  const failed = ranks.findIndex((each) => each.failed);
  if (failed >= 0) {
    const text = "error" in done && rank === failed ? JSON.stringify(described(done.error)) : "";
    const { code, message } = JSON.parse(await exchangeText(communicator, text, { root: failed })) as Described;
    const cause = "error" in done ? { cause: done.error } : {};
    throw errorOnAllRanks(code, `rank ${failed} of ${size}: ${message}`, cause);
  }
  const other = ranks.findIndex((each) => each.call !== ranks[0]!.call);
  if (other < 0) return (done as { readonly value: T }).value;
  const calls = [
    await exchangeText(communicator, call, { root: 0 }),
    await exchangeText(communicator, call, { root: other }),
  ];
  throw errorOnAllRanks(
    "argument",
    `expected the same calls in the same order on all ranks, got ${calls[0]} on rank 0 and ${calls[1]} on rank ${other}`,
  );
}

interface Described {
  readonly code: ErrorCode;
  readonly message: string;
}

function described(error: unknown): Described {
  const message = error instanceof Error ? error.message : String(error);
  return { code: error instanceof CurvatureError ? error.code : "runtime", message };
}
