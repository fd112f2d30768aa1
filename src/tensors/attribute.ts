import type { Tensor } from "./tensor.ts";

/** Element type of sixteen bits in which a file keeps numbers that are float32 in memory. */
export type StoredAs = "float16" | "bfloat16";

/**
 * Value of an attribute of an ONNX operator, tagged with its kind since a bare number tells no integer from a float.
 *
 * Integers are numbers: INT64_MAX, which files use for "to the end", is 2^63 here and INT64_MAX again when written. A
 * `graph` is a serialized GraphProto, `opaque` a serialized AttributeProto of a kind that has no form here (sparse
 * tensors, types, four-bit elements, references to attributes of a function): both are carried as they stand.
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
