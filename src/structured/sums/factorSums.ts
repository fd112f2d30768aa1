import { integers, scalar, type Value } from "../../graph/index.ts";
import {
  add,
  broadcast,
  concat,
  filled,
  matmul,
  mul,
  permute,
  reduceSum,
  reshape,
  scale,
  scatterAdd,
  withOnes,
} from "../../primitives/index.ts";
import type { LayerInputs } from "../layers/matrixLayer.ts";
import { symmetricSum } from "./symmetricSum.ts";

/** How the factors treat the positions at which a row shares a weight (Eschenhagen et al., 2023). */
export type Sharing = "expand" | "reduce";

/** What row weights do to sums over inputs; [rows] or none. */
type RowWeights = Value | undefined;

/** Sum over all leading axes but the first, `sum_k x_k' x_k`: [groups, ..., d] -> the form of `symmetricSum`. */
export function secondMoment(x: Value): Value {
  const [groups, ...rest] = x.shape;
  const d = rest[rest.length - 1];
  const count = rest.slice(0, -1).reduce((a, b) => a * b, 1);
  const flat = reshape(x, [groups, count, d]);
  return symmetricSum(flat, flat);
}

/**
 * The raw sum of the input factor, `sum_n w_n sum_s a_ns a_ns'` [groups, in, in] (expand) or `sum_n w_n abar_n abar_n'` with abar the mean over
 * positions (reduce). For a table, expand is the weighted count of each entry, [entries].
 */
export function inputSum(
  inputs: LayerInputs,
  { sharing, rowWeights }: { readonly sharing: Sharing; readonly rowWeights: RowWeights },
): Value {
  if (inputs.kind === "table") return tableSum(inputs, { sharing, rowWeights });
  const { vectors } = inputs;
  const [groups, rows, positions, size] = vectors.shape;
  const shared = sharing === "reduce" ? scale(reduceSum(vectors, [2]), 1 / positions) : vectors;
  if (rowWeights === undefined) return secondMoment(shared);
  const flat = reshape(shared, [groups, shared.shape.length === 3 ? rows : rows * positions, size]);
  const weights = sharing === "reduce" ? rowWeights : eachPosition(rowWeights, positions);
  const weighted = mul(flat, reshape(weights, [1, flat.shape[1], 1]));
  return symmetricSum(weighted, flat);
}

function tableSum(
  { entries, indices }: Extract<LayerInputs, { kind: "table" }>,
  { sharing, rowWeights }: { readonly sharing: Sharing; readonly rowWeights: RowWeights },
): Value {
  const [rows, positions] = indices.shape;
  if (sharing === "expand") {
    const ones = rowWeights === undefined ? filled([rows * positions], 1) : eachPosition(rowWeights, positions);
    return scatterAdd(ones, reshape(indices, [rows * positions]), { axis: 0, size: entries });
  }
  const means = scale(tableCounts({ indices, entries }), 1 / positions);
  const flat = rowWeights === undefined ? means : mul(means, reshape(rowWeights, [rows, 1]));
  return reshape(matmul(flat, means, { transposeA: true }), [1, entries, entries]);
}

/** How often each row of the batch looks up each entry, [rows, entries]. */
function tableCounts({ indices, entries }: { readonly indices: Value; readonly entries: number }): Value {
  const [rows, positions] = indices.shape;
  const places = rowOffsets(indices, entries);
  const counts = scatterAdd(filled([rows * positions], 1), reshape(places, [rows * positions]), {
    axis: 0,
    size: rows * entries,
  });
  return reshape(counts, [rows, entries]);
}

function rowOffsets(indices: Value, entries: number): Value {
  const [rows] = indices.shape;
  return add(indices, reshape(integers(Array.from({ length: rows }, (_, n) => n * entries)), [rows, 1]));
}

/** The weight of a row at each of its positions, [rows * positions]. */
function eachPosition(rowWeights: Value, positions: number): Value {
  const [rows] = rowWeights.shape;
  return reshape(broadcast(reshape(rowWeights, [rows, 1]), [rows, positions]), [rows * positions]);
}

/** `sum_n w_n` times the vectors that each row contributes to the input factor, []. */
export function inputCount(
  positions: number,
  { sharing, rowWeights, rows }: { readonly sharing: Sharing; readonly rowWeights: RowWeights; readonly rows: number },
): Value {
  const each = sharing === "reduce" ? 1 : positions;
  return rowWeights === undefined ? scalar(rows * each) : scale(reduceSum(rowWeights), each);
}

/** The raw sum of the output factor over passes, rows and positions: g [K, groups, rows, positions, out] -> [groups, out, out]. */
export function cotangentSum(g: Value, sharing: Sharing): Value {
  const summed = sharing === "reduce" ? reduceSum(g, [3]) : g;
  return secondMoment(groupsFirst(summed));
}

/** [K, groups, ...] -> [groups, K, ...]. */
export function groupsFirst(g: Value): Value {
  const [passes, groups, ...rest] = g.shape;
  if (groups === 1) return reshape(g, [1, passes, ...rest]);
  return permute(g, [1, 0, ...rest.map((_, i) => i + 2)]);
}

/** Inputs with a last component 1, for a bias that is joined with the weight. */
export function withOne(vectors: Value): Value {
  return concat([vectors, filled(withOnes(vectors.shape, [vectors.shape.length - 1]), 1)], vectors.shape.length - 1);
}
