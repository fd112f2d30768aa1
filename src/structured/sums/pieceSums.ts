import type { Value } from "../../graph/index.ts";
import {
  add,
  concat,
  div,
  equal,
  gather,
  indicator,
  matmul,
  mul,
  permute,
  range,
  reduceSum,
  reduceSumKeeping,
  reshape,
  scatterAdd,
  slice,
  square,
  swapLastAxes,
} from "../../primitives/index.ts";
import type { LayerInputs } from "../layers/matrixLayer.ts";
import { groupsFirst, secondMoment } from "./factorSums.ts";

/** Most entries of pieces that are formed at once. */
const MOST_ENTRIES = 2 ** 23;

/** The inputs of a layer and cotangents of its output in K passes, [K, groups, rows, positions, out]: the pieces are `P_k = sum_s a_s' g_ks`. */
export interface LayerPieces {
  readonly inputs: LayerInputs;
  readonly g: Value;
}

/** The sum of all pieces' squares, entry by entry, [groups, in, out]. */
export function squaredPieces({ inputs, g }: LayerPieces): Value {
  if (inputs.kind === "table") return squaredTable(inputs, g);
  const { vectors } = inputs;
  const [groups, rows, positions, size] = vectors.shape;
  const outputs = g.shape[4];
  if (positions !== 1) {
    return summed(formedPieces({ vectors, g }).map((P) => reduceSum(square(P), [0, 2])));
  }
  // Without sharing P_k = a' g_k, and the sum over the passes is taken before the product.
  const squares = reshape(reduceSum(square(g), [0]), [groups, rows, outputs]);
  const a = reshape(square(vectors), [groups, rows, size]);
  if (groups > 1) return matmul(a, squares, { transposeA: true });
  const flat = matmul(reshape(a, [rows, size]), reshape(squares, [rows, outputs]), { transposeA: true });
  return reshape(flat, [1, size, outputs]);
}

/** `sum_k P_k P_k'` and `sum_k P_k' P_k`: [groups, in, in] and [groups, out, out]. For a table the first is its diagonal, [entries]. */
export function outerPieces({ inputs, g }: LayerPieces): { readonly left: Value; readonly right: Value } {
  if (inputs.kind === "table") return outerTable(inputs, g);
  const { vectors } = inputs;
  const [groups, rows, positions, size] = vectors.shape;
  if (positions === 1) {
    // P_k = a' g_k: P P' = |g|^2 a' a and P' P = |a|^2 g' g.
    const a = reshape(vectors, [groups, rows, size]);
    const ofInputs = reduceSumKeeping(square(a), [2]);
    const ofCotangents = reshape(reduceSum(square(g), [0, 4]), [groups, rows, 1]);
    const left = matmul(mul(a, ofCotangents), a, { transposeA: true });
    return { left, right: crossMoment(mul(g, reshape(ofInputs, [groups, rows, 1, 1])), g) };
  }
  return isGramCheaper({ vectors, g }) ? outerByGram(vectors, g) : outerByPieces({ vectors, g });
}

/**
 * The squared norm of each row's piece in one pass, [rows]. Without shared positions |a|^2 |g|^2; else, where it takes fewer operations, `sum_st (a_s . a_t)(g_s . g_t)` over
 * its positions, for which the piece is not formed.
 */
export function squaredRowNorms({ inputs, g }: LayerPieces, { isFormed }: { readonly isFormed: boolean }): Value {
  const [, groups, rows, positions, outputs] = g.shape;
  if (inputs.kind === "table") {
    const { sums } = tableRows(inputs, g);
    return reshape(reduceSum(mul(sums, g), [0, 1, 3, 4]), [rows]);
  }
  const { vectors } = inputs;
  if (isFormed) {
    const norms = formedPieces({ vectors, g }, { wholePasses: true }).map((P) => reduceSum(square(P), [0, 1, 3, 4]));
    return norms.length === 1 ? norms[0] : concat(norms, 0);
  }
  const size = vectors.shape[3];
  if (positions === 1) {
    const a = reshape(reduceSum(square(vectors), [3]), [groups, rows]);
    const b = reshape(reduceSum(square(g), [4]), [groups, rows]);
    return reduceSum(mul(a, b), [0]);
  }
  const a = reshape(vectors, [groups * rows, positions, size]);
  const b = reshape(g, [groups * rows, positions, outputs]);
  const products = mul(matmul(a, a, { transposeB: true }), matmul(b, b, { transposeB: true }));
  return reduceSum(reshape(reduceSum(products, [1, 2]), [groups, rows]), [0]);
}

/** All pieces, [K, groups, rows, in, out]. For small layers. */
export function wholePieces({ inputs, g }: LayerPieces): Value {
  const vectors = inputs.kind === "table" ? oneHot(inputs) : inputs.vectors;
  return matmul(vectors, g, { transposeA: true });
}

interface Operands {
  readonly vectors: Value;
  readonly g: Value;
}

/** The pieces of some rows, and if need be of some passes at a time, each [k, groups, r, in, out]. */
export function formedPieces({ vectors, g }: Operands, { wholePasses = false } = {}): Value[] {
  const [passes, groups, rows, , outputs] = g.shape;
  const entries = groups * vectors.shape[3] * outputs;
  const rowsAtOnce = Math.max(1, Math.min(rows, Math.floor(MOST_ENTRIES / (entries * passes))));
  const isWhole = wholePasses || rowsAtOnce > 1;
  const passesAtOnce = isWhole ? passes : Math.max(1, Math.min(passes, Math.floor(MOST_ENTRIES / entries)));
  const parts: Value[] = [];
  for (let row = 0; row < rows; row += rowsAtOnce) {
    const ofRows = { start: row, limit: Math.min(row + rowsAtOnce, rows) };
    const a = slice(vectors, { axis: 1, ...ofRows });
    const own = slice(g, { axis: 2, ...ofRows });
    for (let k = 0; k < passes; k += passesAtOnce) {
      const part = slice(own, { axis: 0, start: k, limit: Math.min(k + passesAtOnce, passes) });
      parts.push(matmul(a, part, { transposeA: true }));
    }
  }
  return parts;
}

function summed(values: readonly Value[]): Value {
  return values.reduce((sum, value) => add(sum, value));
}

/** `sum x' y` over passes, rows and positions: [K, groups, rows, positions, d] twice -> [groups, d, d]. */
function crossMoment(x: Value, y: Value): Value {
  const flat = (value: Value) => {
    const [passes, groups, rows, positions, d] = value.shape;
    return reshape(groupsFirst(value), [groups, passes * rows * positions, d]);
  };
  return matmul(flat(x), flat(y), { transposeA: true });
}

/** By multiplications of a row: with the S x S matrices of inner products, or with the pieces. */
function isGramCheaper({ vectors, g }: Operands): boolean {
  const [, , positions, size] = vectors.shape;
  const [passes, , , , outputs] = g.shape;
  const gram = positions ** 2 * (2 * size + 3 * passes * outputs);
  return gram < passes * size * outputs * (positions + size + outputs);
}

/** P_k' P_k = g_k' (a a') g_k, and sum_k P_k P_k' = a' (sum_k g_k g_k') a. */
function outerByGram(vectors: Value, g: Value): { readonly left: Value; readonly right: Value } {
  const [groups, rows, positions, size] = vectors.shape;
  const ofInputs = matmul(vectors, vectors, { transposeB: true });
  const ofCotangents = reduceSum(matmul(g, g, { transposeB: true }), [0]);
  const flat = (x: Value) => reshape(x, [groups, rows * positions, size]);
  const left = matmul(flat(matmul(ofCotangents, vectors)), flat(vectors), { transposeA: true });
  return { left, right: crossMoment(matmul(ofInputs, g), g) };
}

function outerByPieces(operands: Operands): { readonly left: Value; readonly right: Value } {
  const parts = formedPieces(operands).map(groupsFirst);
  return {
    left: summed(parts.map((P) => secondMoment(swapLastAxes(P)))),
    right: summed(parts.map(secondMoment)),
  };
}

type Table = Extract<LayerInputs, { readonly kind: "table" }>;

/**
 * The nonzero rows of a table's piece: at each position the sum of the cotangents of all positions of the row with the same entry [K, 1, rows,
 * positions, out], and how many these are [rows, positions, 1].
 */
export function tableRows({ indices }: Table, g: Value) {
  const [rows, positions] = indices.shape;
  if (positions === 1) return { sums: g, counts: undefined };
  const same = indicator(equal(reshape(indices, [rows, positions, 1]), reshape(indices, [rows, 1, positions])));
  return { sums: matmul(same, g), counts: reduceSumKeeping(same, [2]) };
}

/** Each entry's sum is counted once, though it stands at each of its positions. */
function squaredTable(table: Table, g: Value): Value {
  const { sums, counts } = tableRows(table, g);
  const [rows, positions] = table.indices.shape;
  const outputs = g.shape[4];
  const squares = reshape(reduceSum(square(sums), [0, 1]), [rows, positions, outputs]);
  const once = counts === undefined ? squares : div(squares, counts);
  const indices = reshape(table.indices, [rows * positions]);
  const all = scatterAdd(reshape(once, [rows * positions, outputs]), indices, { axis: 0, size: table.entries });
  return reshape(all, [1, table.entries, outputs]);
}

function outerTable(table: Table, g: Value): { readonly left: Value; readonly right: Value } {
  const { sums, counts } = tableRows(table, g);
  const [rows, positions] = table.indices.shape;
  const lengths = reshape(reduceSum(square(sums), [0, 1, 4]), [rows * positions]);
  const once = counts === undefined ? lengths : div(lengths, reshape(counts, [rows * positions]));
  const left = scatterAdd(once, reshape(table.indices, [rows * positions]), { axis: 0, size: table.entries });
  return { left, right: crossMoment(g, sums) };
}

/** [1, rows, positions, entries] */
function oneHot({ indices, entries }: Table): Value {
  const [rows, positions] = indices.shape;
  return indicator(equal(reshape(indices, [1, rows, positions, 1]), range(entries)));
}

/** Pieces whose inputs are vectors: for a table its one-hot vectors, so that it must be small. */
export function withOneHot({ inputs, g }: LayerPieces): { readonly vectors: Value; readonly g: Value } {
  return { vectors: inputs.kind === "table" ? oneHot(inputs) : inputs.vectors, g };
}

/**
 * The pieces `left' P_k right` for matrices [groups, in, d] and [groups, out, d]; one that is absent is the identity. For a table, `left` may be a
 * diagonal [in].
 */
export function rotated(
  { inputs, g }: LayerPieces,
  { left, right }: { readonly left?: Value | undefined; readonly right?: Value | undefined },
): LayerPieces {
  const turned = right === undefined ? g : rotatedCotangents(g, right);
  if (left === undefined) return { inputs, g: turned };
  if (inputs.kind === "table") return rotatedTable(inputs, { g: turned, left });
  const { shape } = inputs.vectors;
  const vectors = times(reshape(inputs.vectors, [shape[0], shape[1] * shape[2], shape[3]]), left);
  return {
    inputs: { kind: "vectors", vectors: reshape(vectors, [...shape.slice(0, 3), left.shape[2]]) },
    g: turned,
  };
}

function rotatedCotangents(g: Value, right: Value): Value {
  const [passes, groups, rows, positions, outputs] = g.shape;
  const flat = reshape(groupsFirst(g), [groups, passes * rows * positions, outputs]);
  const size = right.shape[2];
  const turned = reshape(times(flat, right), [groups, passes, rows, positions, size]);
  return groups === 1 ? reshape(turned, [passes, 1, rows, positions, size]) : permute(turned, [1, 0, 2, 3, 4]);
}

/** A one-hot vector times a matrix is one of its rows; times a diagonal, a multiple of itself, which is left to the cotangent. */
function rotatedTable(table: Table, { g, left }: { readonly g: Value; readonly left: Value }): LayerPieces {
  const { indices, entries } = table;
  if (left.shape.length === 1) {
    const [rows, positions] = indices.shape;
    return { inputs: table, g: mul(g, reshape(gather(left, indices, 0), [1, 1, rows, positions, 1])) };
  }
  const vectors = gather(reshape(left, [entries, left.shape[2]]), indices, 0);
  return { inputs: { kind: "vectors", vectors: reshape(vectors, [1, ...vectors.shape]) }, g };
}

function times(x: Value, matrix: Value): Value {
  const [groups, rows, d] = x.shape;
  if (groups > 1) return matmul(x, matrix);
  const [, , columns] = matrix.shape;
  return reshape(matmul(reshape(x, [rows, d]), reshape(matrix, [d, columns])), [1, rows, columns]);
}
