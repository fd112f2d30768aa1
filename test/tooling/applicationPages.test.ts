import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test, vi } from "vitest";
import { loadModel } from "../../src/index.ts";

const names = ["sharpness", "training", "information", "quantization", "pruning"] as const;
const names = ["sharpness", "training", "information", "influence"] as const;

const started = process.cwd();
const folder = mkdtempSync(join(tmpdir(), "pages-"));
symlinkSync(join(started, "examples"), join(folder, "examples"));
afterAll(() => {
  process.chdir(started);
  rmSync(folder, { recursive: true });
});

describe("pages of applications", () => {
  test.each(names)("docs/%s.md shows its example as it is", (name) => {
    const page = readFileSync(join(started, `docs/${name}.md`), "utf8");
    expect(page).toContain(
      `\`\`\`js\n${readFileSync(join(started, `examples/applications/${name}.mjs`), "utf8")}\`\`\``,
    );
  });

  test("their examples run", async () => {
    process.chdir(folder);
    const lines: string[] = [];
    const log = vi.spyOn(console, "log").mockImplementation((line) => void lines.push(String(line)));
    try {
      for (const name of names) await import(`../../examples/applications/${name}.mjs`);
    } finally {
      log.mockRestore();
    }
    const text = lines.join("\n");
    expect(text).toMatch(/one step of ascent: 0\.0\d+; the maximum found: 0\.\d+ \(converged\)/);
    expect(text).toMatch(/tuned\.onnx has new numbers in 0\.weight, 0\.bias, 2\.weight, 2\.bias/);
    expect(text).toMatch(/d validation \/ d log strength -?\d/);
    expect(text).toMatch(/0\.weight \(axis 0: outputs of its layer\) at 2 bits: predicted 0\.\d+, measured 0\.\d+/);
    expect(text).toMatch(/quantized\.onnx of \d+ bytes has loss 0\.\d+ in ONNX Runtime/);
    expect(text).toMatch(
      /48 weights have no curvature[\s\S]*70 %: predicted loss \d[\s\S]*pruned\.onnx has new numbers in 0\.weight/,
    );
    expect(text).toMatch(/wrong labels in the first 5 %: self-influence 0\.[89]\d*, loss 0\.[789]/);
    expect(text).toMatch(/without row \d+: predicted -0\.\d+, by a Newton step -?0\.\d+/);
    expect(existsSync("tuned.onnx")).toBe(true);
    expect((await loadModel("tuned.onnx")).parameters).toHaveLength(4);
  }, 240_000);
});

test("the commands of the pages are those of the command line", async () => {
  const { runProgram } = await import("../../src/cli/program.ts");
  const out = vi.spyOn(process.stdout, "write").mockImplementation(() => true);
  try {
    for (const name of ["landscape", "tune", "merge", "compare", "quantize", "prune"])
    for (const name of ["landscape", "tune", "influence", "merge", "compare"])
      expect(await runProgram([name, "--help"])).toBe(0);
  } finally {
    out.mockRestore();
  }
});
