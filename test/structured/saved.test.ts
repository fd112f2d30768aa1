import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { toDense } from "../../src/linalg/index.ts";
import { stream } from "../../src/random/index.ts";
import {
  type Block,
  denseBlock,
  diagonalBlock,
  diagonalKronecker,
  eigenKronecker,
  kronecker,
  loadStructured,
  lowRankPlusDiagonalBlock,
  type PlacedBlock,
  saveStructured,
  structuredOperator,
} from "../../src/structured/index.ts";
import { normals, orthogonal, positive, psdMatrix } from "./denseTruth.ts";

const folder = mkdtempSync(join(tmpdir(), "onnx-curvature-structured-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const r = stream(1, "saved");
const identity = { model: "ab12", loss: "cross-entropy", parameters: "cd34" };

/** One block of each kind at each kind of place. */
function matrix(dtype: "float32" | "float64" = "float64") {
  const list: readonly Block[] = [
    kronecker({ A: psdMatrix(r, 2), B: psdMatrix(r, 3) }),
    eigenKronecker({ QA: orthogonal(r, 2), QB: orthogonal(r, 2), E: positive(r, 4) }),
    eigenKronecker({ QB: orthogonal(r, 2), E: positive(r, 4) }),
    diagonalKronecker({ A: positive(r, 3), B: psdMatrix(r, 2) }),
    denseBlock(psdMatrix(r, 4)),
    diagonalBlock(Float64Array.of(1 / 3, 5e-324, 0)),
    lowRankPlusDiagonalBlock({
      vectors: { rows: 4, columns: 2, data: normals(r, 8) },
      values: Float64Array.of(2, -0.1),
      diagonal: positive(r, 4),
    }),
  ];
  let at = 0;
  const blocks = list.map((block, k): PlacedBlock => {
    const indices = Int32Array.from({ length: block.size }, (_, i) => at + block.size - 1 - i);
    const place = k === 2 ? { indices } : { offset: at, ...(k === 0 && { transposed: [2, 3] as const }) };
    at += block.size;
    return { block, name: `ä ${k}`, parameters: [k, k + 1], place, reason: `reason "${k}"` };
  });
  return structuredOperator({ size: at, blocks, dtype });
}

/** Everything of a matrix that a file must keep. */
function plain(K: ReturnType<typeof matrix>) {
  const { shape, dtype, psd, functions } = K;
  const blocks = K.blocks.map(({ block: { kind, size, arrays }, ...rest }) => ({ ...rest, kind, size, arrays }));
  return { shape, dtype, psd, functions, blocks };
}

test("keeps every bit of every kind of block, place, damping and power", async () => {
  for (const dtype of ["float32", "float64"] as const) {
    await using K = matrix(dtype);
    const damped = K.inverse({ damping: K.blocks.map((_, k) => 0.1 + k / 3) });
    for (const [name, saved] of Object.entries({ K, damped })) {
      const path = join(folder, "deep", `${name}.safetensors`);
      await saveStructured(path, saved, { identity });
      await using loaded = await loadStructured(path, { identity: { ...identity } });
      expect(plain(loaded)).toEqual(plain(saved));
      expect(loaded.identity).toEqual(identity);
      expect(await toDense(loaded)).toEqual(await toDense(saved));
      expect(await loaded.diagonal()).toEqual(await saved.diagonal());
      expect(await loaded.logdet(name === "K" ? { damping: 1 } : {})).toBe(
        await saved.logdet(name === "K" ? { damping: 1 } : {}),
      );
    }
  }
  expect(readdirSync(join(folder, "deep")).sort()).toEqual(["K.safetensors", "damped.safetensors"]);
});

test("keeps what an approximation says about itself, and has none where there was none", async () => {
  await using K = matrix();
  const path = join(folder, "notes");
  const coverage = [{ parameter: "w", kinds: ["kronecker" as const], reason: "linear" }];
  await saveStructured(path, { ...K, coverage, terms: "signs", reversePasses: 3 } as never);
  await using loaded = await loadStructured(path);
  expect(loaded).toMatchObject({ coverage, terms: "signs", reversePasses: 3, identity: {} });
  await saveStructured(path, K);
  await using bare = await loadStructured(path);
  expect(Object.keys(bare)).not.toContain("coverage");
});

test("is a safetensors file by the published layout", async () => {
  await using K = matrix();
  const path = join(folder, "layout");
  await saveStructured(path, K);
  const bytes = readFileSync(path);
  const length = Number(bytes.readBigUInt64LE(0));
  const { __metadata__: metadata, ...entries } = JSON.parse(bytes.toString("utf8", 8, 8 + length));
  expect(length % 8).toBe(0);
  expect(Object.values(metadata).every((value) => typeof value === "string")).toBe(true);
  // Arrays fill the rest of the file without holes or overlap, wide ones aligned.
  let at = 0;
  const ordered = Object.values(
    entries as { [name: string]: { dtype: string; shape: number[]; data_offsets: [number, number] } },
  );
  for (const {
    dtype,
    shape,
    data_offsets: [start, end],
  } of ordered.sort((a, b) => a.data_offsets[0] - b.data_offsets[0])) {
    const width = { F64: 8, I32: 4 }[dtype]!;
    expect([start, end - start, start % width]).toEqual([at, width * shape.reduce((a, b) => a * b, 1), 0]);
    at = end;
  }
  expect(8 + length + at).toBe(bytes.length);
  const [start] = entries["0.A"].data_offsets as [number];
  expect(entries["0.A"].shape).toEqual([2, 2]);
  const A = Array.from({ length: 4 }, (_, k) => bytes.readDoubleLE(8 + length + start + 8 * k));
  expect(A).toEqual([...(K.blocks[0].block.arrays.A.data as Float64Array)]);
});

test("says what differs where a matrix belongs to another model, loss or parameters", async () => {
  await using K = matrix();
  const path = join(folder, "identity");
  await saveStructured(path, K, { identity });
  const remedy = "make it again for this risk, or load the one that belongs to it";
  await expect(loadStructured(path, { identity: { ...identity, model: "ff", loss: "x" } })).rejects.toMatchObject({
    code: "argument",
    message: `loadStructured expects the matrix in ${path} to be of model ff, loss x, got one of model ab12, loss cross-entropy; ${remedy}`,
  });
  const { loss: _, ...fewer } = identity;
  await expect(loadStructured(path, { identity: fewer })).rejects.toThrow(
    "to be of loss not given, got one of loss cross-entropy",
  );
  await expect(loadStructured(path, { identity: { ...identity, toString: "x" } })).rejects.toThrow(
    "to be of toString x, got one of toString not given",
  );
  await (await loadStructured(path)).dispose();
  const said = 'identity must be an object of texts, such as { model: "<hash>", parameters: "<hash>" }';
  await expect(loadStructured(path, { identity: { model: 1 } as never })).rejects.toThrow(`loadStructured: ${said}`);
  await expect(saveStructured(path, K, { identity: "x" as never })).rejects.toThrow(`saveStructured: ${said}`);
});

test("refuses any flipped bit, any cut, other files and matrices without blocks", async () => {
  await using K = structuredOperator({
    size: 2,
    blocks: [
      { block: diagonalBlock(Float64Array.of(1, 2)), name: "w", parameters: [0], place: { offset: 0 }, reason: "" },
    ],
  });
  const path = join(folder, "damaged");
  await saveStructured(path, K, { identity });
  const whole = readFileSync(path);
  const message = `loadStructured expects a complete matrix that saveStructured wrote in ${path}, got something else; save it again`;
  const refused = async (bytes: Uint8Array | string) => {
    writeFileSync(path, bytes);
    await expect(loadStructured(path)).rejects.toMatchObject({ code: "file", message });
  };
  for (let bit = 0; bit < 8 * whole.length; bit += 7) {
    const flipped = Buffer.from(whole);
    flipped[bit >> 3] ^= 1 << (bit & 7);
    await refused(flipped);
  }
  for (let length = 0; length < whole.length; length += 17) await refused(whole.subarray(0, length));
  await refused(Buffer.concat([whole, Buffer.of(0)]));
  await refused("a text that is no such file");
  await refused(Buffer.concat([Buffer.of(2, 0, 0, 0, 0, 0, 0, 0), Buffer.from("{}")]));
  await expect(loadStructured(join(folder, "absent"))).rejects.toMatchObject({
    code: "file",
    message: `loadStructured cannot read ${join(folder, "absent")}; look at its name and its permissions`,
  });
  await expect(loadStructured(folder)).rejects.toThrow(`loadStructured expects a regular file, got ${folder}`);
  await expect(saveStructured(join(path, "below a file"), K)).rejects.toThrow(
    /^saveStructured cannot write .*; look at its permissions and at the free space$/,
  );
  await expect(saveStructured(path, K.inverseRoot() as never)).rejects.toThrow(
    "saveStructured expects a structured matrix, got an operator without blocks; a root has none, save its matrix",
  );
});

test("refuses files of other versions, and complete ones whose blocks do not fit", async () => {
  const { encodeSafetensors } = await import("../../src/structured/safetensors.ts");
  const path = join(folder, "other");
  const write = (metadata: { readonly [name: string]: string }) =>
    writeFileSync(path, Buffer.concat(encodeSafetensors(new Map(), metadata)));
  write({ format: "onnx-curvature structured 9" });
  await expect(loadStructured(path)).rejects.toThrow(
    'got a file of format "onnx-curvature structured 9", which another version wrote; save it again',
  );
  write({ format: "onnx-curvature structured 1", description: "{" });
  await expect(loadStructured(path)).rejects.toThrow("got no description of its blocks; save it again");
  const block = {
    kind: "diagonal",
    name: "w",
    parameters: [0],
    reason: "",
    place: { offset: 0 },
    function: { damping: { value: 0, kind: "exact" }, power: 1 },
    arrays: ["entries"],
  };
  for (const wrong of [block, { ...block, kind: "toString" }, { ...block, arrays: [] }]) {
    write({
      format: "onnx-curvature structured 1",
      description: JSON.stringify({ size: 2, dtype: "float64", identity: {}, blocks: [wrong] }),
    });
    await expect(loadStructured(path)).rejects.toThrow("got blocks that do not fit one another; save it again");
  }
});
