import type { ChosenParameter } from "./chooseParameters.ts";

/** A parameter whose numbers are a copy of another's. */
export interface Tie {
  readonly copy: ChosenParameter;
  readonly original: ChosenParameter;
  /** Whether the copy is the transpose. */
  readonly transposed: boolean;
}

/**
 * Parameters that are copies of an earlier one, as they are or transposed: weights that were one in the module and that the
 * exporter has taken apart. Tensors of one repeated number are not compared, since fresh biases and scales all look alike.
 */
export function findTies(parameters: readonly ChosenParameter[]): Tie[] {
  const ties: Tie[] = [];
  // Parameters that may be copies of one another have the same key, so that few are compared.
  const originals = new Map<string, ChosenParameter[]>();
  for (const copy of parameters) {
    const key = contentKey(copy);
    const alike = originals.get(key) ?? [];
    const tie = isVaried(copy) ? tieOf(copy, alike) : undefined;
    if (tie !== undefined) ties.push(tie);
    else if (alike.push(copy) === 1) originals.set(key, alike);
  }
  return ties;
}

/** The same for a parameter and its transpose: the number of elements, and those at both ends, which a transpose leaves where they are. */
function contentKey({ data }: ChosenParameter): string {
  return `${data.length} ${data[0]} ${data[data.length - 1]}`;
}

function tieOf(copy: ChosenParameter, originals: readonly ChosenParameter[]): Tie | undefined {
  for (const original of originals) {
    if (sameNumbers(copy, original)) return { copy, original, transposed: false };
    if (isTranspose(copy, original)) return { copy, original, transposed: true };
  }
  return undefined;
}

function isVaried({ data }: ChosenParameter): boolean {
  return data.some((x) => x !== data[0]);
}

function sameNumbers(a: ChosenParameter, b: ChosenParameter): boolean {
  return a.dims.join() === b.dims.join() && a.data.every((x, i) => x === b.data[i]);
}

function isTranspose(a: ChosenParameter, b: ChosenParameter): boolean {
  const [rows, columns] = a.dims;
  if (a.dims.length !== 2 || b.dims.length !== 2 || b.dims[0] !== columns || b.dims[1] !== rows) return false;
  return a.data.every((x, i) => x === b.data[(i % columns) * rows + Math.floor(i / columns)]);
}
