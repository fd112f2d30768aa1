import { SingleBar } from "cli-progress";
import { printableText } from "../index.ts";
import { muted } from "./print.ts";

/** Shows the progress of a computation on standard error. */
export interface ProgressDisplay {
  update(progress: { readonly stage: string; readonly done: number; readonly total?: number }): void;
  /** Removes the bar; later updates show nothing. */
  stop(): void;
}

/** A bar with the time left on a terminal; elsewhere a line for each stage. */
export function progressDisplay(stream: NodeJS.WriteStream = process.stderr): ProgressDisplay {
  if (muted.value) return { update() {}, stop() {} };
  return stream.isTTY ? bar(stream) : lines(stream);
}

function bar(stream: NodeJS.WriteStream): ProgressDisplay {
  const shown = new SingleBar({
    stream,
    format: "{bar} {percentage}% | {left} | {stage}",
    barCompleteChar: "#",
    barIncompleteChar: "-",
    barsize: 30,
    hideCursor: true,
    clearOnComplete: true,
    // The command itself handles Ctrl-C and removes the bar.
    gracefulExit: false,
  });
  const began = performance.now();
  let [started, stopped] = [false, false];
  return {
    update({ stage: name, done, total }) {
      // Work that ends after Ctrl-C must not draw the bar again.
      if (stopped) return;
      const stage = printableText(name);
      if (!started) shown.start(total ?? 1, 0, { stage, left: "" });
      started = true;
      if (total === undefined) return shown.update({ stage, left: "starting" });
      shown.setTotal(total);
      shown.update(done, { stage, left: `${timeLeft(performance.now() - began, { done, total })} left` });
    },
    stop() {
      if (started && !stopped) shown.stop();
      stopped = true;
    },
  };
}

function lines(stream: NodeJS.WriteStream): ProgressDisplay {
  let last: string | undefined;
  return {
    update({ stage, done, total }) {
      if (stage === last) return;
      last = stage;
      const share = total === undefined ? "" : ` (${Math.floor((100 * done) / total)} % done)`;
      stream.write(`${printableText(stage)}${share}\n`);
    },
    stop() {},
  };
}

/** Remaining time at the average speed so far. */
function timeLeft(elapsed: number, { done, total }: { readonly done: number; readonly total: number }): string {
  if (done === 0) return "?";
  const seconds = Math.ceil(((elapsed / done) * (total - done)) / 1000);
  const minutes = Math.floor(seconds / 60);
  return minutes === 0 ? `${seconds} s` : `${minutes} min ${seconds % 60} s`;
}
