import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { convertTensor, fitRows } from "../../src/data/index.ts";
import { range } from "./passes.ts";

const where = "a.npy";

describe("convertTensor", () => {
  test("gives float32 as fround(x / scale), from any numbers", () => {
    const values = fc.array(fc.integer({ min: 0, max: 127 }), { minLength: 1 });
    const arrays = [Uint8Array, Int8Array, Uint16Array, Int32Array, Float32Array, Float64Array];
    fc.assert(
      fc.property(values, fc.constantFrom(...arrays), fc.constantFrom(1, 16, 255, 0.3), (numbers, array, scale) => {
        const tensor = { data: array.from(numbers), dims: [numbers.length] };
        const expected = Float32Array.from(numbers, (value) => Math.fround(value / scale));
        expect(convertTensor(tensor, { dtype: "float32", scale, where }).data).toEqual(expected);
      }),
    );
    const big = { data: BigInt64Array.of(-3n, 7n), dims: [2] };
    expect(convertTensor(big, { dtype: "float64", scale: 2, where }).data).toEqual(Float64Array.of(-1.5, 3.5));
  });

  test("decodes every finite half: sign, exponent, fraction, and subnormals", () => {
    const bits = Uint16Array.of(0x0000, 0x8000, 0x3c00, 0xbc00, 0x3555, 0x7bff, 0x0001, 0x03ff, 0x0400, 0xfc00, 0x7e00);
    const { data } = convertTensor({ data: bits, dims: [11], dtype: "float16" }, { dtype: "float64", where });
    const smallest = 2 ** -24;
    expect(data).toEqual(
      // IEEE 754-2019, table 3.5: 1/3 rounded, largest, smallest and largest subnormal, smallest normal
      Float64Array.of(0, -0, 1, -1, 1365 / 4096, 65504, smallest, 1023 * smallest, 2 ** -14, -Infinity, Number.NaN),
    );
  });

  test("gives integers unscaled, and keeps what needs no change", () => {
    const floats = { data: Float32Array.of(3, -4), dims: [2] };
    expect(convertTensor(floats, { dtype: "int64", scale: 255, where }).data).toEqual(BigInt64Array.of(3n, -4n));
    expect(convertTensor(floats, { dtype: "int32", where })).toEqual({
      data: Int32Array.of(3, -4),
      dims: [2],
      dtype: "int32",
    });
    expect(convertTensor(floats, { dtype: "float32", where })).toBe(floats);
    const bytes = { data: Uint8Array.of(0, 1), dims: [2] };
    expect(convertTensor(bytes, { dtype: "uint8", scale: 255, where })).toBe(bytes);
    expect(convertTensor(bytes, { dtype: "bool", where })).toEqual({ ...bytes, dtype: "bool" });
    expect(convertTensor(bytes, { dtype: "uint64", where }).data).toEqual(BigUint64Array.of(0n, 1n));
  });

  test.each([
    [{ data: Float32Array.of(1, 0.5), dims: [2] }, "int32", "from -2147483648 to 2147483647 (int32), got 0.5 at row 6"],
    [{ data: Int16Array.of(1, 2, 3, 256), dims: [2, 2] }, "uint8", "from 0 to 255 (uint8), got 256 at row 6, column 1"],
    [{ data: Int8Array.of(1, 1, -1, 1), dims: [1, 2, 2] }, "uint64", "got -1 at row 5, position [1, 0]"],
    [{ data: Uint8Array.of(2), dims: [1] }, "bool", "from 0 to 1 (bool), got 2 at row 5"],
    [{ data: Float64Array.of(Number.NaN), dims: [1] }, "int64", "(int64), got NaN at row 5"],
  ] as const)("refuses what does not fit an integer type: %#", (tensor, dtype, message) => {
    const convert = () => convertTensor(tensor, { dtype, where, start: 5 });
    expect(convert).toThrow("a.npy: expected whole numbers from ");
    expect(convert).toThrow(message);
  });

  test.each([
    [{ data: ["a"], dims: [1] }, "float32", "expected float32 data, got string, which cannot be converted"],
    [{ data: Float32Array.of(1), dims: [1] }, "string", "expected string data, got float32, which cannot be converted"],
    [
      { data: Float32Array.of(1), dims: [1] },
      "float16",
      "expected float16 data, got float32, which cannot be converted",
    ],
  ] as const)("refuses types without a conversion: %#", (tensor, dtype, message) => {
    expect(() => convertTensor(tensor, { dtype, where })).toThrow(`a.npy: ${message}`);
  });
});

describe("fitRows", () => {
  const reshape = (have: readonly number[], want: readonly (number | string | null)[], input = "x") => {
    const size = have.reduce((product, dim) => product * dim, 1);
    return fitRows({ data: Float32Array.from(range(2 * size)), dims: [2, ...have] }, { dims: want, input, where });
  };

  test.each([
    [[784], [null, 1, 28, 28], [1, 28, 28]], // a flat row
    [[28, 28], [1, 784], [784]],
    [
      [28, 28],
      ["batch", 1, 28, 28],
      [1, 28, 28],
    ], // an axis of size 1 more
    [
      [28, 28, 1],
      [null, 1, 28, 28],
      [1, 28, 28],
    ],
    [
      [28, 28],
      [null, 1, null, null],
      [1, 28, 28],
    ],
    [[12], [null, 3, "width"], [3, 4]], // the one free axis
    [[6, 2], [null, null], [12]],
    [[5], [null, "time"], [5]],
    [
      [3, 4],
      [null, "time", 4],
      [3, 4],
    ],
    [
      [3, 4],
      [null, null, null],
      [3, 4],
    ],
    [[1], [null], []],
    [[], [null, 1], [1]],
  ])("reads rows %j as %j", (have, want, expected) => {
    const tensor = reshape(have, want);
    expect(tensor.dims).toEqual([2, ...expected]);
    expect(Array.from(tensor.data as Float32Array)).toEqual(range(tensor.data.length));
  });

  test.each([
    [
      [63],
      [null, 1, 8, 8],
      "x",
      'rows have shape [63] (63 numbers), but the model\'s input "x" takes [1, 8, 8] (64) a row; check columns, label column and model',
    ],
    [
      [32, 32, 3],
      [null, 3, 32, 32],
      "",
      "rows have shape [32, 32, 3] (3072 numbers), but the model's input takes [3, 32, 32] (3072) a row; the axes are in another order: transpose the file's array",
    ],
    [
      [13],
      [null, 3, "width"],
      "x",
      'rows have shape [13] (13 numbers), but the model\'s input "x" takes [3, width] a row; check columns, label column and model',
    ],
    [
      [12],
      [null, null, null],
      "x",
      'rows have shape [12] (12 numbers), but the model\'s input "x" takes [?, ?] a row; check columns, label column and model',
    ],
  ])("refuses rows %j for %j", (have, want, input, message) => {
    expect(() => reshape(have, want, input)).toThrow(`a.npy: ${message}`);
  });
});
