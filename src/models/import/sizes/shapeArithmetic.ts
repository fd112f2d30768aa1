import { sizeOf } from "../../../tensors/index.ts";
import { type KnownNode, type KnownValue, MOST_FOLLOWED } from "./knownValue.ts";

type Elements = readonly number[];

/**
 * Elements of a node's first output, for the integer arithmetic that exporters write around shapes; undefined for all else, which is left
 * to ONNX Runtime.
 */
export function elementsByRule(node: KnownNode, dims: readonly number[]): Elements | undefined {
  if (!(sizeOf(dims) <= MOST_FOLLOWED)) return undefined;
  const [first] = node.inputs;
  if (node.op === "Shape") return first?.dims.slice(node.integers("start")?.[0] ?? 0, node.integers("end")?.[0]);
  if (node.op === "Size") return first && [sizeOf(first.dims)];
  if (first?.elements === undefined) return undefined;
  if (SAME.has(node.op)) return first.elements;
  if (node.op === "Concat") return concatenated(node.inputs);
  if (node.op === "Gather") return gathered(node);
  if (node.op === "Slice") return sliced(node);
  return Object.hasOwn(PAIRS, node.op) ? paired(node, dims) : undefined;
}

/** Operators that leave the elements, in their order, as they are; of integers, a cast to another type of integer too. */
const SAME: ReadonlySet<string> = new Set(["Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten"]);

const PAIRS: Readonly<Record<string, (a: number, b: number) => number>> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Min: (a, b) => Math.min(a, b),
  Max: (a, b) => Math.max(a, b),
};

function concatenated(inputs: readonly (KnownValue | undefined)[]): Elements | undefined {
  if (inputs.some((value) => value?.elements === undefined || value.dims.length !== 1)) return undefined;
  return inputs.flatMap((value) => value?.elements ?? []);
}

function gathered({ inputs: [data, indices] }: KnownNode): Elements | undefined {
  if (data?.dims.length !== 1 || indices?.elements === undefined) return undefined;
  const found = indices.elements.map((index) => data.elements?.[index < 0 ? index + data.dims[0] : index]);
  return found.every((each) => each !== undefined) ? found : undefined;
}

function sliced({ inputs: [data, ...bounds], integers }: KnownNode): Elements | undefined {
  if (data?.dims.length !== 1 || bounds.some((value) => value?.elements === undefined)) return undefined;
  const [starts, ends, , steps] = bounds.map((value) => value?.elements?.[0]);
  if ((steps ?? 1) !== 1) return undefined;
  return data.elements?.slice(starts ?? integers("starts")?.[0], ends ?? integers("ends")?.[0]);
}

function paired({ op, inputs }: KnownNode, dims: readonly number[]): Elements | undefined {
  const [a, b] = inputs;
  if (inputs.length !== 2 || a?.elements === undefined || b?.elements === undefined || dims.length > 1)
    return undefined;
  const [left, right] = [a.elements, b.elements];
  return Array.from({ length: sizeOf(dims) }, (_, i) =>
    PAIRS[op](left[left.length === 1 ? 0 : i], right[right.length === 1 ? 0 : i]),
  );
}
