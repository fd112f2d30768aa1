import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { encode } from "fast-png";
import { parquetWriteBuffer } from "hyparquet-writer";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { digitLines, folderOf, MODEL, run } from "./commandLine.ts";

const ROWS = 60;
const NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
const digits = digitLines(ROWS).map((line) => line.split(",").map(Number));
// In the order of a folder of classes, which is that of the digits.
const sorted = digits.toSorted((one, other) => one[64]! - other[64]!);
const header = [...Array.from({ length: 64 }, (_, i) => `p${i}`), "digit"];
const named = sorted.map((row, i) => [`id${i}`, ...row.slice(0, 64), NAMES[row[64]!]].join(","));

const folder = folderOf({
  "plain.csv": sorted.map((row) => row.join(",")).join("\n"),
  "named.csv": [["id", ...header].join(","), ...named].join("\n"),
  "comma.csv": [header.join(";"), ...sorted.map((row) => row.map((x, i) => (i < 64 ? `${x},0` : x)).join(";"))].join(
    "\n",
  ),
  "rows.jsonl": sorted.map((row) => JSON.stringify({ pixels: row.slice(0, 64), digit: row[64] })).join("\n"),
  "rows.parquet": new Uint8Array(
    parquetWriteBuffer({
      columnData: header.map((name, i) => ({ name, data: sorted.map((row) => row[i]!), type: "INT32" as const })),
    }),
  ),
});
const path = (name: string) => join(folder, name);

function writeImages(): void {
  for (const [i, row] of sorted.entries()) {
    const image = {
      width: 8,
      height: 8,
      channels: 1 as const,
      depth: 8 as const,
      data: Uint8Array.from(row.slice(0, 64)),
    };
    mkdirSync(path(`images/${row[64]}`), { recursive: true });
    writeFileSync(path(`images/${row[64]}/${String(i).padStart(3, "0")}.png`), encode(image));
  }
}
writeImages();

const least = [
  ...["--matrices", "ggn", "--probes", "2", "--steps", "2", "--density-probes", "1", "--eigenvalues", "1"],
  ...["--no-dense", "--no-rounding", "--no-relative", "--scale", "16"],
];

async function reported(name: string, ...options: readonly string[]) {
  const out = folderOf();
  const data = name === "-" ? name : path(name);
  const { code, stdout, stderr } = await run("report", MODEL, "--data", data, ...options, ...least, "--out", out);
  expect([code, stderr]).toEqual([0, expect.not.stringContaining("error:")]);
  return {
    stdout,
    report: JSON.parse(readFileSync(join(out, "report.json"), "utf8")),
    html: readFileSync(join(out, "report.html"), "utf8"),
  };
}

/** The loss of the same rows in the same order, from the CSV that was always read. */
let expected = Number.NaN;
beforeAll(async () => {
  expected = (await reported("plain.csv")).report.loss.value;
});

describe("the same rows give the same loss", () => {
  test.each([
    ["a table with names of classes and an identifier", "named.csv", ["--classes", NAMES.join(","), "--drop", "id"]],
    ["decimal commas", "comma.csv", ["--decimal", ","]],
    ["JSON lines with lists", "rows.jsonl", []],
    ["Parquet", "rows.parquet", []],
    ["Parquet, read again on every pass", "rows.parquet", ["--stream"]],
    ["a folder of PNG images", "images", []],
  ])("as %s", async (_, name, options) => {
    const { report } = await reported(name, ...options);
    expect(report.loss.value).toBe(expected);
    expect(report.data.rows).toBe(ROWS);
  });

  test("from standard input", async () => {
    const bytes = readFileSync(path("plain.csv"));
    const input = Readable.from([bytes.subarray(0, 1000), bytes.subarray(1000)]);
    const spy = vi.spyOn(process, "stdin", "get").mockReturnValue(input as typeof process.stdin);
    try {
      const { report } = await reported("-");
      expect(report.loss.value).toBe(expected);
      expect(report.data.file).toBe("standard input");
    } finally {
      spy.mockRestore();
    }
  });

  test("names of classes with their counts are in the report", async () => {
    const { stdout, html, report } = await reported("named.csv", "--classes", NAMES.join(","), "--drop", "id");
    const count = digits.filter((row) => row[64] === 3).length;
    expect(report.data.summary.targets.names).toEqual(NAMES);
    expect(stdout.replace(/\s+/g, " ")).toContain(`3 three (${count})`);
    expect(html).toContain(`three × ${count}`);
  });

  test("fewer names than the model has classes is a warning", async () => {
    const few = named.filter((line) => /(two|seven|four)$/.test(line));
    writeFileSync(path("few.csv"), [["id", ...header].join(","), ...few].join("\n"));
    const { report } = await reported("few.csv", "--drop", "id");
    expect(report.data.warnings).toContainEqual(
      expect.stringContaining(
        "the labels have 3 names, which were numbered in their order, but the model tells 10 classes",
      ),
    );
  });
});

describe("fails with one line", () => {
  const report = (data: string, ...options: readonly string[]) =>
    run("report", MODEL, "--data", path(data), "--loss", "crossEntropy", "--out", path("out"), ...options, ...least);
  writeFileSync(path("mixed.csv"), "5,2,cat\n3,4,1\n");
  writeFileSync(path("broken.jsonl"), '{"a": 1}\n{"a": NaN}\n');
  writeFileSync(path("cut.parquet"), readFileSync(path("rows.parquet")).subarray(0, 900));
  mkdirSync(path("empty"));
  mkdirSync(path("damaged/0"), { recursive: true });
  writeFileSync(path("damaged/0/x.png"), "no image");
  mkdirSync(path("large/0"), { recursive: true });
  writeFileSync(
    path("large/0/x.png"),
    encode({ width: 9, height: 9, channels: 1, depth: 8, data: new Uint8Array(81) }),
  );

  test.each<[what: string, code: number, message: RegExp, start: () => ReturnType<typeof run>]>([
    ["names among numbers", 1, /mixed\.csv: line 1 \(row 0, column 2.*got "cat"/, () => report("mixed.csv")],
    [
      "an identifier among the inputs",
      1,
      /column 0 "id".*got "id0"; a column that is no input is left out by drop \(--drop\)/,
      () => report("named.csv"),
    ],
    [
      "a class that is not named",
      1,
      /expected a class among a, b, got "zero"/,
      () => report("named.csv", "--drop", "id", "--classes", "a,b"),
    ],
    ["a column to drop that is not there", 1, /no column to drop "x"/, () => report("named.csv", "--drop", "x")],
    ["a label column that is not there", 1, /no label column "y"/, () => report("rows.parquet", "--label", "y")],
    ["two roles of a column", 1, /column "digit" cannot be both/, () => report("rows.parquet", "--drop", "digit")],
    [
      "a label out of range",
      1,
      /the label at row \d+ is \d+, expected 0 to 9/,
      () => report("rows.parquet", "--label", "p2"),
    ],
    [
      "decimal commas that are not said",
      1,
      /if the comma is a decimal one, say decimal: "," \(--decimal ,\)/,
      () => report("comma.csv"),
    ],
    [
      "a separator that is the decimal",
      1,
      /expected a separator other than the decimal/,
      () => report("comma.csv", "--decimal", ",", "--separator", ","),
    ],
    ["a damaged JSON line", 1, /broken\.jsonl: line 2: .*NaN is no number of JSON/, () => report("broken.jsonl")],
    ["a cut Parquet file", 1, /cut\.parquet: expected a complete Parquet file/, () => report("cut.parquet")],
    ["a folder without images", 1, /empty\/: expected PNG or JPEG images, got none/, () => report("empty")],
    ["a damaged image", 1, /damaged\/: 0\/x\.png: expected a complete PNG or JPEG image/, () => report("damaged")],
    ["images of another size", 1, /x\.png: is 9 x 9 pixels .*takes \[64\]/, () => report("large")],
    [
      "a label column of images",
      1,
      /expected no label column, since the classes of images are their folders/,
      () => report("images", "--label", "3"),
    ],
    ["a mean of other data", 1, /expected mean \(--mean\) with images/, () => report("plain.csv", "--mean", "0.5")],
    ["a missing file", 1, /none\.parquet: there is no such file/, () => report("none.parquet")],
    [
      "a stream of an address",
      1,
      /expected a file that can be read again on every pass, got an address/,
      () => run("report", MODEL, "--data", "https://example.org/x.csv", "--loss", "ce", "--stream", ...least),
    ],
    [
      "numbers that are none",
      2,
      /--mean.*Expected numbers separated by commas/,
      () => report("images", "--mean", "a,b"),
    ],
    [
      "a size that is none",
      2,
      /--resize.*Expected pixels, as 224 or 320x240/,
      () => report("images", "--resize", "0x3"),
    ],
    ["a layout that is none", 2, /--layout.*NCHW, NHWC/, () => report("images", "--layout", "CHW")],
    ["a decimal that is none", 2, /--decimal.*Allowed choices are/, () => report("comma.csv", "--decimal", ";")],
    [
      "classes named twice",
      2,
      /--classes.*Expected different names separated by commas/,
      () => report("named.csv", "--classes", "a,a"),
    ],
    ["a padding that is none", 2, /--pad.*Expected a number/, () => report("rows.jsonl", "--pad", "x")],
  ])("%s", async (_, code, message, start) => {
    const found = await start();
    expect(found.stderr).toMatch(message);
    expect(found.stderr.split("\n").filter((line) => line.startsWith("error: "))).toHaveLength(1);
    expect({ code: found.code, stdout: found.stdout }).toEqual({ code, stdout: "" });
  });

  test("standard input that is a terminal", async () => {
    const terminal = Object.assign(Readable.from([]), { isTTY: true });
    const spy = vi.spyOn(process, "stdin", "get").mockReturnValue(terminal as unknown as typeof process.stdin);
    try {
      const { code, stderr } = await run("report", MODEL, "--data", "-", "--loss", "ce", ...least);
      expect([code, stderr]).toEqual([
        1,
        expect.stringMatching(/^error: standard input is a terminal; expected data, as in: .*\n$/),
      ]);
    } finally {
      spy.mockRestore();
    }
  });
});
