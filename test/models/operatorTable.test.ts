import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { supportedOperators } from "../../src/models/import/index.ts";
import { operatorTable } from "./operatorTable.ts";

const path = fileURLToPath(new URL("../../docs/operators.md", import.meta.url));

test("the table of operators in the docs is what the code says", async () => {
  await expect(operatorTable()).toMatchFileSnapshot(path);
});

test("it has a row for every operator with a rule, each with forms that are tested", () => {
  const rows = readFileSync(path, "utf8").matchAll(/^\| ([A-Z]\w+) \| ([^|]+) \|.*\| (\d+) \|$/gm);
  const found = [...rows].map(([, op, domains, forms]) => ({ op, domains, forms: Number(forms) }));
  expect(found.map(({ op }) => op)).toEqual(supportedOperators());
  for (const { domains, forms } of found) {
    expect(domains).not.toBe("");
    expect(forms).toBeGreaterThan(0);
  }
});
