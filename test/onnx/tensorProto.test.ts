import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { TensorProto_DataType, TensorProtoSchema } from "../../src/onnx/generated/onnx_pb.ts";
import {
  type ElementType,
  elementTypeCode,
  elementTypeOf,
  fromTensorProto,
  toTensorProto,
} from "../../src/onnx/index.ts";
import type { Tensor } from "../../src/tensors/index.ts";
import { messageOf } from "./messageOf.ts";

type Fields = Parameters<typeof create<typeof TensorProtoSchema>>[1];

function proto(dtype: ElementType | number, dims: readonly number[], fields: Fields) {
  const dataType = typeof dtype === "number" ? dtype : elementTypeCode(dtype);
  return create(TensorProtoSchema, { name: "w", dataType, dims: dims.map(BigInt), ...fields });
}

/** Three elements in the typed field of each element type, and the array that must come out. */
const typed: Record<string, readonly [fields: Fields, data: Tensor["data"]]> = {
  float32: [{ floatData: [0, -1.5, 2] }, Float32Array.of(0, -1.5, 2)],
  float64: [{ doubleData: [0, -1e-300, 0.1] }, Float64Array.of(0, -1e-300, 0.1)],
  int64: [{ int64Data: [0n, -(2n ** 63n), 5n] }, BigInt64Array.of(0n, -(2n ** 63n), 5n)],
  uint64: [{ uint64Data: [0n, 2n ** 64n - 1n, 5n] }, BigUint64Array.of(0n, 2n ** 64n - 1n, 5n)],
  uint32: [{ uint64Data: [0n, 4294967295n, 5n] }, Uint32Array.of(0, 4294967295, 5)],
  int32: [{ int32Data: [0, -(2 ** 31), 5] }, Int32Array.of(0, -(2 ** 31), 5)],
  int16: [{ int32Data: [0, -32768, 5] }, Int16Array.of(0, -32768, 5)],
  uint16: [{ int32Data: [0, 65535, 5] }, Uint16Array.of(0, 65535, 5)],
  int8: [{ int32Data: [0, -128, 5] }, Int8Array.of(0, -128, 5)],
  uint8: [{ int32Data: [0, 255, 5] }, Uint8Array.of(0, 255, 5)],
  bool: [{ int32Data: [0, 1, 7] }, Uint8Array.of(0, 1, 1)],
  float16: [{ int32Data: [0x3c00, 0xc000, 0x0001] }, Float32Array.of(1, -2, 2 ** -24)],
  bfloat16: [{ int32Data: [0x3f80, 0xc000, 0x4049] }, Float32Array.of(1, -2, 3.140625)],
  string: [{ stringData: ["", "a", "é"].map((text) => new TextEncoder().encode(text)) }, ["", "a", "é"]],
};

describe("element types", () => {
  test("every number that ONNX gives out has a name, and back", () => {
    const codes = Object.values(TensorProto_DataType).filter(
      (code) => typeof code === "number" && code > 0,
    ) as number[];
    expect(codes.length).toBeGreaterThan(20);
    for (const code of codes) expect(elementTypeCode(elementTypeOf(code)!)).toBe(code);
    expect(elementTypeOf(0)).toBeUndefined();
  });
});

describe("fromTensorProto", () => {
  test.each(Object.entries(typed))("%s from its typed field", (dtype, [fields, data]) => {
    const { tensor, storedAs } = fromTensorProto(proto(dtype as ElementType, [3, 1], fields));
    expect(tensor.data).toEqual(data);
    expect(tensor.dims).toEqual([3, 1]);
    expect(storedAs).toBe(dtype === "float16" || dtype === "bfloat16" ? dtype : undefined);
  });

  test.each(Object.entries(typed))("%s written raw and read at every alignment", (dtype, [, data]) => {
    const storedAs = dtype === "float16" || dtype === "bfloat16" ? dtype : undefined;
    const tensor: Tensor = dtype === "bool" ? { data, dims: [3], dtype } : { data, dims: [3] };
    const bytes = toBinary(TensorProtoSchema, toTensorProto("w", tensor, { storedAs }));
    for (let offset = 0; offset < 8; offset++) {
      const shifted = new Uint8Array(bytes.length + offset);
      shifted.set(bytes, offset);
      const read = fromTensorProto(fromBinary(TensorProtoSchema, shifted.subarray(offset)));
      expect(read.tensor.data).toEqual(data);
      expect(read.storedAs).toBe(storedAs);
    }
  });

  test("raw bytes are little-endian", () => {
    expect(fromTensorProto(proto("int32", [1], { rawData: Uint8Array.of(1, 2, 0, 0) })).tensor.data).toEqual(
      Int32Array.of(513),
    );
  });

  test("scalars and tensors without elements", () => {
    expect(fromTensorProto(proto("float32", [], { floatData: [4] })).tensor).toEqual({
      data: Float32Array.of(4),
      dims: [],
      dtype: "float32",
    });
    expect(fromTensorProto(proto("float32", [0, 5], {})).tensor.data).toEqual(new Float32Array(0));
  });

  test("refuses what does not fit, in one sentence", () => {
    const message = (...args: Parameters<typeof proto>) => messageOf(() => fromTensorProto(proto(...args)));
    expect(message("float32", [2], { rawData: new Uint8Array(7) })).toBe(
      'file: Tensor "w" of type float32 and dimensions [2] has 7 bytes of data, which does not fit; the file is damaged, export it again.',
    );
    expect(message("int64", [2], { int64Data: [1n] })).toMatch(/has 1 elements of data, which does not fit/);
    expect(message("string", [2], {})).toMatch(/has 0 strings of data, which does not fit/);
    expect(message("string", [1], { rawData: new Uint8Array(1) })).toMatch(/keeps strings as raw bytes/);
    expect(message("float32", [-1], {})).toMatch(/has dimensions \[-1\], which no tensor can have/);
    expect(message("float32", [2 ** 31, 2 ** 31, 2 ** 31], {})).toMatch(/which no tensor can have/);
    expect(message("float32", [2 ** 31, 2 ** 31, 0], {})).toMatch(/which no tensor can have/);
    expect(message("float32", [2 ** 40], { rawData: new Uint8Array(8) })).toMatch(/has 8 bytes of data/);
    expect(message(99, [1], {})).toMatch(/has element type number 99, which ONNX does not define/);
    expect(message("float32", [1], { segment: {} })).toMatch(/^unsupported: Tensor "w" is stored in segments/);
  });

  test.each([
    ["int4", [3], [0x8f, 0x07], [-1, -8, 7]],
    ["uint4", [3], [0x8f, 0x07], [15, 8, 7]],
    ["int2", [5], [0b11_10_01_00, 0b10], [0, 1, -2, -1, -2]],
    ["uint2", [2, 2], [0b11_10_01_00], [0, 1, 2, 3]],
  ] as const)("%s is unpacked, lowest bits first", (dtype, dims, bytes, expected) => {
    const held = dtype.startsWith("u") ? "uint8" : "int8";
    for (const data of [{ rawData: Uint8Array.from(bytes) }, { int32Data: [...bytes] }]) {
      const { tensor } = fromTensorProto(proto(dtype, dims, data));
      expect([...(tensor.data as Int8Array)]).toEqual(expected);
      expect(tensor).toMatchObject({ dims, dtype: held });
    }
    expect(messageOf(() => fromTensorProto(proto(dtype, [9], { rawData: new Uint8Array(1) })))).toMatch(
      /^file: Tensor "w" of type u?int[24] and dimensions \[9\] has 1 bytes of data, which does not fit/,
    );
  });

  test.each(["float4e2m1", "float8e4m3fn", "complex64"] as const)("%s is refused by name", (dtype) => {
    expect(messageOf(() => fromTensorProto(proto(dtype, [1], { rawData: new Uint8Array(1) })))).toBe(
      `unsupported: Tensor "w" has elements of type ${dtype}, which are not read; export the model in float32.`,
    );
  });
});

describe("toTensorProto", () => {
  test("does not copy", () => {
    const data = Float64Array.of(1, 2, 3, 4);
    const { rawData } = toTensorProto("w", { data: data.subarray(1, 3), dims: [2] });
    data[1] = 7;
    expect([...new Float64Array(rawData.slice().buffer)]).toEqual([7, 3]);
  });

  test("refuses wrong sizes and sixteen bits of anything but float32", () => {
    expect(messageOf(() => toTensorProto("w", { data: new Float32Array(5), dims: [2, 3] }))).toBe(
      'argument: Tensor "w" of dimensions [2, 3] needs 6 elements, but has 5.',
    );
    expect(
      messageOf(() => toTensorProto("w", { data: new Float64Array(1), dims: [1] }, { storedAs: "float16" })),
    ).toMatch(/^argument: Tensor "w" is to be stored as float16, for which its data must be a Float32Array/);
  });
});

const formats = [
  { storedAs: "float16", fraction: 10, smallestExponent: -14, largest: 65504 },
  { storedAs: "bfloat16", fraction: 7, smallestExponent: -126, largest: (2 - 2 ** -7) * 2 ** 127 },
] as const;

describe.each(formats)("$storedAs", ({ storedAs, fraction, smallestExponent, largest }) => {
  const encode = (values: Float32Array) =>
    new Uint16Array(toTensorProto("w", { data: values, dims: [values.length] }, { storedAs }).rawData.slice().buffer);
  const decode = (patterns: Uint16Array) => {
    const rawData = new Uint8Array(patterns.slice().buffer);
    return fromTensorProto(proto(storedAs, [patterns.length], { rawData })).tensor.data as Float32Array;
  };

  test("every pattern decodes and encodes to itself, NaN to NaN", () => {
    const patterns = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const values = decode(patterns);
    const again = encode(values);
    const wrong = patterns.filter((pattern, i) => (Number.isNaN(values[i]) ? false : again[i] !== pattern));
    expect([...wrong]).toEqual([]);
    expect(decode(encode(Float32Array.of(Number.NaN)))[0]).toBeNaN();
    expect(values.filter(Number.isNaN).length).toBe(2 * (2 ** fraction - 1));
  });

  test("rounds to the nearest multiple of the step, ties to even", () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, min: Math.fround(-1e38), max: Math.fround(1e38) }), (value) => {
        const size = Math.abs(value);
        const exponent = size === 0 ? smallestExponent : Math.max(Math.floor(Math.log2(size)), smallestExponent);
        const step = 2 ** (exponent - fraction);
        const below = Math.floor(size / step);
        const rest = size / step - below;
        const up = rest > 0.5 || (rest === 0.5 && below % 2 === 1);
        const rounded = (below + (up ? 1 : 0)) * step;
        const expected = Math.sign(value) * (rounded > largest ? Infinity : rounded);
        expect(decode(encode(Float32Array.of(value)))[0]! + 0).toBe(expected + 0);
      }),
      { numRuns: 3000 },
    );
  });
});
