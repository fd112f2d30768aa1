import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { contentFindings } from "../../scripts/checkPackage.mjs";
import { missingPackages } from "../../scripts/install.mjs";
import { checkoutOf } from "./checkout.ts";

const manifest = {
  exports: { ".": { types: "./dist/index.d.ts", default: "./dist/index.js" } },
  bin: { x: "dist/x.js" },
};
const documents = ["CHANGELOG.md", "LICENSE", "README.md", "THIRD_PARTY_NOTICES.md", "package.json"];
const files = [...documents, "dist/index.js", "dist/index.d.ts", "dist/x.js", "src/index.ts", "src/x.ts"];

test("a package of what is meant has no findings", () => {
  expect(contentFindings(files, manifest)).toEqual([]);
});

test("names what is packed and not meant to be, and compiled files without a source", () => {
  const extra = ["test/a.test.ts", "src/fixtures/a.json", "src/index.test.ts", "dist/.tsbuildinfo", "dist/old.js"];
  const findings = contentFindings([...files, ...extra], manifest);
  expect(findings.map((finding) => finding.split(":")[0])).toEqual(extra);
  expect(findings.at(-1)).toBe("dist/old.js: has no source");
});

test("names what package.json promises and the package lacks, and a package that cannot be published", () => {
  const short = files.filter((path) => path !== "dist/index.d.ts" && path !== "LICENSE");
  expect(contentFindings(short, { ...manifest, private: true })).toEqual([
    "dist/index.d.ts: not packed",
    "LICENSE: not packed",
    "package.json: private is set",
  ]);
});

test("knows which packages of the lock file are not installed", () => {
  const wanted = { "": {}, "node_modules/a": { version: "1.0.0" }, "node_modules/b": { version: "2.0.0" } };
  const optional = { "node_modules/c": { version: "1.0.0", optional: true } };
  const folder = checkoutOf({ "package-lock.json": JSON.stringify({ packages: { ...wanted, ...optional } }) });
  expect(missingPackages(folder)).toEqual(["a@1.0.0", "b@2.0.0"]);
  mkdirSync(join(folder, "node_modules"));
  const installed = { "node_modules/a": { version: "1.0.0" }, "node_modules/b": { version: "1.9.0" } };
  writeFileSync(join(folder, "node_modules/.package-lock.json"), JSON.stringify({ packages: installed }));
  expect(missingPackages(folder)).toEqual(["b@2.0.0"]);
});
