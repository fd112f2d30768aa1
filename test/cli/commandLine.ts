import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { onTestFinished, vi } from "vitest";
import { runProgram } from "../../src/cli/program.ts";

export const MODEL = "examples/digits/digits_mlp.onnx";
export const DATA = "examples/digits/digits_train.csv.gz";

/** What a command printed, and its exit code. */
export interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command line in this process. */
export async function run(...args: readonly string[]): Promise<Run> {
  const text = { stdout: "", stderr: "" };
  const spies = (["stdout", "stderr"] as const).map((name) =>
    vi.spyOn(process[name], "write").mockImplementation((chunk) => {
      text[name] += String(chunk);
      return true;
    }),
  );
  try {
    return { code: await runProgram(args), ...text };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

/** A folder of this test's own, filled with these files. */
export function folderOf(files: { readonly [name: string]: string | Uint8Array } = {}): string {
  const folder = mkdtempSync(join(tmpdir(), "onnx-curvature-cli-"));
  for (const [name, contents] of Object.entries(files)) writeFileSync(join(folder, name), contents);
  return folder;
}

/** The first rows of the digits: 64 pixels and the digit each. */
export function digitLines(rows: number): string[] {
  return gunzipSync(readFileSync(DATA)).toString().trim().split("\n").slice(0, rows);
}

/** Makes a stream say for one test that it is a terminal or not. */
export function setTerminal(stream: NodeJS.WriteStream, isTTY: boolean): void {
  const before = stream.isTTY;
  stream.isTTY = isTTY;
  onTestFinished(() => {
    stream.isTTY = before;
  });
}
