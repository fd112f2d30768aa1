import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { outFileOption, outFolderOption } from "../../src/cli/outOption.ts";

const folder = mkdtempSync(join(tmpdir(), "onnx-curvature-out-"));
afterAll(() => rmSync(folder, { recursive: true }));

const read = (option: ReturnType<typeof outFileOption>, text: string) => option.parseArg!(text, undefined);

test("a command that writes one file takes its name, or a folder for it", () => {
  const option = outFileOption("page to write", "usual.html");
  expect(option.description).toBe("page to write; in a folder, usual.html");
  expect(["a.html", "new/a.html", "new/", folder].map((text) => read(option, text))).toEqual([
    "a.html",
    "new/a.html",
    join("new", "usual.html"),
    join(folder, "usual.html"),
  ]);
});

test("a command that writes several takes a folder, and not the name of a file", () => {
  const option = outFolderOption("folder to write into");
  expect(["results", "new/", folder, "v1.2"].map((text) => read(option, text))).toEqual([
    "results",
    "new/",
    folder,
    "v1.2",
  ]);
  expect(() => read(option, "out/page.html")).toThrow(
    "Expected a folder, since this command writes several files; got the name of a file. Try --out out/page.",
  );
});
