import type { Candidate } from "./evidence.ts";

type Data = Float32Array | Float64Array;

/** Functions of a parameter that networks use beside it, and that an exporter computes beforehand. */
const RELATIONS: Readonly<Record<string, (x: number) => number>> = {
  "1 - {}": (x) => 1 - x,
  "1 + {}": (x) => 1 + x,
  "-{}": (x) => -x,
  "the square of {}": (x) => x * x,
  "1 / {}": (x) => 1 / x,
  "the absolute value of {}": (x) => Math.abs(x),
};

/**
 * Another tensor of the file that a tensor is a simple function of, element by element: a parameter whose other uses the file
 * still computes. Undefined where there is none.
 */
export function relatedTensor(
  { name, data }: Candidate,
  candidates: ReadonlyMap<string, Candidate>,
): { readonly name: string; readonly relation: string } | undefined {
  for (const other of candidates.values()) {
    if (other.name === name || other.data.length !== data.length || !isVaried(other.data)) continue;
    const relation = Object.keys(RELATIONS).find((each) => agrees(data, other.data, RELATIONS[each]));
    if (relation !== undefined) return { name: other.name, relation: relation.replace("{}", other.name) };
  }
  return undefined;
}

function isVaried(data: Data): boolean {
  return data.length > 1 && data.some((x) => x !== data[0]);
}

function agrees(data: Data, other: Data, relation: (x: number) => number): boolean {
  return data.every((x, i) => Math.abs(x - relation(other[i])) <= 1e-6 * Math.max(1, Math.abs(x)));
}
