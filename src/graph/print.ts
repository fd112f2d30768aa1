import { formatDims } from "../tensors/index.ts";
import { constantTensor, isInput } from "./inputsAndConstants.ts";
import { topologicalOrder } from "./order.ts";
import type { Value } from "./primitive.ts";

/**
 * A graph as text, one line a value: `v3 = mul(v1, v2) : float [8, 4]`. Values are numbered in the order of computation, so
 * that equal graphs print alike. Constants of one element stand where they are used.
 */
export function printGraph(outputs: { readonly [name: string]: Value } | readonly Value[]): string {
  const named = Array.isArray(outputs)
    ? outputs.map((value, i) => [`output ${i}`, value] as const)
    : Object.entries(outputs as { [name: string]: Value });
  const names = new Map<Value, string>();
  const lines: string[] = [];
  for (const value of topologicalOrder(named.map(([, value]) => value))) {
    const { primitive, params, shape, type } = value;
    const shown = primitive.format?.(params) ?? formatParams(params);
    if (constantTensor(value) !== undefined && shape.length === 0) {
      names.set(value, shown);
      continue;
    }
    const name = isInput(value) ? shown : `v${lines.length}`;
    names.set(value, name);
    const operands = value.inputs.map((input) => names.get(input)).join(", ");
    const text = isInput(value) ? "input" : `${primitive.name}(${operands})${shown === "" ? "" : ` {${shown}}`}`;
    lines.push(`${name} = ${text} : ${type} ${formatDims(shape)}`);
  }
  for (const [name, value] of named) lines.push(`${name}: ${names.get(value)}`);
  return lines.join("\n");
}

function formatParams(params: unknown): string {
  if (typeof params !== "object" || params === null) return "";
  return Object.entries(params)
    .map(([name, value]) => `${name}: ${JSON.stringify(value)}`)
    .join(", ");
}
