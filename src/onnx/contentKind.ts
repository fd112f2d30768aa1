import { compressionOf } from "../files/index.ts";

/** First bytes of files that are commonly mistaken for .onnx files. */
const signatures: readonly (readonly [kind: string, offset: number, text: string])[] = [
  ["a zip archive (a PyTorch checkpoint, a Keras file or a zipped model); export or unpack it first", 0, "PK\x03\x04"],
  ["a gzip archive; unpack it first", 0, "\x1f\x8b"],
  ["an HDF5 file (a Keras model); convert it with tf2onnx first", 0, "\x89HDF"],
  ["a pickle (an old PyTorch checkpoint); export it with torch.onnx.export first", 0, "\x80\x02"],
  ["a NumPy array", 0, "\x93NUMPY"],
  ["a TensorFlow Lite model; convert it with tf2onnx first", 4, "TFL3"],
  ["a model in ONNX Runtime's own format; take the .onnx file it was made from", 4, "ORTM"],
  ["a Git LFS pointer; fetch the file itself with git lfs pull", 0, "version https://git-lfs"],
];

/** Describes bytes that are not an ONNX model, with the remedy if there is one; undefined for unknown contents. */
export function contentKind(bytes: Uint8Array): string | undefined {
  const head = String.fromCharCode(...bytes.subarray(0, 64));
  const known = signatures.find(([, offset, text]) => head.startsWith(text, offset));
  const kind = known?.[0] ?? compressionOf(bytes);
  if (kind !== undefined) return kind;
  if (!/^[\t\n\r\x20-\x7e]+$/.test(head)) return undefined;
  return `text that starts with ${JSON.stringify(head.trim().slice(0, 24))}`;
}
