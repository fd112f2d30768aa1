import {
  constantTensor,
  input,
  isInput,
  substitute,
  topologicalOrder,
  type Value,
  withInputs,
} from "../graph/index.ts";
import type { NamedGraph } from "./lower.ts";

/**
 * Splits a graph into smaller ones that run one after the other: outputs of earlier segments are inputs of later ones by name. Each
 * application is computed in one segment, except where repeating it is cheaper than keeping its result.
 *
 * @param most values of a segment, inputs and repeated ones aside
 */
export function segmentsOf(graph: NamedGraph, most: number): readonly NamedGraph[] {
  const order = topologicalOrder(Object.values(graph.outputs)).filter((value) => !isRepeated(value));
  if (order.length <= most) return [graph];
  const place = new Map(order.map((value, i) => [value, Math.floor(i / most)]));
  const segments = Array.from({ length: Math.ceil(order.length / most) }, emptySegment);
  const given = new Map(Object.entries(graph.inputs).map(([name, value]) => [value, name]));
  const names = new Map(Object.entries(graph.outputs).map(([name, value]) => [value, name]));
  const read = (value: Value, to: number) => {
    const { inputs, standIns } = segments[to];
    const from = place.get(value);
    if (from === undefined) {
      const name = given.get(value);
      if (name !== undefined) inputs[name] = value;
    } else if (from !== to && !standIns.has(value)) {
      const name = names.get(value) ?? `crossing ${value.id}`;
      const standIn = input(name, value.shape, value.type);
      standIns.set(value, standIn);
      segments[from].outputs[name] = value;
      inputs[name] = standIn;
    }
  };
  for (const value of order) for (const source of sourcesOf(value.inputs)) read(source, place.get(value)!);
  for (const [name, value] of Object.entries(graph.outputs)) {
    const sources = sourcesOf([value]);
    const at = sources.reduce((last, source) => Math.max(last, place.get(source) ?? 0), 0);
    for (const source of sources) read(source, at);
    segments[at].outputs[name] = value;
  }
  return segments.map(({ inputs, outputs, standIns }) => {
    // An input carries fewer facts than the value it replaces, so nothing can be simplified by them.
    const replaced = substitute(Object.values(outputs), standIns, withInputs);
    return { inputs, outputs: Object.fromEntries(Object.keys(outputs).map((name, i) => [name, replaced[i]])) };
  });
}

interface Segment {
  readonly inputs: Record<string, Value>;
  readonly outputs: Record<string, Value>;
  /** Inputs that carry values of earlier segments. */
  readonly standIns: Map<Value, Value>;
}

function emptySegment(): Segment {
  return { inputs: {}, outputs: {}, standIns: new Map() };
}

/** Values that each segment computes for itself: inputs, constants, and results that take no work or are larger than their operands. */
function isRepeated(value: Value): boolean {
  return (
    isInput(value) ||
    value.uniform !== undefined ||
    constantTensor(value) !== undefined ||
    value.primitive.recompute === true
  );
}

/** The values, kept or given, from which a segment computes these. */
function sourcesOf(values: readonly Value[]): Value[] {
  const found: Value[] = [];
  const left = [...values];
  for (let value = left.pop(); value !== undefined; value = left.pop()) {
    if (isInput(value) || !isRepeated(value)) found.push(value);
    else left.push(...value.inputs);
  }
  return found;
}
