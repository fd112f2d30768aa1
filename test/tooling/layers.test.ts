import { cpSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { layers, rooms } from "../../.dependency-cruiser.mjs";
import { checkLayers } from "../../scripts/checkLayers.mjs";
import { root } from "../../scripts/paths.mjs";
import { checkoutOf } from "./checkout.ts";

const empty = "export {};\n";
const exporting = "export const x = 1;\n";
const importing = (path: string) => `import { x } from "${path}";\n\nexport const y = x;\n`;

/** A layout with the given files, everything else in order. */
const findingsOf = async (files: Record<string, string>) =>
  (await checkLayers(checkoutOf({ "src/index.ts": empty, ...files }))).findings;

test("looks at every source file, and reports a cycle and a bad import planted in a copy of two layers", async () => {
  const copy = checkoutOf({ "src/index.ts": empty });
  for (const layer of ["errors", "tensors", "graph"])
    cpSync(join(root, "src", layer), join(copy, "src", layer), { recursive: true });
  const plant = (path: string, text: string) => {
    mkdirSync(dirname(join(copy, path)), { recursive: true });
    writeFileSync(join(copy, path), text);
  };
  plant("src/linalg/plantedOne.ts", 'import type { B } from "./plantedTwo.ts";\nexport type A = B | 1;\n');
  plant("src/linalg/plantedTwo.ts", 'import type { A } from "./plantedOne.ts";\nexport type B = A[];\n');
  plant("src/linalg/plantedThree.ts", 'import type { Value } from "../graph/apply.ts";\nexport type V = Value;\n');
  const { findings, modules } = await checkLayers(copy);
  const sources = readdirSync(join(copy, "src"), { recursive: true, encoding: "utf8" })
    .map((path) => `src/${path.replaceAll("\\", "/")}`)
    .filter((path) => path.endsWith(".ts"));
  expect([...modules].sort()).toEqual(sources.sort());
  expect(sources.length).toBeGreaterThan(15);
  expect(findings).toHaveLength(2);
  expect(findings.join("\n")).toMatch(/plantedOne\.ts.*plantedTwo\.ts.*no-cycle/);
  expect(findings.join("\n")).toMatch(/plantedThree\.ts -> src\/graph\/apply\.ts: layer-linalg/);
});

test("lets every layer import itself, the vocabulary and what the table grants, and nothing else", async () => {
  const names = Object.keys(layers).filter((layer) => layer !== "cli" && layer !== "report");
  const pairs = names.flatMap((from) => names.filter((to) => to !== from).map((to) => ({ from, to })));
  const files = Object.fromEntries([
    ...names.map((layer) => [`src/${layer}/x.ts`, exporting]),
    ...pairs.map(({ from, to }) => [`src/${from}/imports${to}.ts`, importing(`../${to}/x.ts`)]),
    ...names.map((layer) => [`src/${layer}/itself.ts`, importing("./x.ts")]),
  ]);
  const vocabulary = ["errors", "tensors", "random", "concurrency"];
  const forbidden = pairs.filter(
    ({ from, to }) => !layers[from]!.includes(to) && (vocabulary.includes(from) || !vocabulary.includes(to)),
  );
  const expected = forbidden.map(({ from, to }) => `src/${from}/imports${to}.ts -> src/${to}/x.ts: layer-${from}`);
  const found = (await findingsOf(files)).map((finding) => finding.split(": ").slice(0, 2).join(": "));
  expect(found.sort()).toEqual(expected.sort());
  expect(expected.length).toBeGreaterThan(100);
});

test.each(Object.entries(rooms))(
  "lets the folders of %s import what their table grants, and nothing else",
  async (layer, table) => {
    const names = Object.keys(table);
    const pairs = names.flatMap((from) => names.filter((to) => to !== from).map((to) => ({ from, to })));
    const files = Object.fromEntries([
      ...names.map((room) => [`src/${layer}/${room}/x.ts`, exporting]),
      ...pairs.map(({ from, to }) => [`src/${layer}/${from}/imports${to}.ts`, importing(`../${to}/x.ts`)]),
      ...names.map((room) => [`src/${layer}/${room}/itself.ts`, importing("./x.ts")]),
    ]);
    const rule = layer.replace("/", "-");
    const expected = pairs
      .filter(({ from, to }) => !table[from]!.includes(to))
      .map(({ from, to }) => `src/${layer}/${from}/imports${to}.ts -> src/${layer}/${to}/x.ts: room-${rule}-${from}`);
    const found = (await findingsOf(files)).map((finding) => finding.split(": ").slice(0, 2).join(": "));
    expect(found.sort()).toEqual(expected.sort());
    expect(expected.length).toBeGreaterThan(5);
  },
);

test("folders inside a layer import neither its index nor appear without a row", async () => {
  const findings = await findingsOf({
    "src/linalg/index.ts": exporting,
    "src/linalg/systems/cg.ts": importing("../index.ts"),
    "src/linalg/unheardOf/x.ts": exporting,
  });
  expect(findings.map((finding) => finding.split(": ").slice(0, 2).join(": ")).sort()).toEqual([
    "src/linalg/systems/cg.ts -> src/linalg/index.ts: room-linalg-systems",
    "src/linalg/unheardOf/x.ts: src/linalg/unheardOf has no row in .dependency-cruiser.mjs",
  ]);
});

test("report may import the report object as a type and nothing else of applications", async () => {
  const findings = await findingsOf({
    "src/applications/report.ts": `${exporting}export interface Report {}\n`,
    "src/applications/other.ts": exporting,
    "src/report/good.ts": 'import type { Report } from "../applications/report.ts";\nexport type R = Report;\n',
    "src/report/value.ts": importing("../applications/report.ts"),
    "src/report/other.ts": importing("../applications/other.ts"),
  });
  expect(findings).toHaveLength(2);
  expect(findings.join("\n")).toMatch(/report\/value\.ts -> .*report-object-is-a-type/);
  expect(findings.join("\n")).toMatch(/report\/other\.ts -> .*layer-report/);
});

test("cli, examples and bench may import the public entry points only, the latter two by name", async () => {
  const findings = await findingsOf({
    "src/linalg/index.ts": exporting,
    "src/linalg/cg.ts": exporting,
    "src/cli/main.ts": importing("../linalg/index.ts"),
    "src/cli/own.ts": importing("./main.ts").replaceAll("{ x }", "{ y as x }"),
    "src/cli/inside.ts": importing("../linalg/cg.ts"),
    "examples/good.ts": importing("onnx-curvature/linalg"),
    "examples/byPath.ts": importing("../src/linalg/index.ts"),
    "bench/inside.ts": importing("../src/linalg/cg.ts"),
  });
  expect(findings.map((finding) => finding.split(": ").slice(0, 2).join(": ")).sort()).toEqual([
    "bench/inside.ts -> src/linalg/cg.ts: layer-users",
    "bench/inside.ts -> src/linalg/cg.ts: users-import-by-name",
    "examples/byPath.ts -> src/linalg/index.ts: users-import-by-name",
    "src/cli/inside.ts -> src/linalg/cg.ts: layer-cli",
  ]);
});

test("the runtime is chosen by name, and the root entry loads neither report nor command line", async () => {
  const findings = await findingsOf({
    "src/runtime/node.ts": exporting,
    "src/runtime/index.ts": importing("#runtime"),
    "src/runtime/direct.ts": importing("./node.ts"),
    "src/report/index.ts": exporting,
    "src/index.ts": importing("./report/index.ts"),
  });
  expect(findings.map((finding) => finding.split(": ").slice(0, 2).join(": ")).sort()).toEqual([
    "src/index.ts -> src/report/index.ts: layer-index",
    "src/runtime/direct.ts -> src/runtime/node.ts: runtime-by-name",
  ]);
});

test("names a folder without a row in the table, a file outside the folders and an import that leads nowhere", async () => {
  const findings = await findingsOf({
    "src/novel/x.ts": exporting,
    "src/stray.ts": exporting,
    "src/graph/lost.ts": importing("./nowhere.ts"),
    "src/graph/outward.ts": importing("../../test/x.ts"),
    "test/x.ts": exporting,
  });
  expect(findings).toHaveLength(4);
  expect(findings.join("\n")).toMatch(/src\/novel\/x\.ts: src\/novel has no row/);
  expect(findings.join("\n")).toMatch(/src\/stray\.ts: belongs into a folder/);
  expect(findings.join("\n")).toMatch(/graph\/lost\.ts -> .*nowhere.*resolvable/);
  expect(findings.join("\n")).toMatch(/graph\/outward\.ts -> test\/x\.ts: sources-stand-alone/);
});
