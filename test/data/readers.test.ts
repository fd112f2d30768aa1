import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { zipSync } from "fflate";
import { describe, expect, test } from "vitest";
import { loadTensor, npzNames, readIdx, readNpy, readNpz } from "../../src/data/index.ts";
import { mnistFolder, mnistTest } from "../mnist.ts";
import { byteIdx, elementBytes, float32Npy, int64Npy, npyBytes, temporaryFolder } from "./files.ts";

const write = temporaryFolder();

type Setter = (view: DataView, offset: number, value: number) => void;
/** For each of NumPy's codes: our type, bytes, and DataView's way to write an element in one byte order. */
const codes: { readonly [code: string]: readonly [dtype: string, size: number, set: (little: boolean) => Setter] } = {
  f4: ["float32", 4, (little) => (view, at, value) => view.setFloat32(at, value, little)],
  f8: ["float64", 8, (little) => (view, at, value) => view.setFloat64(at, value, little)],
  i1: ["int8", 1, () => (view, at, value) => view.setInt8(at, value)],
  u1: ["uint8", 1, () => (view, at, value) => view.setUint8(at, value)],
  i2: ["int16", 2, (little) => (view, at, value) => view.setInt16(at, value, little)],
  u2: ["uint16", 2, (little) => (view, at, value) => view.setUint16(at, value, little)],
  i4: ["int32", 4, (little) => (view, at, value) => view.setInt32(at, value, little)],
  u4: ["uint32", 4, (little) => (view, at, value) => view.setUint32(at, value, little)],
  i8: ["int64", 8, (little) => (view, at, value) => view.setBigInt64(at, BigInt(value), little)],
  u8: ["uint64", 8, (little) => (view, at, value) => view.setBigUint64(at, BigInt(value), little)],
  b1: ["bool", 1, () => (view, at, value) => view.setUint8(at, value % 2)],
  f2: ["float16", 2, (little) => (view, at, value) => view.setUint16(at, value, little)],
};

/** The values in column-major order: as NumPy stores an array with fortran_order. */
function columnMajor(values: readonly number[], dims: readonly number[]): number[] {
  if (dims.length < 2) return [...values];
  const inner = values.length / dims[0]!;
  const rows = Array.from({ length: dims[0]! }, (_, i) =>
    columnMajor(values.slice(i * inner, (i + 1) * inner), dims.slice(1)),
  );
  return Array.from({ length: inner }, (_, j) => rows.map((row) => row[j]!)).flat();
}

describe("readNpy", () => {
  test("reads every element type, byte order, storage order and version", () => {
    const file = fc.record({
      code: fc.constantFrom(...Object.keys(codes)),
      little: fc.boolean(),
      fortran: fc.boolean(),
      version: fc.constantFrom(1 as const, 2 as const, 3 as const),
      dims: fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 4 }),
      misaligned: fc.nat(3),
    });
    fc.assert(
      fc.property(file, ({ code, little, fortran, version, dims, misaligned }) => {
        const [dtype, size, set] = codes[code]!;
        const count = dims.reduce((product, dim) => product * dim, 1);
        const values = Array.from({ length: count }, (_, i) => (i * 7) % 120);
        const stored = fortran ? columnMajor(values, dims) : values;
        const descr = size === 1 ? `|${code}` : `${little ? "<" : ">"}${code}`;
        const bytes = npyBytes({ descr, dims, fortran, version, elements: elementBytes(stored, size, set(little)) });
        const shifted = new Uint8Array(bytes.length + misaligned).subarray(misaligned);
        shifted.set(bytes);
        const tensor = readNpy(shifted);
        expect([tensor.dtype, tensor.dims]).toEqual([dtype, dims]);
        const expected = code === "b1" ? values.map((value) => value % 2) : values;
        expect(Array.from(tensor.data as ArrayLike<number>, Number)).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });

  test("hands out its own arrays", () => {
    const bytes = float32Npy([2], [1, 2]);
    const { data } = readNpy(bytes);
    bytes.fill(0);
    expect(data).toEqual(Float32Array.of(1, 2));
  });

  const whole = float32Npy([3], [1, 2, 3]);
  test.each([
    [whole.subarray(0, -1), "its header announces 12 bytes ([3] float32), but 11 follow; the file is truncated"],
    [
      Uint8Array.of(...whole, 0),
      "its header announces 12 bytes ([3] float32), but 13 follow; expected one array a file",
    ],
    [whole.subarray(0, 40), "the NPY header is cut short; the file is truncated"],
    [whole.subarray(0, 9), "the NPY header is cut short; the file is truncated"],
    [new TextEncoder().encode("1,2,3"), "expected an NPY file of version 1 to 3, got other bytes"],
    [whole.with(6, 4), "expected an NPY file of version 1 to 3, got other bytes"],
    [
      npyBytes({ descr: "<c16", dims: [1], elements: new Uint8Array(16) }),
      "expected elements of type f2, f4, f8, i1, u1, i2, u2, i4, u4, i8, u8, b1, got <c16; convert the array with astype before saving it",
    ],
  ])("refuses a damaged or foreign file: %#", (bytes, message) => {
    expect(() => readNpy(bytes, { name: "a.npy" })).toThrow(`a.npy: ${message}`);
  });

  test("shows a header that it cannot read", () => {
    const bytes = new Uint8Array(whole);
    bytes.set(new TextEncoder().encode("shapes"), new TextDecoder("latin1").decode(bytes).indexOf("'shape'"));
    expect(() => readNpy(bytes)).toThrow(/^data in memory: cannot read the NPY header "\{'descr': '<f4', .*\}"$/);
    const record = npyBytes({ descr: "<f4', 'x': '", dims: [1], elements: new Uint8Array(4) });
    const list = new TextDecoder("latin1").decode(record).replace("'<f4', 'x': '',", "[('a', '<f4')],  ");
    const structured = Uint8Array.from(list, (character) => character.charCodeAt(0));
    expect(() => readNpy(structured)).toThrow("got {'descr': [('a', '<f4')],");
  });
});

describe("readNpz", () => {
  const files = { "x.npy": float32Npy([2, 1], [1, 2]), "y.npy": int64Npy([2], [3, 4]), "about.txt": new Uint8Array(1) };

  test.each([0, 6] as const)("reads stored and compressed members (level %d)", (level) => {
    const bytes = zipSync(files, { level });
    expect(npzNames(bytes)).toEqual(["x", "y"]);
    expect(readNpz(bytes)).toEqual({
      x: { data: Float32Array.of(1, 2), dims: [2, 1], dtype: "float32" },
      y: { data: BigInt64Array.of(3n, 4n), dims: [2], dtype: "int64" },
    });
    expect(Object.keys(readNpz(bytes, { members: ["y"] }))).toEqual(["y"]);
  });

  test("names file and member in what it refuses", () => {
    const bytes = zipSync(files);
    expect(() => readNpz(bytes, { name: "a.npz", members: ["z"] })).toThrow(
      'a.npz: expected an array "z", the archive has x, y',
    );
    expect(() => readNpz(zipSync({}), { name: "a.npz", members: ["z"] })).toThrow(
      'a.npz: expected an array "z", the archive has no arrays',
    );
    expect(() => readNpz(bytes.subarray(0, -30), { name: "a.npz" })).toThrow(
      "a.npz: expected a complete NPZ (zip) file, got a truncated or damaged one",
    );
    expect(() => readNpz(zipSync({ "x.npy": files["x.npy"].subarray(0, -1) }), { name: "a.npz" })).toThrow(
      "a.npz:x: its header announces 8 bytes ([2, 1] float32), but 7 follow; the file is truncated",
    );
  });
});

describe("readIdx", () => {
  test.each([
    [8, "u1"],
    [9, "i1"],
    [11, "i2"],
    [12, "i4"],
    [13, "f4"],
    [14, "f8"],
  ])("reads type code %d, big-endian", (type, code) => {
    const [dtype, size, set] = codes[code]!;
    const values = [0, 1, 2, 100, 4, 5];
    const dims = elementBytes([2, 3], 4, (view, at, dim) => view.setUint32(at, dim));
    const bytes = Uint8Array.of(0, 0, type, 2, ...dims, ...elementBytes(values, size, set(false)));
    const tensor = readIdx(bytes);
    expect([tensor.dtype, tensor.dims, Array.from(tensor.data as ArrayLike<number>)]).toEqual([dtype, [2, 3], values]);
  });

  const whole = byteIdx([2, 2], [1, 2, 3, 4]);
  test.each([
    [whole.subarray(0, -1), "its header announces 4 bytes ([2, 2] uint8), but 3 follow; the file is truncated"],
    [
      Uint8Array.of(...whole, 9),
      "its header announces 4 bytes ([2, 2] uint8), but 5 follow; expected one array a file",
    ],
    [whole.subarray(0, 8), "the IDX header of 2 dimensions is cut short; the file is truncated"],
    [whole.with(2, 10), "expected an IDX file (two zero bytes, then a type code), got other bytes"],
    [new Uint8Array(0), "expected an IDX file (two zero bytes, then a type code), got other bytes"],
  ])("refuses a damaged or foreign file: %#", (bytes, message) => {
    expect(() => readIdx(bytes, { name: "a.idx" })).toThrow(`a.idx: ${message}`);
  });
});

describe("loadTensor", () => {
  test("tells the format by the contents, plain or gzipped", async () => {
    const table = { data: Float64Array.of(1, 2, 3, 4), dims: [2, 2] };
    const bytes = { data: Uint8Array.of(1, 2, 3, 4), dims: [2, 2], dtype: "uint8" };
    const floats = { data: Float32Array.of(1, 2, 3, 4), dims: [2, 2], dtype: "float32" };
    const cases = [
      ["a.csv", "a,b\n1,2\n3,4\n", table],
      ["a.data", byteIdx([2, 2], [1, 2, 3, 4]), bytes],
      ["a", float32Npy([2, 2], [1, 2, 3, 4]), floats],
      ["a.npz", zipSync({ "m.npy": float32Npy([2, 2], [1, 2, 3, 4]) }), floats],
      ["column.csv", "5\n6", { data: Float64Array.of(5, 6), dims: [2] }],
    ] as const;
    for (const [name, contents, tensor] of cases) {
      expect(await loadTensor(await write(name, contents))).toEqual(tensor);
      expect(await loadTensor(await write(`${name}.gz`, gzipSync(contents)))).toEqual(tensor);
    }
  });

  test("takes an NPZ's member by name, and rows of any format", async () => {
    const npz = zipSync({ "x.npy": float32Npy([3, 1], [1, 2, 3]), "y.npy": int64Npy([3], [4, 5, 6]) });
    const path = await write("two.npz", npz);
    expect(await loadTensor(`${path}:y`, { rows: [1] })).toEqual({
      data: BigInt64Array.of(5n, 6n),
      dims: [2],
      dtype: "int64",
    });
    expect((await loadTensor(await write("x.csv", "1\n2\n3"), { rows: [0, 2] })).data).toEqual(Float64Array.of(1, 2));
    await expect(loadTensor(path)).rejects.toThrow(
      "two.npz: expected one array, the archive has x, y; choose one as two.npz:NAME",
    );
    await expect(loadTensor(`${path}:z`)).rejects.toThrow('two.npz: expected an array "z", the archive has x, y');
    await expect(loadTensor(`${path}:y`, { rows: [0, 4] })).rejects.toThrow(
      "two.npz:y: expected rows A:B with 0 <= A < B <= 3, got 0:4",
    );
    const other = await write("text.npz", "1,2");
    await expect(loadTensor(other)).rejects.toThrow(
      "text.npz: expected a complete NPZ (zip) file, got a truncated or damaged one",
    );
    const array = await write("array.npz", float32Npy([1], [1]));
    await expect(loadTensor(`${array}:x`)).rejects.toThrow(
      'array.npz: expected an NPZ file with an array "x", got npy',
    );
  });

  test("judges a file by its extension where the contents say nothing", async () => {
    await expect(loadTensor(await write("text.npy", "1,2"))).rejects.toThrow("text.npy: expected an NPY file");
    await expect(loadTensor(await write("text.npy.gz", gzipSync("1,2")))).rejects.toThrow(
      "text.npy.gz: expected an NPY",
    );
    await expect(loadTensor(await write("text.idx", "1,2"))).rejects.toThrow("text.idx: expected an IDX file");
    await expect(loadTensor(await write("text-ubyte", "1,2"))).rejects.toThrow("text-ubyte: expected an IDX file");
  });

  test("refuses arrays without rows", async () => {
    await expect(loadTensor(float32Npy([0, 2], []))).rejects.toThrow(
      "data in memory: expected at least one row, got none",
    );
    const scalar = npyBytes({ descr: "<f4", dims: [], elements: new Uint8Array(4) });
    await expect(loadTensor(scalar)).rejects.toThrow("data in memory: expected at least one row, got a scalar");
  });

  test("reads MNIST's own files", async () => {
    const { images, labels } = await mnistTest(64);
    expect(await loadTensor(`${mnistFolder}/t10k-images-idx3-ubyte`, { rows: [0, 64] })).toEqual(images);
    expect(await loadTensor(`${mnistFolder}/t10k-labels-idx1-ubyte`, { rows: [0, 64] })).toEqual(labels);
  });
});
