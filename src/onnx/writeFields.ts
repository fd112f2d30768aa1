import { type BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

// Messages of an ONNX file written field by field, the bytes that `toBinary` gives but without a message in between: a graph of derivatives
// has thousands of nodes, and is written once by a process that has just started, in which whatever is general is slow.

/** Writes a field of text. */
export function writeText(writer: BinaryWriter, number: number, text: string): void {
  writer.tag(number, WireType.LengthDelimited).string(text);
}

/** Writes a field of integers, one after the other. */
export function writeIntegers(writer: BinaryWriter, number: number, values: readonly (number | bigint)[]): void {
  for (const value of values) {
    writer.tag(number, WireType.Varint);
    // The same bytes for a small one, without 64 bits in between.
    if (value >= 0 && value <= 0x7fffffff) writer.uint32(Number(value));
    else writer.int64(value);
  }
}

/** Writes a field that is a message; `fields` writes what is in it. */
export function writeMessage(writer: BinaryWriter, number: number, fields: () => void): void {
  writer.tag(number, WireType.LengthDelimited).fork();
  fields();
  writer.join();
}
