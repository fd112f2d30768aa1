import { mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test, vi } from "vitest";
import { loadModel } from "../../src/index.ts";
import { sampled } from "../sampled.ts";

/** What the example of each page prints. */
const printed: { readonly [name: string]: readonly RegExp[] } = {
  sharpness: [/one step of ascent: 0\.0\d+; the maximum found: 0\.\d+ \(converged\)/],
  training: [/tuned\.onnx has new numbers in 0\.weight, 0\.bias, 2\.weight, 2\.bias/],
  information: [/d validation \/ d log strength -?\d/],
  quantization: [
    /0\.weight \(axis 0: outputs of its layer\) at 2 bits: predicted 0\.\d+, measured 0\.\d+/,
    /quantized\.onnx of \d+ bytes has loss 0\.\d+ in ONNX Runtime/,
  ],
  pruning: [
    /48 weights have no curvature[\s\S]*70 %: predicted loss \d[\s\S]*pruned\.onnx has new numbers in 0\.weight/,
  ],
  influence: [
    /wrong labels in the first 5 %: self-influence 0\.[89]\d*, loss 0\.[789]/,
    /without row \d+: predicted -0\.\d+, by a Newton step -?0\.\d+/,
  ],
};
const names = Object.keys(printed);

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

  test.each(sampled(names, 2))(
    "the example of %s runs",
    async (name) => {
      process.chdir(folder);
      const lines: string[] = [];
      const log = vi.spyOn(console, "log").mockImplementation((line) => void lines.push(String(line)));
      try {
        await import(`../../examples/applications/${name}.mjs`);
      } finally {
        log.mockRestore();
      }
      for (const pattern of printed[name]!) expect(lines.join("\n")).toMatch(pattern);
      if (name === "training") expect((await loadModel("tuned.onnx")).parameters).toHaveLength(4);
    },
    120_000,
  );
});

test("the commands of the pages are those of the command line", async () => {
  const { runProgram } = await import("../../src/cli/program.ts");
  const out = vi.spyOn(process.stdout, "write").mockImplementation(() => true);
  try {
    for (const name of ["landscape", "tune", "influence", "merge", "compare", "quantize", "prune", "uncertainty"])
      expect(await runProgram([name, "--help"])).toBe(0);
  } finally {
    out.mockRestore();
  }
});
