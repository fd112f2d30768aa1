import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { csv, type LoadDataOptions, loadData, loadTensor } from "../../src/data/index.ts";
import { float32Npy, temporaryFolder } from "./files.ts";
import { batchesOf, range, rowsOf } from "./passes.ts";

const write = temporaryFolder();
const bytes = (text: string) => new TextEncoder().encode(text);
const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/tables/${name}`, import.meta.url));
const wanted = (columns: number) => ({ x: { dims: [null, columns], dtype: "float32" } }) as const;

/** The numbers of test/fixtures/tables/make.py, by their formulas. */
const kinds = ["cat", "ant", "bee"];
const features = (row: number) => [(row % 97) / 8, (row % 31) - 3, row % 2, (row % 13) / 4];

describe("labels that are names", () => {
  const table = "x,kind\n1,cat\n2,ant\n3,cat\n4,bee\n";

  test("become numbers in the order of the names, which are kept", async () => {
    const data = await csv(bytes(table));
    expect(data.classes).toEqual(["ant", "bee", "cat"]);
    expect((await rowsOf(data)).targets).toEqual([2, 0, 2, 1]);
    expect((await batchesOf(data))[0]!.targets!.data).toBeInstanceOf(Int32Array);
  });

  test("have the order that is asked for", async () => {
    const data = await csv(bytes(table), { classes: ["cat", "dog", "bee", "ant"] });
    expect(data.classes).toEqual(["cat", "dog", "bee", "ant"]);
    expect((await rowsOf(data)).targets).toEqual([0, 3, 0, 2]);
    await expect(csv(bytes(table), { classes: ["cat", "ant"] })).rejects.toThrow(
      'line 5 (row 3, column 1 "kind", counted from 0): expected a class among cat, ant, got "bee"',
    );
  });

  test("numbers stay numbers, also as text in quotes", async () => {
    const data = await csv(bytes('x,y\n1,"10"\n2,"2"\n'));
    expect(data.classes).toBeUndefined();
    expect((await rowsOf(data)).targets).toEqual([10, 2]);
  });

  test.each([
    [
      "x,y\n1,2\n2,cat\n",
      'line 3 (row 1, column 1 "y", counted from 0): expected a finite number, got "cat"; labels are either all numbers or all names, and line 2 has 2',
    ],
    [
      "x,y\n1,cat\n2,2\n",
      'line 2 (row 0, column 1 "y", counted from 0): expected a finite number, got "cat"; labels are either all numbers or all names, and line 3 has 2',
    ],
    ["x,y\n1,cat\n2,\n", 'line 3 (row 1, column 1 "y", counted from 0): expected a finite number, got an empty cell'],
    [
      "x,y\n1,cat\n2,nan\n",
      'line 3 (row 1, column 1 "y", counted from 0): expected a finite number, got nan; repair or leave out such rows',
    ],
    [
      "1,cat\n2,dog\n",
      'the first line may name the columns or be a row, since it has "1"; say which: header: true or false',
    ],
    ["a,cat\n2,dog\n3,cat\n", 'the first line may name the columns or be a row, since it has "cat"; say which'],
    [
      `x,y\n${range(150)
        .map((row) => `1,n${row}`)
        .join("\n")}`,
      'column "y": expected names of classes, got 150 different ones in 150 rows, as "n0"; is this the label column?',
    ],
  ])("are refused where they are doubtful: %j", async (text, message) => {
    await expect(csv(bytes(text))).rejects.toThrow(`data in memory: ${message}`);
  });

  test("a first row of names is a row where this is said", async () => {
    const data = await csv(bytes("1,cat\n2,dog\n"), { header: false });
    expect([data.rows, data.classes]).toEqual([2, ["cat", "dog"]]);
  });

  test("are refused as values", async () => {
    await expect(csv(bytes(table), { targetType: "number" })).rejects.toThrow('expected a finite number, got "cat"');
  });

  test("in a file of their own", async () => {
    const options = { wanted: wanted(1), data: float32Npy([2, 1], [1, 2]), targets: bytes("b\na\n") };
    await expect(loadData(options)).rejects.toThrow(
      'the first line may name the columns or be a row, since it has "b"; say which: header: true or false',
    );
    const data = await loadData({ ...options, header: false });
    expect([data.classes, (await rowsOf(data)).targets]).toEqual([
      ["a", "b"],
      [1, 0],
    ]);
  });
});

describe("columns", () => {
  const table = bytes("id,a,y0,b,y1\n7,1,0.5,2,-1\n8,3,1.5,4,-2\n");

  test("several targets, columns to drop and columns to take, by name, number or list", async () => {
    const columns = [
      { label: "y0,y1", drop: "id" },
      { label: ["y0", "y1"], drop: [0] },
      { label: "2,-1", columns: "a,b" },
    ];
    for (const options of columns) {
      const data = await loadData({ wanted: wanted(2), data: table, targetType: "number", ...options });
      expect(data.targets).toEqual({ dims: [2], dtype: "float32" });
      const { inputs, targets } = await rowsOf(data);
      expect([inputs.x, targets]).toEqual([
        [1, 2, 3, 4],
        [0.5, -1, 1.5, -2],
      ]);
    }
    const swapped = await loadData({ wanted: wanted(2), data: table, label: false, columns: ["b", "a"] });
    expect((await rowsOf(swapped)).inputs.x).toEqual([2, 1, 4, 3]);
  });

  test("a name with a comma is one column", async () => {
    const data = await csv(bytes('"a,b",c\n1,2\n'), { label: "a,b" });
    expect((await rowsOf(data)).targets).toEqual([1]);
  });

  test.each<[Partial<LoadDataOptions>, string]>([
    [{ drop: "z" }, 'there is no column to drop "z"; expected id, a, y0, b, y1, or a number from 0 to 4'],
    [{ columns: "a,z" }, 'there is no column "z"'],
    [{ label: "y0,z" }, 'there is no label column "z"'],
    [{ label: "y0,2" }, 'label column "y0" is named twice'],
    [{ label: "y0", drop: "y0" }, 'column "y0" cannot be both dropped and the label'],
    [
      { drop: "y1" },
      'column "y1" cannot be both dropped and the label; name the label column (--label), the last by default',
    ],
    [{ columns: "a,b", drop: "a" }, 'column "a" cannot be both dropped and an input'],
    [{ columns: "a,y1" }, 'column "y1" cannot be both an input and the label; name the label column (--label)'],
    [
      { label: "y1", drop: "id,a,y0,b" },
      "expected feature columns beside the label column, got none; check label and drop",
    ],
  ])("are refused where they clash: %j", async (options, message) => {
    await expect(loadData({ wanted: wanted(2), data: table, ...options })).rejects.toThrow(
      `data in memory: ${message}`,
    );
  });

  test("a column of text says how to leave it out", async () => {
    await expect(csv(bytes("id,x,y\na,1,0\n"))).rejects.toThrow(
      'expected a finite number, got "a"; a column that is no input is left out by drop (--drop)',
    );
  });
});

describe("decimal comma", () => {
  test("is read where it is said, between semicolons or tabs", async () => {
    for (const text of ["a;b;y\n1,5;-2;0\n,25;1e-1;1\n", "1,5\t-2\t0\n,25\t1e-1\t1\n"]) {
      expect((await rowsOf(await csv(bytes(text), { decimal: "," }))).inputs[""]).toEqual(
        [1.5, -2, 0.25, 0.1].map(Math.fround),
      );
    }
  });

  test.each<[string, Parameters<typeof csv>[1], string]>([
    ["a;y\n1,5;0\n", {}, 'got "1,5"; if the comma is a decimal one, say decimal: "," (--decimal ,)'],
    ["a;y\n1.5;0\n", { decimal: "," }, 'expected a finite number, got "1.5"'],
    ["a;y\n1.000,5;0\n", { decimal: "," }, 'expected a finite number, got "1.000,5"'],
    ["a,y\n1,5\n", { decimal: ",", separator: "," }, 'expected a separator other than the decimal ","'],
  ])("%j with %j is refused", async (text, options, message) => {
    await expect(csv(bytes(text), options)).rejects.toThrow(message);
  });
});

describe("JSON lines", () => {
  const lines = '{"a": 1.5, "kind": "b", "c": true}\n\n{"c": false, "a": 2, "kind": "a"}\r\n';

  test("are read by column name, gzipped or not, whatever the order of keys", async () => {
    for (const source of [bytes(lines), gzipSync(lines)]) {
      const data = await loadData({ wanted: wanted(2), data: source, label: "kind" });
      const { inputs, targets } = await rowsOf(data);
      expect([data.classes, inputs.x, targets]).toEqual([
        ["a", "b"],
        [1.5, 1, 2, 0],
        [1, 0],
      ]);
    }
  });

  test("lists are rows without names", async () => {
    const data = await loadData({ wanted: wanted(2), data: bytes("[1, 2, 0]\n[3, 4, 1]") });
    const { inputs, targets } = await rowsOf(data);
    expect([inputs.x, targets]).toEqual([
      [1, 2, 3, 4],
      [0, 1],
    ]);
    expect((await loadTensor(bytes("[1, 2]\n[3, 4]"))).dims).toEqual([2, 2]);
  });

  test("nested lists are an input of their shape, lists of labels its targets", async () => {
    const text = '{"y": [1, 0], "x": [[1, 2], [3, 4]]}\n{"y": [0, 1], "x": [[5, 6], [7, 8]]}';
    const images = { x: { dims: [null, 2, 2], dtype: "float32" } } as const;
    const [batch] = await batchesOf(await loadData({ wanted: images, data: bytes(text) }));
    expect(batch!.inputs.x).toEqual({
      data: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8),
      dims: [2, 2, 2],
      dtype: "float32",
    });
    expect(batch!.targets).toEqual({ data: Int32Array.of(1, 0, 0, 1), dims: [2, 2], dtype: "int32" });
    const soft = text.replace("[1, 0]", "[0.5, 0.5]");
    expect((await loadData({ wanted: images, data: bytes(soft) })).targets!.dtype).toBe("float32");
  });

  test.each([
    [
      '{"a": 1, "y": 0}\n{"a": NaN, "y": 1}',
      "line 2: expected one JSON object or list a line",
      "NaN is no number of JSON",
    ],
    ['[{"a": 1},\n{"a": 2}]', "line 1: expected one JSON object or list a line", 'jq -c ".[]"'],
    ['{"a": 1, "y": 0}\n3', "line 2: expected one JSON object or list a line, got 3", ""],
    [
      '{"a": 1, "y": 0}\n[1, 2]',
      "line 2 (row 1 counted from 0): expected an object as in the first line, got a list",
      "",
    ],
    ["[1, 0]\n[1, 2, 3]", "line 2 (row 1 counted from 0): expected 2 columns as in the first line, got 3", ""],
    ['[1, 0]\n{"a": 1}', "line 2 (row 1 counted from 0): expected a list as in the first line, got an object", ""],
    [
      '{"a": 1, "y": 0}\n{"a": 1, "z": 0}',
      'line 2 (row 1 counted from 0): expected the columns a, y of the first line, got also "z"',
      "",
    ],
    [
      '{"a": 1, "y": 0}\n{"y": 1}',
      'line 2 (row 1, column 0 "a", counted from 0): expected a finite number, got an empty cell',
      "",
    ],
    [
      '{"a": null, "y": 0}',
      'line 1 (row 0, column 0 "a", counted from 0): expected a finite number, got an empty cell',
      "",
    ],
    ['{"a": {"b": 1}, "y": 0}', 'column 0 "a", counted from 0): expected a finite number, got an object', ""],
    ['{"a": "x", "y": 0}', 'expected a finite number, got "x"', "left out by drop"],
    ['{"a": 1, "y": 0.5}', "expected a class label 0, 1, 2, ..., got 0.5; is this the label column?", ""],
    ['{"a": [1, 2], "y": 0}\n{"a": [1, null], "y": 0}', "expected a finite number, got an empty cell", ""],
    [
      '{"a": [[1], [2]], "y": 0}\n{"a": [[1], [2, 3]], "y": 0}',
      "expected a list of shape [1], got one of shape [2]",
      "",
    ],
    [
      '{"a": [1, 2], "b": 1, "y": 0}',
      'column "a" holds lists, but there are 2 feature columns; choose one by columns (--columns)',
      "",
    ],
    ["{}", "line 1: expected columns, got {}", ""],
  ])("%j is refused", async (text, message, advice) => {
    const path = await write("rows.jsonl", text);
    await expect(loadData({ wanted: wanted(1), data: path })).rejects.toThrow(message);
    await expect(loadData({ wanted: wanted(1), data: path })).rejects.toThrow(/^rows[.]jsonl: [^\n]*$/);
    if (advice !== "") await expect(loadData({ wanted: wanted(1), data: path })).rejects.toThrow(advice);
  });

  test("an empty file and a long line", async () => {
    await expect(loadData({ wanted: wanted(1), data: await write("empty.jsonl", "\n\n") })).rejects.toThrow(
      "empty.jsonl: expected rows as JSON, one a line, got an empty file",
    );
    const long = `[${range(300_000).join(",")}]\n`;
    expect((await loadTensor(bytes(long.repeat(2)))).dims).toEqual([2, 300_000]);
  });
});

describe.each([
  ["none.parquet", 40],
  ["snappy.parquet", 40],
  ["gzip.parquet", 40],
  ["brotli.parquet", 40],
  ["zstd.parquet", 40],
  ["lz4.parquet", 40],
  ["uncompressed.feather", 40],
  ["lz4.feather", 20_000],
  ["zstd.feather", 40],
  ["stream.arrows", 40],
])("%s", (name, rows) => {
  test("gives the numbers and names that another library wrote", async () => {
    const data = await loadData({ wanted: wanted(4), data: fixture(name), label: "kind", drop: "y" });
    expect([data.rows, data.classes, data.description]).toEqual([rows, ["ant", "bee", "cat"], name]);
    const found = await rowsOf(data);
    expect(found.inputs.x).toEqual(range(rows).flatMap((row) => features(row)));
    expect(found.targets).toEqual(range(rows).map((row) => ["ant", "bee", "cat"].indexOf(kinds[row % 3]!)));
  });

  test("a range of rows, across groups", async () => {
    const data = await loadData({ wanted: wanted(4), data: fixture(name), drop: "kind", rows: [10, 37] });
    const found = await rowsOf(data);
    expect(found.inputs.x).toEqual(range(27).flatMap((row) => features(row + 10)));
    expect(found.targets).toEqual(range(27).map((row) => (row + 10) % 3));
    await expect(
      loadData({ wanted: wanted(4), data: fixture(name), drop: "kind", rows: [10, rows + 1] }),
    ).rejects.toThrow(`${name}: expected rows A:B with 0 <= A < B <= ${rows}, got 10:${rows + 1}`);
  });
});

describe("Parquet and Arrow", () => {
  test.each(["lists.parquet", "lists.feather"])("%s: lists are an input", async (name) => {
    const images = { image: { dims: [null, 2, 2], dtype: "float32" } } as const;
    const { inputs, targets } = await rowsOf(await loadData({ wanted: images, data: fixture(name) }));
    expect(inputs.image).toEqual(range(5).flatMap((k) => [k, k + 0.5, 2 * k, -k + 0]));
    expect(targets).toEqual([0, 1, 0, 1, 0]);
  });

  test.each(["holes.parquet", "holes.feather"])("%s: empty cells and NaN are named with their place", async (name) => {
    await expect(loadData({ wanted: wanted(2), data: fixture(name) })).rejects.toThrow(
      `${name}: row 1, column 0 "a", counted from 0: expected a finite number, got an empty cell`,
    );
    await expect(loadData({ wanted: wanted(1), data: fixture(name), drop: "a" })).rejects.toThrow(
      `${name}: row 2, column 1 "b", counted from 0: expected a finite number, got NaN; repair or leave out such rows`,
    );
  });

  test("text among the inputs, and a column that is not there", async () => {
    await expect(loadData({ wanted: wanted(5), data: fixture("snappy.parquet") })).rejects.toThrow(
      'snappy.parquet: row 0, column 4 "kind", counted from 0: expected a finite number, got "cat"; a column that is no input',
    );
    await expect(loadData({ wanted: wanted(5), data: fixture("zstd.feather"), label: "z" })).rejects.toThrow(
      'zstd.feather: there is no label column "z"; expected a, b, c, h, kind, y, or a number from 0 to 5',
    );
  });

  test("damaged files and version 1 of Feather", async () => {
    const { readFile } = await import("node:fs/promises");
    for (const [name, kind] of [
      ["snappy.parquet", "Parquet"],
      ["zstd.feather", "Arrow (Feather)"],
    ] as const) {
      const whole = await readFile(fixture(name));
      const path = await write(`cut.${name}`, whole.subarray(0, whole.length - 700));
      await expect(loadData({ wanted: wanted(4), data: path })).rejects.toThrow(
        `cut.${name}: expected a complete ${kind} file, got one that cannot be read`,
      );
    }
    await expect(loadTensor(fixture("version1.feather"))).rejects.toThrow(
      "version1.feather: expected Feather version 2, got version 1",
    );
  });

  test("more numbers than the memory limit has room for", async () => {
    await expect(
      loadData({ wanted: wanted(4), data: fixture("lz4.feather"), drop: "kind", memoryLimit: 500e3 }),
    ).rejects.toThrow(
      "lz4.feather: a table of 20000 rows and 5 columns needs 805 kB, more than the memory limit of 500 kB",
    );
  });
});

describe("lists of tokens", () => {
  const text = ['{"ids": [5, 6, 7], "label": 1}', '{"ids": [8], "label": 0}', '{"ids": [9, 1], "label": 1}'].join("\n");
  const ids = { dims: [null, "length"], dtype: "int64" } as const;

  test("are padded to the longest, with a mask and lengths made of them", async () => {
    const inputs = { ids, attention_mask: ids, lengths: { dims: [null], dtype: "int64" } } as const;
    const data = await loadData({ wanted: inputs, data: bytes(text) });
    expect(data.description).toBe(
      "data in memory; attention_mask made of the lengths of ids; lengths made of the lengths of ids",
    );
    expect(data.inputs).toEqual({
      ids: { dims: [3], dtype: "int64" },
      attention_mask: { dims: [3], dtype: "int64" },
      lengths: { dims: [], dtype: "int64" },
    });
    const found = await rowsOf(data);
    expect(found.inputs).toEqual({
      ids: [5, 6, 7, 8, 0, 0, 9, 1, 0],
      attention_mask: [1, 1, 1, 1, 0, 0, 1, 1, 0],
      lengths: [3, 1, 2],
    });
    expect(found.targets).toEqual([1, 0, 1]);
  });

  test("are padded to the model's length by the number that is asked for; a mask of the file is padded with 0", async () => {
    const fixed = { dims: [null, 4], dtype: "int64" } as const;
    const masked = '{"mask": [1, 0], "labels": [3, 4], "ids": [5, 6]}\n{"mask": [1], "labels": [2], "ids": [8]}';
    const data = await loadData({ wanted: { ids: fixed, mask: fixed }, data: bytes(masked), padding: 99 });
    const found = await rowsOf(data);
    expect(found.inputs).toEqual({ ids: [5, 6, 99, 99, 8, 99, 99, 99], mask: [1, 0, 0, 0, 1, 0, 0, 0] });
    expect(found.targets).toEqual([3, 4, 2, -100]);
    expect(data.targets).toEqual({ dims: [2], dtype: "int32" });
  });

  test("are refused where a mask or a column is missing, or the model is shorter", async () => {
    await expect(loadData({ wanted: { ids }, data: bytes(text) })).rejects.toThrow(
      'lists of "ids" differ in length (up to 3), and the model has no mask among its inputs; pad them in the file, or say which number fills them: padding (--pad)',
    );
    expect((await rowsOf(await loadData({ wanted: { ids }, data: bytes(text), padding: 0 }))).inputs.ids).toHaveLength(
      9,
    );
    await expect(loadData({ wanted: { ids, types: ids }, data: bytes(text) })).rejects.toThrow(
      "expected a column for each of the model's inputs (ids, types), got none for types; the columns are ids, label",
    );
    const short = { dims: [null, 2], dtype: "int64" } as const;
    await expect(loadData({ wanted: { ids: short, mask: short }, data: bytes(text) })).rejects.toThrow(
      'rows have shape [3] (3 numbers), but the model\'s input "ids" takes [2] (2) a row',
    );
    await expect(
      loadData({ wanted: { ids, mask: ids }, data: bytes('{"ids": [1, 2.5], "label": 0}') }),
    ).rejects.toThrow(
      "expected whole numbers from -9007199254740991 to 9007199254740991 (int64), got 2.5 at row 0, column 1",
    );
  });
});
