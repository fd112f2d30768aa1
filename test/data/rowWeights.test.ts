import { expect, test } from "vitest";
import { csv, type LoadDataOptions, loadData } from "../../src/data/index.ts";
import { float32Npy } from "./files.ts";
import { rowsOf } from "./passes.ts";

const wanted = { x: { dims: [null, 2], dtype: "float32" } } as const;
const bytesOf = (text: string) => new TextEncoder().encode(text);
const text = "a,w,b,y\n1,0.5,2,0\n3,0,4,1\n5,2,6,0\n";
const json = '{"a":1,"w":0.5,"b":2,"y":0}\n{"a":3,"w":0,"b":4,"y":1}\n{"a":5,"w":2,"b":6,"y":0}';

test.each<[string, Partial<LoadDataOptions>]>([
  ["CSV", { data: bytesOf(text), rowWeights: "w" }],
  ["CSV by number", { data: bytesOf(text), rowWeights: 1 }],
  ["CSV that is streamed", { data: bytesOf(text), rowWeights: "w", stream: true }],
  ["JSON lines", { data: bytesOf(json), rowWeights: "w", batchSize: 2 }],
  ["JSON lines that are streamed", { data: bytesOf(json), rowWeights: "w", stream: true, batchSize: 2 }],
])("%s: a column of weights is no input and goes with its rows", async (_, options) => {
  const data = await loadData({ wanted, ...options });
  const { inputs, targets, weights } = await rowsOf(data);
  expect([data.weighted, inputs.x, targets, weights]).toEqual([true, [1, 2, 3, 4, 5, 6], [0, 1, 0], [0.5, 0, 2]]);
});

test("csv takes them, and lists of tokens beside them", async () => {
  expect((await rowsOf(await csv(bytesOf(text), { rowWeights: "w" }))).weights).toEqual([0.5, 0, 2]);
  const tokens = bytesOf('{"x":[1,2],"w":3,"y":1}');
  const { weights, targets } = await rowsOf(await loadData({ wanted, data: tokens, rowWeights: "w" }));
  expect([weights, targets]).toEqual([[3], [1]]);
});

test.each<[Partial<LoadDataOptions>, string]>([
  [
    { data: bytesOf(text.replace("0.5", "-1")) },
    'line 2 (row 0, column 1 "w", counted from 0): expected a row weight of 0 or more, got -1',
  ],
  [{ data: bytesOf(text.replace("0.5", "nan")) }, 'column 1 "w", counted from 0): expected a finite number, got nan'],
  [
    { data: bytesOf(text.replace("0.5", "")) },
    'column 1 "w", counted from 0): expected a finite number, got an empty cell',
  ],
  [
    { data: bytesOf("a,w,b,y\n1,0,2,0\n3,0,4,1\n") },
    'column "w": expected row weights of which one is positive, got 0 in all rows',
  ],
  [{ data: bytesOf(text), rowWeights: "v" }, 'there is no column of row weights "v"; expected a, w, b, y'],
  [
    { data: bytesOf(text), rowWeights: "y" },
    'column "y" cannot be both the row weights and the label; name the label column (--label)',
  ],
  [{ data: bytesOf(text), columns: "a,w" }, 'column "w" cannot be both the row weights and an input'],
  [
    { data: float32Npy([2, 2], [1, 2, 3, 4]), label: false },
    "expected row weights (--row-weights) as a column of one table of inputs",
  ],
])("refused: %#", async (options, message) => {
  for (const stream of [false, true]) {
    await expect(loadData({ wanted, rowWeights: "w", stream, ...options })).rejects.toThrow(message);
  }
});
