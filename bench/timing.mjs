// @ts-check
import { readdirSync, readFileSync } from "node:fs";

/** Share of a repeat's time that its threads may wait for a core before it counts as disturbed. */
const WAITED = 0.02;
/** Milliseconds a repeat lasts at least: what is faster is called several times in a row. */
const SHORTEST = 3;
/** Milliseconds of a first call after which no second one is spent on warming up. */
const LONG = 2000;

/**
 * Milliseconds that the threads of this process have been ready to run without a core to run on; 0 where the system does
 * not tell.
 */
export function waitedMs() {
  let total = 0;
  try {
    for (const task of readdirSync("/proc/self/task")) {
      try {
        total += Number(readFileSync(`/proc/self/task/${task}/schedstat`, "utf8").split(" ")[1]);
      } catch {
        // The thread has ended meanwhile.
      }
    }
  } catch {
    return 0;
  }
  return total / 1e6;
}

/** @typedef {{ first: number, all: number[], undisturbed: number[], processor: number[] }} Times milliseconds a call, and of processor time */

/**
 * A function that is timed in portions: `measure(seconds)` repeats it for about that long and adds to `times`.
 *
 * @param {() => Promise<unknown>} work
 */
export function timer(work) {
  /** @type {Times} */
  const times = { first: 0, all: [], undisturbed: [], processor: [] };
  let calls = 0;
  const once = async () => {
    const start = performance.now();
    await work();
    return performance.now() - start;
  };
  const warmUp = async () => {
    times.first = await once();
    const second = times.first > LONG ? times.first : await once();
    calls = second > SHORTEST ? 1 : Math.max(1, Math.min(50, Math.ceil(SHORTEST / (await once()))));
  };
  const repeat = async () => {
    const waited = waitedMs();
    const used = process.cpuUsage();
    const start = performance.now();
    for (let call = 0; call < calls; call++) await work();
    const ms = performance.now() - start;
    const { user, system } = process.cpuUsage(used);
    times.all.push(ms / calls);
    times.processor.push((user + system) / 1000 / calls);
    if (waitedMs() - waited < WAITED * ms) times.undisturbed.push(ms / calls);
  };
  return {
    times,
    /** @param {number} seconds */
    async measure(seconds) {
      if (calls === 0) await warmUp();
      const end = performance.now() + 1000 * seconds;
      do await repeat();
      while (performance.now() < end);
    },
  };
}

/**
 * Least time, and median over the undisturbed repeats where there are at least three.
 *
 * @param {Pick<Times, "all" | "undisturbed">} times
 */
export function summary({ all, undisturbed }) {
  return { min: Math.min(...all), median: median(undisturbed.length >= 3 ? undisturbed : all) };
}

/** @param {readonly number[]} values */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
