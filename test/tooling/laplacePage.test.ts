import { mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test, vi } from "vitest";

const started = process.cwd();
const folder = mkdtempSync(join(tmpdir(), "laplace-page-"));
symlinkSync(join(started, "examples"), join(folder, "examples"));
afterAll(() => {
  process.chdir(started);
  rmSync(folder, { recursive: true });
});

test("docs/laplace.md shows its example as it is, and the example runs", async () => {
  const page = readFileSync("docs/laplace.md", "utf8");
  expect(page).toContain(`\`\`\`js\n${readFileSync("examples/applications/laplace.mjs", "utf8")}\`\`\``);
  process.chdir(folder);
  const lines: string[] = [];
  const log = vi.spyOn(console, "log").mockImplementation((line) => void lines.push(String(line)));
  try {
    await import("../../examples/applications/laplace.mjs" as string);
  } finally {
    log.mockRestore();
    process.chdir(started);
  }
  const text = lines.join("\n");
  if (process.env.KEEP) process.stderr.write(text);
  // At a maximum of the joint nothing is left to gain.
  expect(Number(/would gain (\S+) nats/.exec(text)![1])).toBeLessThan(0.5);
  expect(text).toMatch(/prior precision [\d.]+ by the evidence, [\d.]+ by validation/);
  expect(text).toMatch(/evidence: loss [\d.]+ -> [\d.]+, calibration error [\d.]+/);
});

test("the command of the page is that of the command line", async () => {
  const { runProgram } = await import("../../src/cli/program.ts");
  const out = vi.spyOn(process.stdout, "write").mockImplementation(() => true);
  try {
    expect(await runProgram(["uncertainty", "--help"])).toBe(0);
  } finally {
    out.mockRestore();
  }
});
