import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { influence } from "../../src/applications/influence/index.ts";
import { crossEntropy, empiricalRisk, ggn, loadData, loadModel, takeRows } from "../../src/index.ts";
import { DATA, digitLines, folderOf, MODEL, run } from "./commandLine.ts";

const common = ["influence", MODEL, "--data", DATA, "--scale", "16", "--loss", "crossEntropy", "--rows", ":200"];

/** The last of the first 203 rows as a file of queries. */
const queryLines = () => digitLines(203).slice(200).join("\n");

describe("influence", () => {
  test("explains queries and finds odd rows, with the numbers of the library, pictures and no state left", async () => {
    const folder = folderOf({ "queries.csv": queryLines() });
    const [out, state] = [join(folder, "influence.html"), join(folder, "state")];
    const { code, stdout, stderr } = await run(
      ...[...common, "--dtype", "float64", "--queries", join(folder, "queries.csv"), "--self", "--damping", "0.01"],
      ...["--top", "3", "--keep", "all", "--picture", "8x8", "--state", state, "--out", out, "--json"],
    );
    expect(stderr).toContain(`Wrote ${out}`);
    expect(code).toBe(0);
    expect(existsSync(state)).toBe(false);
    const found = JSON.parse(stdout);
    expect(found.matrix).toBe("ggn");
    const model = await loadModel(MODEL);
    const rows = await loadData({ data: DATA, scale: 16, model, targetType: "class" });
    const data = takeRows(rows, [0, 200]);
    const risk = await empiricalRisk({ model, loss: crossEntropy(), data, dtype: "float64" });
    const queries = await risk.on(takeRows(rows, [200, 203]));
    const expected = await influence(risk, queries, { damping: 0.01, matrix: ggn(risk) });
    expected.queries.forEach(({ scores, helpful }, t) => {
      const largest = Math.max(...scores!.map(Math.abs));
      scores!.forEach((score, n) => {
        expect(Math.abs(score - found.influence.queries[t].scores[n])).toBeLessThan(1e-6 * largest);
      });
      expect(found.influence.queries[t].helpful.map(({ row }: { row: number }) => row)).toEqual(
        helpful.slice(0, 3).map(({ row }) => row),
      );
    });
    expect(found.self.ranking).toHaveLength(200);
    const page = readFileSync(out, "utf8");
    // For each query itself, and three rows for and against; and twenty rows of self-influence.
    expect(page.match(/<img class="picture"/g)).toHaveLength(3 * 7 + 20);
    expect(page).toContain("Query 0, label");
    expect(page).not.toContain("<script");
    await risk.dispose();
  });

  test("values instead of pictures, a measurement, a structured matrix, and a damping of its own choice", async () => {
    const folder = folderOf({ "queries.csv": queryLines() });
    const out = join(folder, "influence.html");
    const { code, stdout } = await run(
      ...[
        ...common,
        "--queries",
        join(folder, "queries.csv"),
        "--matrix",
        "ekfac",
        "--measure",
        "margin",
        "--out",
        out,
      ],
    );
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ekfac, damping 0\.\d+ \(\d+ % of a typical quadratic form\), solved by inverse/);
    expect(stdout).toMatch(/query 2: margin -?\d/);
    const page = readFileSync(out, "utf8");
    expect(page).not.toContain("<img");
    expect(page).toContain("higher is better");
    expect(page).toContain("first 12 of 64 values");
  });

  test("refuses a damaged state, after a whole run with kfac", async () => {
    const folder = folderOf({ "queries.csv": queryLines() });
    const state = join(folder, "state");
    const args = [...common, "--matrix", "kfac", "--damping", "0.1", "--self", "--state", state];
    const whole = await run(...args, "--out", join(folder, "a.html"), "--json");
    writeFileSync(state, "nonsense");
    const refused = await run(...args, "--out", join(folder, "b.html"));
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("state");
    expect(JSON.parse(whole.stdout).self.solver.method).toBe("inverse");
  });

  test.each([
    [[], "error: expected --queries FILE, --self, or both"],
    [["--self", "--picture", "7x8"], "--picture 7x8 has 56 numbers, but a row of"],
    [["--self", "--picture", "8"], "Expected HxW or CxHxW with C 1 or 3"],
    [["--self", "--damping", "-1"], "Expected zero or a positive number"],
    [["--queries", "QUERIES"], "64"],
    [["--self", "--matrix", "ggn", "--solver", "inverse"], 'expects a matrix with inverse() for solver "inverse"'],
  ])("one line for %j", async (args, message) => {
    const folder = folderOf({ "queries.csv": "1,2,3\n4,5,6\n" });
    const given = args.map((arg) => (arg === "QUERIES" ? join(folder, "queries.csv") : arg));
    const { code, stderr } = await run(...common, ...given, "--out", join(folder, "influence.html"));
    expect(code).not.toBe(0);
    expect(stderr).toContain(message);
    expect(stderr).not.toContain("    at ");
  });
});
