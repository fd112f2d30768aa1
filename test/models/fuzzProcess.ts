import { spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { CurvatureError } from "../../src/errors/index.ts";

/*
 * Cases that run in a process of their own, so that one that ends it, or does not end, is a finding and not the end of the test.
 * The process prints `start NUMBER` before each case and `done NUMBER MEGABYTES OUTCOME` after it; megabytes are those that the
 * case took at its worst beyond what the process held before.
 */

/** Seconds of the processors that a case may take: those of the clock depend on what else the machine does. */
const SECONDS = 10;
/** Seconds of the clock after which a case that waits for something is ended as well. */
const CLOCK_SECONDS = 120;
/** Megabytes that a case may take. */
const MEGABYTES = 2048;
/** Megabytes of the whole process beyond which it is ended at once, so that the machine goes on. */
const MOST_RESIDENT = 6000;

const local = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Cases to run: numbers `first` to before `end`, by a script that takes both after its own arguments. */
export interface CaseRuns {
  readonly script: string;
  readonly given: readonly string[];
  readonly first: number;
  readonly end: number;
}

/** What came out of cases. */
export interface CaseOutcomes {
  /** How many cases ended so, by the first word of their outcomes. */
  readonly counts: ReadonlyMap<string, number>;
  /** What no case may do. */
  readonly defects: readonly string[];
  readonly mostMegabytes: number;
  readonly seconds: number;
}

/** Runs cases one after the other, in a new process after each that ends the process or is too late. */
export async function runCases(runs: CaseRuns): Promise<CaseOutcomes> {
  const counts = new Map<string, number>();
  const defects: string[] = [];
  const begin = performance.now();
  let mostMegabytes = 0;
  let next = runs.first;
  while (next < runs.end) {
    const ended = await runUntilEnd({ ...runs, first: next }, (number, megabytes, outcome) => {
      const [what] = outcome.split(" ");
      counts.set(what, (counts.get(what) ?? 0) + 1);
      mostMegabytes = Math.max(mostMegabytes, megabytes);
      if (what === "defect" || what === "different") defects.push(`case ${number}: ${outcome}`);
      if (megabytes > MEGABYTES) defects.push(`case ${number}: ${megabytes} MB (${outcome})`);
    });
    if (ended.why !== undefined) defects.push(`case ${ended.next - 1}: ${ended.why}`);
    next = ended.next;
  }
  return { counts, defects, mostMegabytes, seconds: (performance.now() - begin) / 1000 };
}

async function runUntilEnd(
  { script, given, first, end }: CaseRuns,
  onDone: (number: number, megabytes: number, outcome: string) => void,
): Promise<{ readonly next: number; readonly why?: string }> {
  const loader = `${new URL("../linalg/registerTypescript.mjs", import.meta.url)}`;
  const flags = ["--expose-gc", "--import", loader];
  const child = spawn(process.execPath, [...flags, local(script), ...given, String(first), String(end)], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said = `${said}${chunk.toString()}`.slice(-500);
  });
  let current: number | undefined;
  let began = performance.now();
  let beganSeconds = 0;
  let why: string | undefined;
  const watch = setInterval(() => {
    const clock = (performance.now() - began) / 1000;
    // What the system does not say counts by the clock.
    const seconds = (processorSeconds(child.pid!) ?? clock + beganSeconds) - beganSeconds;
    if (current !== undefined && seconds > SECONDS) why = `more than ${SECONDS} s`;
    else if (current !== undefined && clock > CLOCK_SECONDS) why = `more than ${CLOCK_SECONDS} s of the clock`;
    else if (residentMegabytes(child.pid!) > MOST_RESIDENT) why = `more than ${MOST_RESIDENT} MB`;
    if (why !== undefined) child.kill("SIGKILL");
  }, 100);
  let next = first;
  for await (const line of createInterface({ input: child.stdout })) {
    const [kind, number, megabytes, ...outcome] = line.split(" ");
    began = performance.now();
    beganSeconds = processorSeconds(child.pid!) ?? 0;
    current = kind === "start" ? Number(number) : undefined;
    next = Number(number) + 1;
    if (kind === "done") onDone(Number(number), Number(megabytes), outcome.join(" "));
  }
  clearInterval(watch);
  if (current === undefined && next < end && why === undefined) why = "the process ended between two cases";
  const ended = `the process ended (${child.signalCode ?? child.exitCode}): ${said.replaceAll("\n", " | ")}`;
  return current === undefined && next >= end ? { next } : { next: Math.max(next, first + 1), why: why ?? ended };
}

/** Ticks of a second in which Linux counts the time of processes. */
const TICKS = 100;

/** Seconds of the processors that a process has had, where the system says so. */
function processorSeconds(process: number): number | undefined {
  const path = `/proc/${process}/stat`;
  if (!existsSync(path)) return undefined;
  try {
    // The name in brackets may hold spaces. User and system time are fields 14 and 15.
    const fields = readFileSync(path, "utf8").split(") ").at(-1)!.split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS;
  } catch {
    return undefined;
  }
}

function residentMegabytes(process: number): number {
  const status = `/proc/${process}/status`;
  return existsSync(status) ? megabytesOf("VmRSS", status) : 0;
}

function megabytesOf(field: string, status: string): number {
  try {
    return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync(status, "utf8"))?.[1] ?? 0) >> 10;
  } catch {
    return 0;
  }
}

/** Runs in the process of cases: what each comes to, in the words that the other side reads. */
export async function reportCases(first: number, end: number, run: (number: number) => Promise<string>): Promise<void> {
  for (let number = first; number < end; number++) {
    (globalThis as { gc?: () => void }).gc?.();
    const before = currentMegabytes();
    process.stdout.write(`start ${number}\n`);
    const outcome = await run(number).catch((error: unknown) => refusal(error));
    process.stdout.write(`done ${number} ${Math.max(peakMegabytes() - before, 0)} ${outcome}\n`);
  }
}

/** Forgets the peak so far, where the system can, and says what the process holds. */
function currentMegabytes(): number {
  if (!existsSync("/proc/self/clear_refs")) return 0;
  writeFileSync("/proc/self/clear_refs", "5");
  return megabytesOf("VmRSS", "/proc/self/status");
}

function peakMegabytes(): number {
  return existsSync("/proc/self/status")
    ? megabytesOf("VmHWM", "/proc/self/status")
    : process.resourceUsage().maxRSS >> 10;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: what a terminal would obey is what must not be there.
const OBEYED = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;

/** The code of an error of the library in one line that a terminal can show; all else that is thrown is a defect. */
function refusal(error: unknown): string {
  const isOurs = error instanceof CurvatureError && !OBEYED.test(error.message);
  if (isOurs && !error.message.startsWith("internal")) return `${error.code} ${error.message}`;
  return `defect ${error instanceof Error ? error.stack : String(error)}`.replaceAll("\n", " | ");
}
