import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CurvatureError } from "../../src/errors/index.ts";
import { type FileGraph, modelContents, readModel, subgraphContents } from "../../src/onnx/index.ts";

const files = [
  "digits_mlp_op13.onnx",
  "exported/branches_dynamo.onnx",
  "exported/mlp_external_data.onnx",
  "exported/mlp_float16.onnx",
  "exported/sklearn_mlp_classifier.onnx",
];

const data = readFileSync(new URL("../models/exported/mlp_external_data.onnx.data", import.meta.url));

async function readAll({ initializers, nodes }: FileGraph): Promise<void> {
  for (const { load } of initializers) await load();
  for (const node of nodes) {
    for (const value of Object.values(node.attributes))
      if ("graph" in value) await readAll(subgraphContents(value.graph));
  }
}

/** Reads everything there is to read; true if it is all well, false after an error of ours, and any other error is a defect. */
async function isReadable(bytes: Uint8Array): Promise<boolean> {
  try {
    const externalData = { "mlp_external_data.onnx.data": data };
    await readAll(modelContents(await readModel(bytes, { externalData })).graph);
    return true;
  } catch (error) {
    if (!(error instanceof CurvatureError) || error.message.includes("\n")) throw error;
    return false;
  }
}

describe.each(files)("%s", (file) => {
  const bytes = new Uint8Array(readFileSync(new URL(`../models/${file}`, import.meta.url)));

  test("is readable as it is and at no length below half", async () => {
    expect(await isReadable(bytes)).toBe(true);
    for (let length = 0; length < bytes.length; length += 1 + Math.floor(length / 60)) {
      const readable = await isReadable(bytes.subarray(0, length));
      if (length < bytes.length / 2) expect(readable).toBe(false);
    }
  });

  test("with flipped bits, overwritten bytes and pieces cut out", async () => {
    const place = fc.integer({ min: 0, max: bytes.length - 1 });
    const edit = fc.record({
      place,
      value: fc.integer({ min: 0, max: 255 }),
      kind: fc.constantFrom("flip", "set", "cut"),
    });
    let unreadable = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 4 }), async (edits) => {
        const damaged = edits.reduce((before, { place, value, kind }) => {
          if (kind === "cut") return Uint8Array.from([...before.subarray(0, place), ...before.subarray(place + value)]);
          const after = before.slice();
          if (place < after.length) after[place] = kind === "set" ? value : after[place]! ^ (1 << (value & 7));
          return after;
        }, bytes);
        if (!(await isReadable(damaged))) unreadable++;
      }),
      { numRuns: 400 },
    );
    expect(unreadable).toBeGreaterThan(0);
  });
});

test("arbitrary bytes", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
      await isReadable(bytes);
    }),
    { numRuns: 2000 },
  );
});

test("graphs nested without end", async () => {
  let nested = Uint8Array.of();
  for (let depth = 0; depth < 2000; depth++) nested = field(5, field(6, field(1, nested))); // graph <- attribute <- node
  expect(await isReadable(Uint8Array.from([8, 8, ...field(7, nested)]))).toBe(false);
});

/** A field of length-delimited content. */
function field(number: number, content: Uint8Array): Uint8Array<ArrayBuffer> {
  const length: number[] = [];
  let rest = content.length;
  for (; rest > 127; rest >>>= 7) length.push((rest & 127) | 128);
  return Uint8Array.from([(number << 3) | 2, ...length, rest, ...content]);
}
