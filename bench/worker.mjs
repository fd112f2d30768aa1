// @ts-check
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** @typedef {{ quantity: string, all: number[], undisturbed: number[], processor: number[], first: number, matvecs?: number, error?: string }} Portion */
/** @typedef {Awaited<ReturnType<typeof startWorker>>} Worker */

/**
 * A process that times one library and is told what to time next.
 *
 * @param {string} library
 * @param {readonly string[]} command
 * @returns once the process has said that it is ready
 */
export async function startWorker(library, [program, ...args]) {
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  /** @returns {Promise<any>} the next line that is an object; others are notices of libraries */
  const next = async () => {
    for (;;) {
      const { value, done } = await lines.next();
      if (done) throw new Error(`${library} ended early: ${program} ${args.join(" ")}`);
      if (value.startsWith("{")) return JSON.parse(value);
    }
  };
  await next();
  return {
    library,
    /**
     * @param {string} quantity
     * @param {number} seconds
     * @returns {Promise<Portion>}
     */
    measure(quantity, seconds) {
      child.stdin.write(`${JSON.stringify({ quantity, seconds })}\n`);
      return next();
    },
    async stop() {
      child.stdin.end();
      await new Promise((resolve) => child.once("exit", resolve));
    },
  };
}

/**
 * The JSON lines that a program prints.
 *
 * @param {readonly string[]} command
 * @returns {Promise<any[]>}
 */
export async function linesOf([program, ...args]) {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  const lines = [];
  for await (const line of createInterface({ input: child.stdout }))
    if (line.startsWith("{")) lines.push(JSON.parse(line));
  return lines;
}
