import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { mutant } from "./mutants.ts";

/*
 * 5,000 mutants of three models in processes of their own, which need the built package: none may crash its process, take longer
 * than 10 seconds or more than 2 GB, and every rejection is one line.
 */
const files = ["exported/vit_torchscript", "exported/bert_dynamo", "exported/lstm_dynamo"];
const MUTANTS = 5000;
const SECONDS = 10;
const MEGABYTES = 2048;

const local = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Works through the mutants from `first` on; a mutant that ends the process is a defect, and the next process goes on after it. */
async function run(folder: string, first: number, outcomes: Map<string, number>, defects: string[]): Promise<void> {
  const child = spawn(process.execPath, [local("fuzzWorker.mjs"), folder, String(first), String(MUTANTS - first)], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  let current = first;
  let timer: NodeJS.Timeout | undefined;
  let late = false;
  for await (const line of createInterface({ input: child.stdout })) {
    clearTimeout(timer);
    const [kind, number, megabytes, ...outcome] = line.split(" ");
    if (kind === "start") {
      current = Number(number);
      timer = setTimeout(() => {
        late = true;
        child.kill("SIGKILL");
      }, SECONDS * 1000);
      continue;
    }
    const what = outcome[0]!;
    outcomes.set(what, (outcomes.get(what) ?? 0) + 1);
    if (what === "defect") defects.push(`mutant ${number}: ${outcome.slice(1).join(" ")}`);
    if (Number(megabytes) > MEGABYTES) {
      defects.push(`mutant ${number}: ${megabytes} MB`);
      child.kill("SIGKILL");
      current++;
      break;
    }
    if (Number(number) === MUTANTS - 1) current = MUTANTS;
  }
  clearTimeout(timer);
  if (current >= MUTANTS) return;
  if (late) defects.push(`mutant ${current}: more than ${SECONDS} s`);
  else if (child.signalCode !== "SIGKILL") defects.push(`mutant ${current}: the process ended`);
  await run(folder, late || child.signalCode !== "SIGKILL" ? current + 1 : current, outcomes, defects);
}

test.each(files)("5,000 mutants of %s", async (file) => {
  if (!existsSync(local("../../dist/index.js"))) throw new Error("build the package first: npm run build");
  const bytes = new Uint8Array(readFileSync(local(`${file}.onnx`)));
  const folder = mkdtempSync(join(tmpdir(), "mutants-"));
  try {
    for (let seed = 0; seed < MUTANTS; seed++) writeFileSync(join(folder, `${seed}.onnx`), mutant(bytes, seed));
    const outcomes = new Map<string, number>();
    const defects: string[] = [];
    await run(folder, 0, outcomes, defects);
    expect(defects).toEqual([]);
    expect(outcomes.get("read")).toBeGreaterThan(500);
    expect(outcomes.get("file")).toBeGreaterThan(300);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
