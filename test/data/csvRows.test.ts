import { parse } from "csv-parse/sync";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { csv, loadTensor } from "../../src/data/index.ts";
import { csvRows } from "../../src/data/tables/csvRows.ts";
import { recordsOf } from "./csvRecords.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const records = (text: string, separator = ",") =>
  [...csvRows(bytes(text), { separator, decimal: ".", name: "t" })].flatMap(recordsOf);

describe("csvRows", () => {
  test("reads any table as another parser does", () => {
    const plain = fc.stringMatching(/^[a-z0-9.é日 -]{0,4}$/);
    const quoted = fc.stringMatching(/^[a-z,;\n"é日]{0,4}$/).map((cell) => `"${cell.replaceAll('"', '""')}"`);
    const row = fc.array(fc.oneof(plain, quoted), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(
        fc.array(row, { maxLength: 6 }),
        fc.constantFrom(",", ";", "\t", "|"),
        fc.constantFrom("\n", "\r\n", "\r"),
        fc.boolean(),
        fc.boolean(),
        (rows, separator, end, mark, last) => {
          // A line of one quoted empty cell is left to choice by RFC 4180.
          const lines = rows.map((cells) => cells.join(separator)).filter((line) => !/^\s*"\s*"\s*$/.test(line));
          const text = `${mark ? "\ufeff" : ""}${lines.join(end)}${last ? end : ""}`;
          const expected = parse(text, {
            bom: true,
            delimiter: separator,
            record_delimiter: ["\r\n", "\n", "\r"],
            trim: true,
            skip_empty_lines: true,
            relax_column_count: true,
          });
          expect(records(text, separator).map(({ cells }) => cells)).toEqual(
            expected.map((cells: string[]) => cells.map((cell) => cell.trim())),
          );
        },
      ),
      { numRuns: 400 },
    );
  });

  test("counts lines, also within quotes and after CR LF", () => {
    expect(records('a,b\r\n\r\n"1\n2",3\n4,5').map(({ line }) => line)).toEqual([1, 3, 5]);
  });

  test("rows and quotes that cross the blocks in which a file is read", () => {
    const row = (length: number, quote: string) => `${quote}${"x".repeat(length)}${quote},1`;
    for (const length of [2 ** 20 - 3, 2 ** 20 - 2, 2 ** 20 - 1, 2 ** 20, 3 * 2 ** 20]) {
      for (const [quote, end] of [
        ["", "\r\n"],
        ['"', "\n"],
        ['"', "\r\n"],
      ] as const) {
        const text = [row(length, quote), "2,3", row(5, quote)].join(end);
        expect(records(text).map(({ cells, line }) => [cells[0]!.length, cells[1], line])).toEqual([
          [length, "1", 1],
          [1, "3", 2],
          [5, "1", 3],
        ]);
      }
    }
  });

  test.each([
    ['1,"2\n3', "t: expected CSV text, but Quote Not Closed: the quote opens in line 1"],
    [
      '1,2\n"3"4',
      "t: expected CSV text, but Invalid Closing Quote: line 2 goes on after a quote; double the quotes inside a cell",
    ],
    [
      '1,2\n3,4"5"',
      "t: expected CSV text, but Invalid Opening Quote: a cell in line 2 has a quote inside; put the whole cell in quotes",
    ],
  ])("refuses %j", (text, message) => {
    expect(() => records(text)).toThrow(message);
  });
});

describe("tables", () => {
  test.each(["0xff", "0b1", "0o7", "1_000", "-0x1F", "0B10"])("%s is not a number", async (cell) => {
    const got = `expected a finite number, got "${cell}"; write numbers in decimal notation, as 255 or 2.55e2`;
    await expect(csv(bytes(`1,2\n${cell},4`))).rejects.toThrow(
      `data in memory: line 2 (row 1, column 0, counted from 0): ${got}`,
    );
    await expect(csv(bytes(`${cell},2\n3,4`)), "nor a header").rejects.toThrow(
      `line 1 (row 0, column 0, counted from 0): ${got}`,
    );
  });

  test.each(["Infinity", "-inf", "NaN", "1e999", "", "1,5e", "--1", "1 2", "0x", "_1", "⁵", "１"])(
    "nor is %j",
    async (cell) => {
      await expect(csv(bytes(`1,2\n"${cell}",4`))).rejects.toThrow(
        /line 2 \(row 1, column 0, counted from 0\): expected a finite number/,
      );
    },
  );

  test("decimal numbers in all their forms", async () => {
    const cells = ["1", "+1", "-1.5", ".5", "5.", "1e3", "1E-3", "00012", "-0"];
    expect([...(await loadTensor(bytes(cells.join("\n")))).data]).toEqual([1, 1, -1.5, 0.5, 5, 1000, 0.001, 12, -0]);
  });

  test("names that begin with numbers are names", async () => {
    const [, ...header] = ["", "1x1", "1x2", "28x28", "label"];
    expect((await csv(bytes(`${header.join()}\n1,2,3,4`))).rows).toBe(1);
  });

  test("a million columns, and as many blank lines as you like", async () => {
    const wide = bytes(`${"1,".repeat(100_000)}1\n${"\n".repeat(200_000)}`);
    expect((await loadTensor(wide, { memoryLimit: 20e6 })).dims).toEqual([1, 100_001]);
    const commas = new Uint8Array(2e6).fill(44);
    await expect(loadTensor(commas)).rejects.toThrow(
      "data in memory: line 1 (row 0, column 0, counted from 0): expected a finite number, got an empty cell",
    );
    await expect(loadTensor(commas, { memoryLimit: 20e6 })).rejects.toThrow(
      "data in memory: a row of 2000001 columns needs 130 MB, more than the memory limit of 20 MB; if that is meant, raise memoryLimit (--memory-limit)",
    );
  });

  test("no more numbers than the memory limit has room for", async () => {
    const table = bytes("1,2,3,4\n".repeat(1000));
    await expect(loadTensor(table, { memoryLimit: 30e3 })).rejects.toThrow(
      "data in memory: a table of 1000 rows and 4 columns needs 40 kB, more than the memory limit of 30 kB",
    );
    expect((await loadTensor(table, { memoryLimit: 30e3, rows: [0, 10] })).dims).toEqual([10, 4]);
    expect((await loadTensor(table, { memoryLimit: 41e3 })).dims).toEqual([1000, 4]);
  });

  test.each(["", ",,", "é", '"', "\n"])("refuses the separator %j", async (separator) => {
    await expect(csv(bytes("1,2"), { separator })).rejects.toThrow(
      `expected a separator of one ASCII character that is no quote or line end, got ${JSON.stringify(separator)}`,
    );
  });

  test("data that are compressed by a program whose format is not read", async () => {
    const xz = Uint8Array.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 4, 0xe6]);
    await expect(csv(xz)).rejects.toThrow(
      "data in memory: expected text (CSV), got an xz archive; unpack it first (xz -d)",
    );
  });
});
