import type { Value } from "../../graph/index.ts";
import { concat, reshape, reshapedFrom } from "../../primitives/index.ts";
import { sizeOf, type Vector } from "../../tensors/index.ts";
import { type FlatPart, type FlatRange, flatRanges } from "./flatVectors.ts";
import type { Tensors } from "./risk.ts";

// A flat vector of all parameters' entries is one output of a program, the concatenation of its parts. For one term of a sum over batches,
// this concatenation would copy an array as large as the network for nothing, since the parts can be added to the sum one by one. Long
// parts are then separate outputs. For small networks, further outputs cost more than the copy.

/** Least number of entries of a vector that is split into several outputs, and of a part that becomes a separate output. */
const LARGE = 2 ** 18;
const LONG = 2 ** 14;

/** A flat vector of values, one after the other and row-major each, as outputs of a program. */
export interface VectorOutput {
  /** The program's outputs for the values, or for others of the same sizes. */
  outputs(values: readonly Value[]): { readonly [name: string]: Value };
  /** The vector that a run returned, in pieces; a single piece is the whole vector. */
  parts(outputs: Tensors): readonly FlatPart[];
}

/**
 * Creates the flat output for values of these shapes. With several columns, the values and the vector have a leading axis of that size. The
 * vector is then always in one piece, since each part has entries in each of its rows.
 */
export function vectorOutput(
  shapes: readonly (readonly number[])[],
  { columns, hasMoreBatches }: { readonly columns: number; readonly hasMoreBatches: boolean },
): VectorOutput {
  const ranges = flatRanges(shapes).map((range, index) => ({ ...range, index }));
  const size = ranges.reduce((sum, range) => sum + range.size, 0);
  return columns === 1 && hasMoreBatches && size >= LARGE ? separateOutputs(ranges) : joinedOutput(columns);
}

const ALL = "all parts";
const SHORT = "short parts";
const partName = (index: number) => `part ${index}`;

function joinedOutput(columns: number): VectorOutput {
  return {
    outputs: (values) => ({ [ALL]: sideBySide(values, columns) }),
    parts: (outputs) => [{ offset: 0, entries: outputs[ALL].data as Vector }],
  };
}

function separateOutputs(ranges: readonly (FlatRange & { readonly index: number })[]): VectorOutput {
  const long = ranges.filter(({ size }) => size >= LONG);
  const short = ranges.filter(({ size }) => size < LONG);
  return {
    outputs(values) {
      const own = long.map(({ index }) => [partName(index), withoutReshape(values[index])] as const);
      const rest = short.map(({ index }) => values[index]);
      return { ...Object.fromEntries(own), ...(rest.length > 0 && { [SHORT]: sideBySide(rest, 1) }) };
    },
    parts(outputs) {
      let start = 0;
      const cut = short.map(({ offset, size }) => {
        const entries = (outputs[SHORT].data as Vector).subarray(start, start + size);
        start += size;
        return { offset, entries };
      });
      const own = long.map(({ index, offset }) => ({ offset, entries: outputs[partName(index)].data as Vector }));
      return [...own, ...cut];
    },
  };
}

function sideBySide(values: readonly Value[], columns: number): Value {
  const leading = columns === 1 ? [] : [columns];
  const rows = values.map((value) => reshape(value, [...leading, sizeOf(value.shape) / columns]));
  return concat(rows, leading.length);
}

/** A value with the same entries in the same order that is not itself a reshape. */
function withoutReshape(value: Value): Value {
  const source = reshapedFrom(value);
  return source === undefined ? value : withoutReshape(source);
}
