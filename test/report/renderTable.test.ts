import { expect, test } from "vitest";
import { renderTable } from "../../src/report/index.ts";
import { sampleReport } from "./sampleReport.ts";

test("has a line a matrix with trace, norm and the eigenvalues at both ends", () => {
  const report = sampleReport();
  const lines = renderTable(report).split("\n");
  for (const matrix of Object.values(report.matrices)) {
    const line = lines.find((text) => text.startsWith(`${matrix.title} `)) ?? "";
    expect(line.match(/\+-/g)).toHaveLength(2);
    const [, trace] = / (\S+) \+- /.exec(line) ?? [];
    expect(Math.abs(Number(trace) - matrix.trace.value)).toBeLessThan(matrix.trace.standardError / 10);
    expect(line).toContain(matrix.eigenvalues.largest[0]!.value.toPrecision(6));
  }
});

test("is ASCII, aligned and without trailing spaces", () => {
  const text = renderTable(sampleReport());
  expect(text).toMatch(/^[ -~\n]*$/);
  expect(text).not.toMatch(/ \n/);
  for (const line of text.split("\n").slice(1)) expect(line.length).toBeLessThanOrEqual(80);
  const lines = text.split("\n");
  const column = lines.find((line) => line.startsWith("matrix"))?.indexOf("trace") ?? -1;
  expect(lines.find((line) => line.startsWith("Hessian"))?.slice(column, column + 4)).toBe("5.07");
});

test("says what was measured, and leaves out what is not there", () => {
  const full = renderTable(sampleReport());
  expect(full).toContain("1,210 weights, 1,437 rows, cross-entropy (mean)");
  expect(full).toContain("loss 0.0172476   accuracy 99.93 %   |gradient| 0.0222792");
  expect(full).toContain("||H - G|| / ||H|| = 0.262 +- 0.018");
  const { accuracy: _, ...rest } = sampleReport({ matrices: ["empiricalFisher"] });
  const little = renderTable(rest);
  expect(little).not.toContain("accuracy");
  expect(little).not.toContain("||H");
  const none = renderTable(sampleReport({ matrices: [] }));
  expect(none).not.toContain("trace");
});

test("marks missing eigenvalues with a dash", () => {
  const report = sampleReport({ matrices: ["ggn"] });
  const ggn = report.matrices.ggn as NonNullable<typeof report.matrices.ggn>;
  const bare = { ...ggn, eigenvalues: { ...ggn.eigenvalues, largest: [], smallest: [] } };
  expect(renderTable({ ...report, matrices: { ggn: bare } })).toMatch(/Gauss-Newton .* -\s+-$/m);
});

test("the findings stand below the numbers, as questions with answers", () => {
  const lines = renderTable(sampleReport()).split("\n");
  const question = lines.indexOf("Is it a minimum?");
  expect(question).toBeGreaterThan(lines.findIndex((line) => line.includes("products in")));
  expect(lines[question + 1]).toMatch(/^ {2}caution: Strictly not a minimum/);
});

test("shows the ranges of inputs and the classes", () => {
  const report = sampleReport();
  const inputs = [{ name: "x", minimum: 0, maximum: 16, mean: 4.9, whole: true }];
  const classes = { kind: "classes", counts: [12, 0, 9], ignored: 0 } as const;
  const text = (targets: NonNullable<NonNullable<typeof report.data.summary>["targets"]>) =>
    renderTable({ ...report, data: { ...report.data, summary: { inputs, targets } } });
  expect(text(classes)).toContain("input x 0 to 16.0 (mean 4.90), 2 of 3 classes occur, 9 to 12 rows each\n");
  expect(text({ kind: "values", minimum: -1, maximum: 2, mean: 0, variance: 1 })).toContain("targets -1.00 to 2.00\n");
});
