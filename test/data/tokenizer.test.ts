import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { loadData } from "../../src/data/index.ts";
import { loadTokenizer } from "../../src/data/tables/tokenizer.ts";
import { rowsOf } from "./passes.ts";

interface Expected {
  readonly text: string;
  readonly ids: readonly number[];
  readonly mask: readonly number[];
  readonly types: readonly number[];
  readonly first8: readonly number[];
}

const path = (name: string) => fileURLToPath(new URL(`../fixtures/tokenizers/${name}`, import.meta.url));
const fileOf = (name: string) => JSON.parse(readFileSync(path(`${name}.json`), "utf8"));
const expected = (name: string): readonly Expected[] =>
  JSON.parse(readFileSync(path(`${name}.expected.json`), "utf8")).rows;
const bytesOf = (text: string) => new TextEncoder().encode(text);
const KINDS = ["wordpiece", "bytes", "unigram"];

describe.each(KINDS)("%s", (name) => {
  test("gives the ids of Python's tokenizers", async () => {
    const { encode } = await loadTokenizer(path(`${name}.json`));
    for (const { text, ids, types } of expected(name)) expect([text, encode(text)]).toEqual([text, { ids, types }]);
  });

  test("cuts as the section truncation says", async () => {
    const file = bytesOf(JSON.stringify({ ...fileOf(name), truncation: { max_length: 8, direction: "Right" } }));
    const { encode } = await loadTokenizer(file);
    for (const { text, first8 } of expected(name)) expect([text, encode(text).ids]).toEqual([text, first8]);
  });
});

const rows = expected("wordpiece").filter(({ text }) => text !== "");
const wanted = {
  input_ids: { dims: [null, null], dtype: "int64" },
  attention_mask: { dims: [null, null], dtype: "int64" },
  token_type_ids: { dims: [null, null], dtype: "int64" },
} as const;
const jsonLines = rows.map(({ text }, row) => JSON.stringify({ id: `a${row}`, text, label: row % 2 ? "no" : "yes" }));
const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
const csv = [
  "id,text,label",
  ...rows.map(({ text }, row) => `${row},${quoted(text.trim())},${row % 2 ? "no" : "yes"}`),
];

test.each([
  ["JSON lines", "jsonl", false, jsonLines.join("\n")],
  ["JSON lines that are streamed", "jsonl", true, jsonLines.join("\n")],
  ["CSV", "csv", false, csv.join("\n")],
])("%s of text become ids, masks and types, padded to the longest", async (_, extension, stream, text) => {
  const file = new File([text], `rows.${extension}`);
  const data = await loadData({ wanted, data: file, stream, tokenizer: path("wordpiece.json"), batchSize: 4 });
  const longest = Math.max(...rows.map(({ ids }) => ids.length));
  const padded = (list: readonly number[], fill: number) => [...list, ...Array(longest - list.length).fill(fill)];
  const { inputs, targets } = await rowsOf(data);
  expect(inputs.input_ids).toEqual(rows.flatMap(({ ids }) => padded(ids, 0)));
  expect(inputs.attention_mask).toEqual(rows.flatMap(({ mask }) => padded(mask, 0)));
  expect(inputs.token_type_ids).toEqual(rows.flatMap(({ types }) => padded(types, 0)));
  expect([targets, data.classes]).toEqual([rows.map((_, row) => 1 - (row % 2)), ["no", "yes"]]);
});

test("the padding of the file, a column by its name, and a label by its number", async () => {
  const tokenizer = bytesOf(JSON.stringify({ ...fileOf("bytes"), padding: { pad_id: 7, direction: "Right" } }));
  const text = '{"y": 0, "words": "x"}\n{"y": 1, "words": "xx"}';
  const { input_ids, attention_mask } = wanted;
  const data = await loadData({
    wanted: { input_ids, attention_mask },
    data: bytesOf(text),
    tokenizer,
    columns: "words",
    label: 0,
  });
  const { inputs, targets } = await rowsOf(data);
  expect([inputs.input_ids!.slice(1), inputs.attention_mask, targets]).toEqual([
    [7, inputs.input_ids![0], inputs.input_ids![0]],
    [1, 0, 1, 1],
    [0, 1],
  ]);
});

describe("refused in one line", () => {
  const { input_ids, attention_mask } = wanted;
  const ids = { input_ids, attention_mask };
  const text = bytesOf('{"text": "x", "y": 0}');
  const tokenizer = path("wordpiece.json");
  test.each([
    [{ wanted: ids, data: text }, "text needs the model's tokenizer: tokenizer (--tokenizer)"],
    [
      { wanted: ids, data: text, tokenizer: bytesOf("[1]") },
      'data in memory: expected a tokenizer.json with a section "model"',
    ],
    [
      { wanted: ids, data: text, tokenizer: bytesOf('{"model": {"type": "Strange"}}') },
      "data in memory: expected a tokenizer that @huggingface/tokenizers reads, got one that it refuses",
    ],
    [
      { wanted: ids, data: text, tokenizer: bytesOf('{"model": {}, "padding": {"direction": "Left"}}') },
      'expected padding on the right, got left; change its section "padding"',
    ],
    [{ wanted: ids, data: text, tokenizer: path("none.json") }, "none.json: there is no such file"],
    [
      { wanted: { a: input_ids, b: input_ids }, data: text, tokenizer },
      "wordpiece.json: expected a model with one input of token ids, got a, b among a, b",
    ],
    [
      { wanted: ids, data: bytesOf('{"a": "x", "b": "y", "y": 0}'), tokenizer },
      "expected a column text, sentence, content for the tokenizer, or its name in columns (--columns); got a, b, y",
    ],
    [
      { wanted: ids, data: text, tokenizer, columns: "text,y" },
      'expected one column of text for the tokenizer, got "text", "y"',
    ],
    [
      { wanted: ids, data: bytesOf('{"text": "x", "y": 0}\n{"text": 3, "y": 0}'), tokenizer },
      'line 2 (row 1, column 0 "text", counted from 0): expected text for the tokenizer, got 3',
    ],
    [
      { wanted: ids, data: bytesOf('{"text": "", "y": 0}'), tokenizer },
      "expected text for the tokenizer, got an empty cell",
    ],
  ])("%#", async (options, message) => {
    await expect(loadData(options)).rejects.toThrow(message);
  });
});
