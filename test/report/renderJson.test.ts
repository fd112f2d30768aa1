import fc from "fast-check";
import { expect, test } from "vitest";
import type { CurvatureReport } from "../../src/applications/index.ts";
import { CurvatureError } from "../../src/errors/index.ts";
import { renderJson } from "../../src/report/index.ts";
import { manyLayersReport, sampleReport } from "./sampleReport.ts";

test("reads back to the same object", () => {
  for (const report of [sampleReport(), manyLayersReport(7), sampleReport({ matrices: [] })]) {
    expect(JSON.parse(renderJson(report))).toEqual(report);
  }
});

test("keeps every digit of every number", () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (norm) => {
      const read = JSON.parse(renderJson({ ...sampleReport({ matrices: [] }), gradient: { norm } }));
      expect(read.gradient.norm === norm).toBe(true);
    }),
  );
});

test("has the members that readers rely on", () => {
  const read = JSON.parse(renderJson(sampleReport()));
  expect(read).toMatchObject({ model: { file: expect.any(String), parameters: 1210 }, data: { rows: 1437 } });
  for (const name of ["hessian", "ggn", "fisher1", "fisher2", "empiricalFisher"]) {
    const matrix = read.matrices[name];
    expect(Object.keys(matrix.trace)).toEqual(expect.arrayContaining(["value", "standardError", "matvecs"]));
    expect(Object.keys(matrix.frobenius)).toEqual(expect.arrayContaining(["value", "standardError"]));
    expect(Object.keys(matrix.eigenvalues.largest[0])).toEqual(["value", "residualNorm"]);
    expect(matrix.density.grid).toHaveLength(matrix.density.density.length);
    expect(Object.keys(matrix.layers[0])).toEqual(
      expect.arrayContaining(["name", "parameters", "trace", "standardError"]),
    );
  }
});

test("writes an array of numbers on one line and leaves out absent members", () => {
  const report = sampleReport({ matrices: ["ggn"] });
  const line = renderJson(report)
    .split("\n")
    .filter((text) => text.includes('"grid"'));
  expect(line.every((text) => text.trimEnd().endsWith("],"))).toBe(true);
  const absent = { ...report, accuracy: undefined } as unknown as CurvatureReport;
  expect(renderJson(absent)).not.toContain("accuracy");
});

test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
  "refuses %d and names the member",
  (value) => {
    const report = sampleReport({ matrices: ["ggn"] });
    const ggn = report.matrices.ggn as NonNullable<typeof report.matrices.ggn>;
    const grid = ggn.density.grid.with(3, value);
    const broken = { ...report, matrices: { ggn: { ...ggn, density: { ...ggn.density, grid } } } };
    expect(() => renderJson(broken)).toThrow(CurvatureError);
    expect(() => renderJson(broken)).toThrow(
      `expected finite numbers for report.json, got ${value} in matrices.ggn.density.grid[3]; more probes or a smaller loss scale may help`,
    );
  },
);
