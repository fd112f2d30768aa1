import { type BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

// Writes messages of an ONNX file field by field. The bytes are those of `toBinary`, but no message object is created. A graph of
// derivatives has thousands of nodes and is written once by a process that has just started, where the general code is slow.

/** Writes a field of text. */
export function writeText(writer: BinaryWriter, number: number, text: string): void {
  writer.tag(number, WireType.LengthDelimited).string(text);
}

/** Writes a repeated field of integers, each with its own tag. 2^63, the float64 nearest to INT64_MAX, becomes INT64_MAX. */
export function writeIntegers(writer: BinaryWriter, number: number, values: readonly (number | bigint)[]): void {
  for (const value of values) {
    writer.tag(number, WireType.Varint);
    // The same bytes for a small integer, without a 64-bit integer in between.
    if (value >= 0 && value <= 0x7fffffff) writer.uint32(Number(value));
    else writer.int64(value === 2 ** 63 ? 2n ** 63n - 1n : value);
  }
}

/** Writes a field that is a message; `fields` writes its contents. */
export function writeMessage(writer: BinaryWriter, number: number, fields: () => void): void {
  writer.tag(number, WireType.LengthDelimited).fork();
  fields();
  writer.join();
}
