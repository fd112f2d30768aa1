import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { float32Npy, int64Npy } from "../data/files.ts";
import { digitLines, folderOf, MODEL, run } from "./commandLine.ts";

const table = digitLines(80).map((line) => line.split(",").map(Number));
const part = (from: number, to: number) => {
  const rows = table.slice(from, to);
  return {
    rows: float32Npy(
      [rows.length, 64],
      rows.flatMap((row) => row.slice(0, 64)),
    ),
    labels: int64Npy(
      [rows.length],
      rows.map((row) => row[64]!),
    ),
    text: rows.map((row) => row.join(",")).join("\n"),
  };
};
const [train, other] = [part(0, 50), part(50, 80)];
const common = [
  "prune",
  MODEL,
  "--scale",
  "16",
  "--loss",
  "crossEntropy",
  "--sparsity",
  "0.3",
  "--method",
  "magnitude",
];

test("labels in files of their own give the numbers of one table", async () => {
  const folder = folderOf({
    "x.npy": train.rows,
    "y.npy": train.labels,
    "a.npy": other.rows,
    "b.npy": other.labels,
    "train.csv": train.text,
    "other.csv": other.text,
  });
  const at = (name: string) => join(folder, name);
  const numbers = async (...args: readonly string[]) => {
    const { code, stdout, stderr } = await run(...common, ...args, "--json", "--out", at("out"));
    expect(code, stderr).toBe(0);
    const { loss, accuracy, validationLoss } = JSON.parse(stdout);
    return { loss, accuracy, validationLoss };
  };
  const apart = await numbers(
    "--data",
    at("x.npy"),
    "--targets",
    at("y.npy"),
    "--test",
    `${at("a.npy")},${at("b.npy")}`,
  );
  expect(apart.validationLoss).not.toBe(apart.loss);
  expect(apart).toEqual(await numbers("--data", at("train.csv"), "--test", at("other.csv")));
  const single = await run(...common, "--data", at("x.npy"), "--targets", at("y.npy"), "--test", at("a.npy"));
  expect(single.code).toBe(1);
  expect(existsSync("pruning")).toBe(false);
  expect(single.stderr).toMatch(
    /error: expected ROWS,TARGETS, the files of rows and of their targets .* got ".*a\.npy"\n$/,
  );
  const both = await run(...common, "--data", at("x.npy"), "--targets", at("y.npy"), "--label", "3");
  expect(both).toMatchObject({ code: 2, stderr: expect.stringContaining("cannot be used with option '--label") });
});
