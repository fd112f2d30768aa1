import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import * as root from "../../src/index.ts";
import * as linalg from "../../src/linalg/index.ts";

const readme = readFileSync("README.md", "utf8");

/** The names in backticks in a section's table, without their arguments. */
function tableNames(section: string, column: number): string[] {
  const [, text = ""] = readme.split(`\n## ${section}\n`);
  const rows = text
    .split("\n## ")[0]!
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .slice(2);
  return rows.flatMap((row) => [...row.split("|")[column]!.matchAll(/`(\w+)/g)].map(([, name]) => name!));
}

test("the program in README.md is the one in examples", () => {
  const [, program] = /```js\n(.*?)```/s.exec(readme) ?? [];
  expect(program).toBe(readFileSync("examples/digits/first.mjs", "utf8"));
});

test("what README.md lists is exported", () => {
  const matrices = tableNames("Matrices", 1);
  const algorithms = tableNames("Algorithms", 2);
  expect(matrices.length).toBeGreaterThan(5);
  expect(algorithms.length).toBeGreaterThan(20);
  expect(matrices.filter((name) => !(name in root))).toEqual([]);
  expect(algorithms.filter((name) => !(name in linalg))).toEqual([]);
});
