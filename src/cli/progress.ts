import { SingleBar } from "cli-progress";
import { printableText } from "../index.ts";

/** Shows how far a computation has come, on standard error. */
export interface ProgressDisplay {
  update(progress: { readonly stage: string; readonly done: number; readonly total?: number }): void;
  /** Takes the bar away. */
  stop(): void;
}

/** A bar with the time left on a terminal; elsewhere a line for each stage. */
export function progressDisplay(stream: NodeJS.WriteStream = process.stderr): ProgressDisplay {
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
    // Ctrl-C is answered by the command itself, which takes the bar away.
    gracefulExit: false,
  });
  const began = performance.now();
  let started = false;
  return {
    update({ stage: name, done, total }) {
      const stage = printableText(name);
      if (!started) shown.start(total ?? 1, 0, { stage, left: "" });
      started = true;
      if (total === undefined) return shown.update({ stage, left: "starting" });
      shown.setTotal(total);
      shown.update(done, { stage, left: `${timeLeft(performance.now() - began, { done, total })} left` });
    },
    stop() {
      if (started) shown.stop();
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

/** Time that the rest takes if it goes on as before. */
function timeLeft(elapsed: number, { done, total }: { readonly done: number; readonly total: number }): string {
  if (done === 0) return "?";
  const seconds = Math.ceil(((elapsed / done) * (total - done)) / 1000);
  const minutes = Math.floor(seconds / 60);
  return minutes === 0 ? `${seconds} s` : `${minutes} min ${seconds % 60} s`;
}
