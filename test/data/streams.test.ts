import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { dictionary, float64, int32, tableFromArrays, tableToIPC, utf8 } from "@uwdata/flechette";
import fc from "fast-check";
import { zipSync } from "fflate";
import { parquetWriteBuffer } from "hyparquet-writer";
import { afterAll, describe, expect, test } from "vitest";
import { type Data, type LoadDataOptions, loadData, takeRows } from "../../src/data/index.ts";
import { rangeFile } from "../../src/data/streamSource.ts";
import { arrowMessages } from "../../src/data/tables/arrowMessages.ts";
import { csvRows, csvRowsOfChunks } from "../../src/data/tables/csvRows.ts";
import { openTable, openTableStream } from "../../src/data/tables/openTable.ts";
import type { TableFile } from "../../src/data/tables/table.ts";
import { selfCommunicator, shardOf } from "../../src/distributed/index.ts";
import { recordsOf } from "./csvRecords.ts";
import { byteIdx, float32Npy, int64Npy } from "./files.ts";
import { batchesOf, range, rowsOf } from "./passes.ts";

const folder = mkdtempSync(join(tmpdir(), "onnx-curvature-streams-"));
afterAll(() => rmSync(folder, { recursive: true }));
const write = (name: string, contents: string | Uint8Array) => {
  writeFileSync(join(folder, name), contents);
  return join(folder, name);
};
const wanted = { x: { dims: [null, 2], dtype: "float32" } } as const;

const ROWS = 1000;
const cells = range(ROWS).map((row) => [row / 8, (row * row) % 17, row % 3] as const);
const names = ["ant", "bee", "cat"];
const csvText = `a,b,kind\n${cells.map(([a, b, y]) => `${a},${b},${names[y]}`).join("\n")}`;
const jsonText = cells.map(([a, b, y]) => JSON.stringify({ a, b, kind: names[y] })).join("\n");
const parquet = new Uint8Array(
  parquetWriteBuffer({
    columnData: [
      { name: "a", data: cells.map(([a]) => a), type: "DOUBLE" },
      { name: "b", data: cells.map(([, b]) => b), type: "INT32" },
      { name: "kind", data: cells.map(([, , y]) => names[y]!), type: "STRING" },
    ],
    rowGroupSize: 300,
  }),
);

const arrow = tableFromArrays(
  { a: cells.map(([a]) => a), b: cells.map(([, b]) => b), kind: cells.map(([, , y]) => names[y]!) },
  { types: { a: float64(), b: int32(), kind: dictionary(utf8()) }, maxBatchRows: 300 },
);
const x = cells.flatMap((row) => row.slice(0, 2));
const y = cells.map(([, , label]) => label);
const arrays = { "x.npy": float32Npy([ROWS, 2], x), "y.npy": int64Npy([ROWS], y) };
const bytes = cells.map((_, row) => (7 * row) % 251);

const sources: readonly (readonly [name: string, options: Partial<LoadDataOptions>])[] = [
  ["CSV", { data: write("rows.csv", csvText) }],
  ["gzipped CSV", { data: write("rows.csv.gz", gzipSync(csvText)) }],
  ["JSON lines", { data: write("rows.jsonl", jsonText) }],
  ["gzipped JSON lines", { data: write("rows.jsonl.gz", gzipSync(jsonText)) }],
  ["Parquet", { data: write("rows.parquet", parquet) }],
  ["an Arrow file", { data: write("rows.arrow", tableToIPC(arrow, { format: "file" })!) }],
  ["an Arrow stream", { data: write("rows.arrows", tableToIPC(arrow, { format: "stream" })!) }],
  ["NPZ", { data: write("rows.npz", zipSync(arrays, { level: 0 })) }],
  ["NPZ as bytes", { data: zipSync(arrays, { level: 0 }) }],
  ["an array of an NPZ", { data: `${join(folder, "rows.npz")}:x`, targets: `${join(folder, "rows.npz")}:y` }],
  [
    "IDX",
    {
      data: write("rows.idx", byteIdx([ROWS, 2], [...bytes, ...bytes])),
      targets: write("labels.idx", byteIdx([ROWS], y)),
    },
  ],
  ["a Blob", { data: new Blob([csvText]) }],
  ["bytes", { data: Uint8Array.from(parquet) }],
  [
    "NPY",
    {
      data: write(
        "x.npy",
        float32Npy(
          [ROWS, 2],
          cells.flatMap((row) => row.slice(0, 2)),
        ),
      ),
      targets: write(
        "y.npy",
        int64Npy(
          [ROWS],
          cells.map(([, , y]) => y),
        ),
      ),
    },
  ],
  [
    "NPY with targets in CSV",
    { inputs: { x: join(folder, "x.npy") }, targets: write("y.csv", `kind\n${cells.map(([, , y]) => y).join("\n")}`) },
  ],
];

describe.each(sources)("%s", (_, options) => {
  const load = (more: Partial<LoadDataOptions> = {}) => loadData({ wanted, ...options, ...more });

  test("gives the rows of the file that is held in memory, on every pass", async () => {
    const [held, streamed] = [await load({ batchSize: 64 }), await load({ batchSize: 64, stream: true })];
    expect(streamed).toMatchObject({ rows: ROWS, batchSize: 64, inputs: held.inputs, targets: held.targets });
    expect(streamed.classes).toEqual(held.classes);
    expect(streamed.description).toMatch(/; read again on every pass$/);
    const expected = await rowsOf(held);
    for (const pass of [1, 2]) expect([pass, await rowsOf(streamed)]).toEqual([pass, expected]);
  });

  test("a range, parts and shards", async () => {
    const expected = await rowsOf(await load());
    const part = (from: number, to: number) => [
      expected.inputs.x!.slice(2 * from, 2 * to),
      expected.targets.slice(from, to),
    ];
    const found = async (data: Data) => {
      const { inputs, targets } = await rowsOf(data);
      return [inputs.x, targets];
    };
    const ranged = await load({ rows: [100, 900], stream: true, batchSize: 70 });
    expect(await found(ranged)).toEqual(part(100, 900));
    expect(await found(takeRows(ranged, [350, 500]))).toEqual(part(450, 600));
    const shards = [0, 1, 2].map((rank) => shardOf(ranged, { ...selfCommunicator(), rank, size: 3 }, { shards: 6 }));
    const all = await Promise.all(shards.map(found));
    expect(all.flatMap(([, targets]) => targets)).toEqual(part(100, 900)[1]);
    const cut = shards.flatMap(({ shards: own }) => own!);
    expect((await Promise.all(cut.map(found))).flatMap(([x]) => x)).toEqual(part(100, 900)[0]);
    await expect(load({ rows: [1, ROWS + 1], stream: true })).rejects.toThrow(`0 <= A < B <= ${ROWS}`);
  });

  test("passes that are left or stopped", async () => {
    const data = await load({ stream: true, batchSize: 50 });
    for await (const batch of data.batches()) {
      expect(batch.rows).toBe(50);
      break;
    }
    const stop = new AbortController();
    stop.abort();
    await expect(batchesOf(data, stop.signal)).rejects.toMatchObject({ code: "aborted" });
  });
});

test("CSV in chunks is read as CSV in memory, wherever a chunk ends", async () => {
  const cell = fc.oneof(
    fc.stringMatching(/^[a-z0-9.é日 -]{0,4}$/),
    fc.stringMatching(/^[a-z,;\n"é日]{0,4}$/).map((text) => `"${text.replaceAll('"', '""')}"`),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(cell, { minLength: 1, maxLength: 4 }), { maxLength: 6 }),
      fc.constantFrom("\n", "\r\n", "\r"),
      fc.integer({ min: 1, max: 7 }),
      fc.boolean(),
      async (rows, end, size, mark) => {
        const bytes = new TextEncoder().encode((mark ? "\ufeff" : "") + rows.map((row) => row.join(",")).join(end));
        const options = { separator: ",", decimal: ".", name: "t" } as const;
        async function* chunks() {
          // The mark of the encoding is looked for in the first chunk.
          const first = mark ? Math.max(3, size) : size;
          if (bytes.length > 0) yield bytes.subarray(0, first);
          for (let at = first; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
        }
        const found = [];
        for await (const rows of csvRowsOfChunks(chunks(), options)) found.push(...recordsOf(rows));
        expect(found).toEqual([...csvRows(bytes, options)].flatMap(recordsOf));
      },
    ),
    { numRuns: 300 },
  );
});

describe("Arrow, one record batch at a time", () => {
  const rowsOfTable = async (table: TableFile, pass: { readonly from?: number; readonly to?: number } = {}) => {
    const columns = range(table.columns);
    const rows: unknown[] = [];
    for await (const part of table.parts({ columns, ...pass })) {
      for (let row = 0; row < part.rows; row++) {
        rows.push([part.start + row, ...columns.map((column) => listed(part.cell(row, column)))]);
      }
    }
    return rows;
  };
  const listed = (cell: unknown) => (ArrayBuffer.isView(cell) ? Array.from(cell as Float64Array, Number) : cell);

  test.each(["uncompressed.feather", "lz4.feather", "zstd.feather", "lists.feather", "holes.feather", "stream.arrows"])(
    "%s of another library",
    async (name) => {
      const contents = new Uint8Array(readFileSync(new URL(`../fixtures/tables/${name}`, import.meta.url)));
      const held = await openTable({ bytes: contents, name, memoryLimit: 1e9 });
      const streamed = await openTableStream(await rangeFile(contents, name));
      expect([streamed.names, streamed.mostRows]).toEqual([held.names, held.mostRows]);
      expect(await rowsOfTable(streamed)).toEqual(await rowsOfTable(held));
    },
  );

  test.each(["file", "stream"] as const)("a %s of several batches reads those of a range only", async (format) => {
    const contents = tableToIPC(arrow, { format })!;
    const file = await rangeFile(contents, "rows.arrow");
    const messages = await arrowMessages(file);
    expect(messages.filter(({ kind }) => kind === "batch").map(({ rows }) => rows)).toEqual([300, 300, 300, 100]);
    let read: number[] = [];
    const watched = {
      ...file,
      range: (offset: number, length: number) => {
        read.push(offset);
        return file.range(offset, length);
      },
    };
    const table = await openTableStream(watched);
    read = [];
    expect(await rowsOfTable(table, { from: 350, to: 360 })).toEqual(
      range(10).map((i) => [350 + i, cells[350 + i]![0], cells[350 + i]![1], names[cells[350 + i]![2]]]),
    );
    const batches = messages.filter(({ kind }) => kind === "batch").map(({ offset }) => offset);
    expect(read.filter((offset) => batches.includes(offset))).toEqual([batches[1]]);
  });
});

describe("refused in one line", () => {
  const npy = float32Npy([2, 2], [1, 2, 3, 4]);
  test.each<[Partial<LoadDataOptions>, string]>([
    [
      { data: "https://example.org/rows.csv" },
      "rows.csv: expected a file that can be read again on every pass, got an address; save it first, or leave out stream (--stream)",
    ],
    [{ data: "-" }, "standard input: expected a file that can be read again on every pass, got a stream"],
    [{ data: join(folder, "none.csv") }, "none.csv: there is no such file; check the path"],
    [{ data: write("empty.csv", "") }, "empty.csv: expected rows of data, got an empty file"],
    [
      { data: write("header.csv", "a,b,y\n") },
      "header.csv: expected rows of numbers, got a header and nothing below it",
    ],
    [
      { data: write("wide.csv", "1,2,0\n1,0\n") },
      "wide.csv: line 2 (row 1 counted from 0): expected 3 columns as in the first line, got 2",
    ],
    [
      { data: write("nan.csv", "a,b,y\n1,2,0\n1,nan,0\n") },
      'nan.csv: line 3 (row 1, column 1 "b", counted from 0): expected a finite number, got nan',
    ],
    [{ data: write("text.jsonl", "[1, 2, 0]\nx") }, "text.jsonl: line 2: expected one JSON object or list a line"],
    [
      { data: write("cut.csv.gz", gzipSync(csvText).subarray(0, 2000)) },
      "cut.csv.gz: expected a complete gzip file, got one that is truncated or damaged",
    ],
    [
      { data: write("cut.parquet", parquet.subarray(0, 3000)) },
      "cut.parquet: expected a complete Parquet file, got one that cannot be read",
    ],
    [
      { data: write("cut.arrow", tableToIPC(arrow, { format: "file" })!.subarray(0, 4000)) },
      "cut.arrow: expected a complete Arrow (Feather) file, got one that cannot be read; copy it again, or write it anew (it ends within a message)",
    ],
    [
      { data: write("wrong.arrow", new TextEncoder().encode("ARROW1\0\0 and then something else")) },
      "wrong.arrow: expected a complete Arrow (Feather) file, got one that cannot be read; copy it again, or write it anew (no message begins at byte 8)",
    ],
    [
      { data: fileURLToPath(new URL("../fixtures/tables/version1.feather", import.meta.url)) },
      "version1.feather: expected Feather version 2, got version 1",
    ],
    [
      { data: write("x.idx.gz", gzipSync(byteIdx([2, 2], [1, 2, 3, 4]))) },
      "x.idx.gz: expected an array that is not compressed, so that its rows are found by their offset; unpack it (gunzip), or leave out stream (--stream)",
    ],
    [
      { data: write("x.npz", zipSync({ "x.npy": npy })) },
      "x.npz:x: expected an array that is not compressed, so that its rows are found by their offset; write it with numpy.savez, or leave out stream (--stream)",
    ],
    [
      { data: write("z.npz", zipSync({ "z.npy": npy }, { level: 0 })) },
      'z.npz: expected an array "x", the archive has z',
    ],
    [
      { data: write("cut.npz", zipSync({ "x.npy": npy }, { level: 0 }).subarray(0, -10)) },
      "cut.npz: expected a complete NPZ (zip) file, got a truncated or damaged one; copy or download it again (it has no directory at its end)",
    ],
    [
      { inputs: { x: npy }, targets: zipSync(arrays, { level: 0 }) },
      "data in memory: expected one array, the archive has x, y; choose one as data in memory:NAME",
    ],
    [
      { data: write("cut.npy", npy.subarray(0, -4)) },
      "cut.npy: its header announces 16 bytes, but 12 follow; the file is truncated",
    ],
    [
      { data: write("two.npy", npy) },
      "two.npy: expected targets beside the inputs of x, got none; give a file of targets",
    ],
    [
      { data: join(folder, "two.npy"), targets: write("three.npy", int64Npy([3], [0, 1, 0])) },
      "two.npy has 2 rows but three.npy has 3",
    ],
    [{ inputs: {}, targets: npy }, "expected a file for each of the model's inputs, got none for x"],
  ])("%#", async (options, message) => {
    await expect(loadData({ wanted, stream: true, ...options })).rejects.toThrow(message);
    await expect(loadData({ wanted, stream: true, ...options })).rejects.toMatchObject({
      name: "CurvatureError",
      message: expect.not.stringContaining("\n"),
    });
  });

  test("a file that changes between passes", async () => {
    const path = write("changing.csv", csvText);
    const data = await loadData({ wanted, data: path, stream: true });
    writeFileSync(path, csvText.split("\n").slice(0, 10).join("\n"));
    await expect(batchesOf(data)).rejects.toMatchObject({
      code: "nondeterministic",
      message: "changing.csv: the file became shorter while it was read; keep it as it is until the end",
    });
    // As long as before, with fewer rows.
    writeFileSync(path, csvText.replace("\n", ""));
    await expect(batchesOf(data)).rejects.toThrow();
    writeFileSync(path, `${csvText.replace(/\n.*$/, "")}${" ".repeat(200)}`.slice(0, csvText.length));
    await expect(batchesOf(data)).rejects.toMatchObject({
      code: "nondeterministic",
      message:
        "changing.csv; read again on every pass: the first pass had 1000 rows, a later one 999; keep the files as they are until the end",
    });
  });
});
