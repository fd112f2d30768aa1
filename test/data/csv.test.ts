import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { csv } from "../../src/data/index.ts";
import { temporaryFolder } from "./files.ts";
import { batchesOf, rowsOf } from "./passes.ts";

const write = temporaryFolder();
const bytes = (text: string) => new TextEncoder().encode(text);

describe("csv", () => {
  test("reads the digits: 1,437 rows of 64 pixels, divided by 16 exactly, and labels", async () => {
    const path = fileURLToPath(new URL("../../examples/digits/digits_train.csv.gz", import.meta.url));
    const data = await csv(path, { scale: 16 });
    expect(data).toMatchObject({ rows: 1437, batchSize: 512, description: "digits_train.csv.gz" });
    expect(data.inputs).toEqual({ "": { dims: [64], dtype: "float32" } });
    const { inputs, targets } = await rowsOf(data);
    expect(inputs[""]!.every((value) => value >= 0 && value <= 1 && Number.isInteger(16 * value))).toBe(true);
    expect(Math.max(...inputs[""]!)).toBe(1);
    expect(new Set(targets)).toEqual(new Set([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
    const reference = JSON.parse(readFileSync(new URL("../fixtures/digits_ref.json", import.meta.url), "utf8"));
    expect(reference.train_rows).toHaveLength(data.rows);
  });

  test("gives back the float32 of any table that is written out", async () => {
    const number = fc.float({ noNaN: true, noDefaultInfinity: true });
    const row = fc.record({ features: fc.tuple(number, number, number), label: fc.nat(9) });
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { minLength: 1, maxLength: 8 }),
        fc.constantFrom(",", ";", "\t"),
        fc.constantFrom("\n", "\r\n", "\r"),
        fc.boolean(),
        async (rows, separator, end, header) => {
          const lines = rows.map(({ features, label }) => [...features.map(String), String(label)].join(separator));
          if (header) lines.unshift(["a", '"b c"', "d", "label"].join(separator));
          const { inputs, targets } = await rowsOf(await csv(bytes(lines.join(end)), { header, separator }));
          expect(inputs[""]!.map((value) => value + 0)).toEqual(
            rows.flatMap(({ features }) => features.map((f) => f + 0)),
          );
          expect(targets).toEqual(rows.map(({ label }) => label));
        },
      ),
      { numRuns: 60 },
    );
  });

  test("divides in float64 and rounds once", async () => {
    const pixels = Array.from({ length: 256 }, (_, i) => `${i},0`).join("\n");
    const { inputs } = await rowsOf(await csv(bytes(pixels), { scale: 255 }));
    expect(inputs[""]).toEqual(Array.from({ length: 256 }, (_, i) => Math.fround(i / 255)));
  });

  test("finds the label by name, by number and from the end", async () => {
    const table = bytes("\ufeffx;kind;y\n1.5;2;3\n\n4.5;5;6\n");
    const kinds = async (label: string | number) => (await rowsOf(await csv(table, { label }))).targets;
    expect(await kinds("kind")).toEqual([2, 5]);
    expect(await kinds(1)).toEqual([2, 5]);
    expect(await kinds("1")).toEqual([2, 5]);
    expect(await kinds(-1)).toEqual([3, 6]);
    const { inputs, targets } = await rowsOf(await csv(table, { label: false }));
    expect([inputs[""], targets]).toEqual([[1.5, 2, 3, 4.5, 5, 6], []]);
  });

  test("keeps numbers as targets where asked", async () => {
    const [batch] = await batchesOf(await csv(bytes("1,-0.5\n2,0.1"), { targetType: "number" }));
    expect(batch!.targets).toEqual({ data: Float32Array.of(-0.5, 0.1), dims: [2] });
    const [classes] = await batchesOf(await csv(bytes("1,3.0\n2,1"), {}));
    expect(classes!.targets).toEqual({ data: Int32Array.of(3, 1), dims: [2] });
  });

  test.each([
    ["1,2,3\n4,5,6", 2], // numbers alone are data
    ["0,1,2\n4,5,6", 2],
    ["0,1,label\n4,5,6", 1], // pandas' names
    ["label,0,1\n4,5,6", 1],
    [",0,label\n4,5,6", 1],
    ["a,b,c\n4,5,6", 1],
  ])("tells a header from data: %j", async (text, rows) => {
    expect((await csv(bytes(text))).rows).toBe(rows);
  });

  test.each([
    ["1,2,x,4\n5,6,7,8", 2, '"x"; if this line names the columns, say header: true'], // does not count up
    ["1.5,x,3\n4,5,6", 1, '"x"; if this line names the columns, say header: true'],
    ["0,0,x\n4,5,6", 2, '"x"; if this line names the columns, say header: true'],
    ["1,nan,2\n4,5,6", 1, "nan; repair or leave out such rows"],
    ["1,2,\n4,5,6", 2, "an empty cell"],
  ])("does not take a damaged first row for a header: %j", async (text, column, got) => {
    await expect(csv(bytes(text))).rejects.toThrow(
      `data in memory: line 1 (row 0, column ${column}, counted from 0): expected a finite number, got ${got}`,
    );
  });

  test("reads a range of rows and does not look at the others", async () => {
    const table = bytes("a,b\nbad,0\n1,1\n2,2\nbad\n");
    const { inputs, targets } = await rowsOf(await csv(table, { rows: [1, 3] }));
    expect([inputs[""], targets]).toEqual([
      [1, 2],
      [1, 2],
    ]);
    await expect(csv(table, { rows: [1] })).rejects.toThrow(
      "data in memory: line 5 (row 3 counted from 0): expected 2 columns as in the first line, got 1",
    );
    await expect(csv(table, { rows: [1, 9] })).rejects.toThrow("line 5 (row 3 counted from 0)");
  });

  test.each([
    [[0, 5], "data in memory: expected rows A:B with 0 <= A < B <= 2, got 0:5"],
    [[2], "data in memory: expected rows A:B with 0 <= A < B <= 2, got 2:"],
    [[3, 1], "data in memory: expected rows A:B with 0 <= A < B, got 3:1"],
  ] as const)("refuses the range %j", async (rows, message) => {
    await expect(csv(bytes("1,2\n3,4"), { rows })).rejects.toThrow(message);
  });

  test.each([
    ["x,y\n1,2\n3,4,5", "line 3 (row 1 counted from 0): expected 2 columns as in the first line, got 3"],
    ["x,y\n1,2\n\n3,four", 'line 4 (row 1, column 1 "y", counted from 0): expected a finite number, got "four"'],
    ["x,y\n1,2\n,4", 'line 3 (row 1, column 0 "x", counted from 0): expected a finite number, got an empty cell'],
    [
      "x,y\n-Inf,2",
      'line 2 (row 0, column 0 "x", counted from 0): expected a finite number, got -Inf; repair or leave out such rows',
    ],
    [
      "x,y\n1,2\n3,2.5",
      'line 3 (row 1, column 1 "y", counted from 0): expected a class label 0, 1, 2, ..., got 2.5; is this the label column?',
    ],
    [
      "x,y\n1,-1",
      'line 2 (row 0, column 1 "y", counted from 0): expected a class label 0, 1, 2, ..., got -1; is this the label column?',
    ],
    ["x,y\n", "expected rows of numbers, got a header and nothing below it"],
    ["\n\n", "expected rows of numbers, got an empty file"],
    ["", "expected rows of data, got an empty file"],
    ['x,y\n1,"2', "expected CSV text, but Quote Not Closed"],
    ["1\n2", "expected feature columns beside the label column, got one column; say label: false if it is a feature"],
    ["1,2\n\0,3", "expected text (CSV), got binary data that is neither NPY, NPZ nor IDX"],
    [
      Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0, 0),
      "expected rows, got a single image; give a folder of images",
    ],
    [Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0, 16), "expected rows, got a single image; give a folder of images"],
  ])("names file, line, row and column of what is wrong: %j", async (text, message) => {
    const path = await write("wrong.csv", text);
    await expect(csv(path)).rejects.toThrow(`wrong.csv: ${message}`);
    await expect(csv(path)).rejects.toMatchObject({ name: "CurvatureError" });
  });

  test.each([
    ["a,b\n1,2", "c", 'there is no label column "c"; expected a, b, or a number from 0 to 1 (or -1 for the last)'],
    [
      "3,4\n1,2",
      "c",
      'there is no label column "c"; expected a number from 0 to 1 (or -1 for the last), since the file has no header',
    ],
    [
      "3,4\n1,2",
      2,
      "there is no label column 2; expected a number from 0 to 1 (or -1 for the last), since the file has no header",
    ],
    [
      `${"abcdefghijklmn".split("").join()}\n${"1".repeat(14).split("").join()}`,
      "z",
      'there is no label column "z"; expected a, b, c, d, e, f, g, h, i, j, ..., n, or a number from 0 to 13 (or -1 for the last)',
    ],
  ])("says which label columns there are", async (text, label, message) => {
    await expect(csv(bytes(text), { label })).rejects.toThrow(`data in memory: ${message}`);
  });

  test.each([0, -1, Number.NaN])("refuses the scale %d", async (scale) => {
    await expect(csv(bytes("1,2"), { scale })).rejects.toThrow(
      `expected scale to be a positive number that inputs are divided by (255 for pixels of a byte), got ${scale}`,
    );
  });

  test("reads gzip of several members, and refuses one that is cut short", async () => {
    const members = [gzipSync("1,2\n"), gzipSync("3,4\n5,6\n")];
    const path = await write("table.csv.gz", Buffer.concat(members));
    expect((await rowsOf(await csv(path))).inputs[""]).toEqual([1, 3, 5]);
    const whole = gzipSync(Array.from({ length: 500 }, (_, i) => `${i},1`).join("\n"));
    for (const cut of [1, 4, 8, 9, 50, whole.length - 15, whole.length - 2]) {
      const damaged = await write("cut.csv.gz", whole.subarray(0, whole.length - cut));
      await expect(csv(damaged)).rejects.toThrow(
        "cut.csv.gz: expected a complete gzip file, got one that is truncated or damaged; copy or download it again",
      );
    }
  });

  test("says that a file is missing or a folder, by the path as given", async () => {
    await expect(csv("nowhere/rows.csv")).rejects.toThrow(
      "cannot read nowhere/rows.csv: there is no such file; check the path",
    );
    await expect(csv("test")).rejects.toThrow("cannot read test: it is a folder, expected a file; check the path");
    await expect(csv("nowhere/rows.csv")).rejects.toMatchObject({ code: "file" });
  });

  test("fetches web addresses, and says how a server answered that has nothing there", async () => {
    const server = createServer(({ url }, response) => {
      response.statusCode = url === "/rows.csv?v=1" ? 200 : 404;
      response.end("1,2\n");
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      expect(await csv(`${address}/rows.csv?v=1`)).toMatchObject({ rows: 1, description: "rows.csv" });
      await expect(csv(`${address}/none.csv`)).rejects.toThrow(
        `Data at ${address}/none.csv cannot be fetched: HTTP 404 Not Found.`,
      );
    } finally {
      server.close();
    }
  });

  test("reads file and data URLs, blobs and array buffers", async () => {
    const path = await write("table.csv", "1,2\n");
    const url = new URL(`file://${path}`);
    const sources = [
      url,
      url.href,
      "data:text/csv,1,2",
      new Blob(["1,2"]),
      new File(["1,2"], "t.csv"),
      bytes("1,2").buffer,
    ];
    for (const source of sources) expect((await rowsOf(await csv(source as Blob))).inputs[""]).toEqual([1]);
    expect((await csv(new File(["1,2"], "t.csv"))).description).toBe("t.csv");
    await expect(csv("blob:nodedata:nothing")).rejects.toThrow(
      /^Data at blob:nodedata:nothing cannot be fetched: .*check the address/,
    );
  });
});
