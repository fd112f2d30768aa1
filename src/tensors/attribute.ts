import type { Tensor } from "./tensor.ts";

/** 16-bit element type in a file of numbers that are float32 in memory. */
export type StoredAs = "float16" | "bfloat16";

/**
 * Value of an attribute of an ONNX operator, tagged with its kind, since a bare number does not distinguish integers from floats.
 *
 * Integers are numbers: INT64_MAX, which files use for "to the end", is 2^63 here and is written as INT64_MAX. A `graph` is a serialized
 * GraphProto. `opaque` is a serialized AttributeProto of a kind without a representation here (sparse tensors, types, four-bit elements,
 * references to attributes of a function). Both are passed through unchanged.
 */
export type AttributeValue =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly string: string }
  | { readonly tensor: Tensor; readonly storedAs?: StoredAs }
  | { readonly graph: Uint8Array }
  | { readonly ints: readonly number[] }
  | { readonly floats: readonly number[] }
  | { readonly strings: readonly string[] }
  | { readonly tensors: readonly Tensor[] }
  | { readonly graphs: readonly Uint8Array[] }
  | { readonly opaque: Uint8Array };
