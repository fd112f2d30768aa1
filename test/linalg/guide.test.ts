import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import * as linalg from "../../src/linalg/index.ts";

const guide = readFileSync(new URL("../../docs/linalg.md", import.meta.url), "utf8");

test("every function that the guide names is exported, and every method of the package is in the guide", () => {
  const named = new Set(Array.from(guide.matchAll(/`([a-z][A-Za-z]+)(?=[`(])/g), (match) => match[1]!));
  const tables = guide.split("\n").filter((line) => line.startsWith("|"));
  const methods = new Set(
    tables.flatMap((line) => Array.from(line.matchAll(/`([a-z][A-Za-z]+)`/g), (match) => match[1]!)),
  );
  methods.delete("norm");
  methods.delete("deflation");
  methods.delete("upperBound");
  for (const name of methods) expect(Object.keys(linalg)).toContain(name);
  const runs = Object.keys(linalg)
    .filter((name) => name.endsWith("Steps"))
    .map((name) => name.replace(/Steps$/, ""));
  const others = ["hutchinson", "lanczos", "powerIteration"];
  for (const name of runs.filter((run) => !others.includes(run))) expect(named).toContain(name);
});

describe("the examples of the guide", () => {
  const blocks = Array.from(guide.matchAll(/```ts\n([\s\S]*?)```/g), (match) => match[1]!);
  test.each(blocks.map((code, i) => [i + 1, code] as const))("number %i runs", async (_, code) => {
    const body = code.replace(/^import .*$/gm, "").replace(/console.log\(.*$/gm, "");
    const names = Object.entries(linalg);
    const run = new Function(...names.map(([name]) => name), `return (async () => {${body}})();`);
    await run(...names.map(([, exported]) => exported));
  });
});
