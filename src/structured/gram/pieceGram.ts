import type { Value } from "../../graph/index.ts";
import { add, matmul, mul, permute, reduceSum, reshape, slice } from "../../primitives/index.ts";
import { groupsFirst } from "../sums/factorSums.ts";
import { type LayerPieces, withOneHot } from "../sums/pieceSums.ts";

/** Most entries of pieces that are formed at once. */
const MOST_ENTRIES = 2 ** 23;

/** Inner products of all pieces of a layer, [K rows, K rows], passes outermost: `<P_k, P_l>`. */
export function pieceGram(pieces: LayerPieces): Value {
  const { vectors, g } = withOneHot(pieces);
  return vectors.shape[2] === 1 ? gramWithoutSharing(vectors, g) : gramOfPieces(vectors, g);
}

/** P_k = a_n' g_k has the inner products (a_n . a_m)(g_k . g_l). */
function gramWithoutSharing(vectors: Value, g: Value): Value {
  const [groups, rows, , size] = vectors.shape;
  const [passes, , , , outputs] = g.shape;
  const count = passes * rows;
  const a = reshape(vectors, [groups, rows, size]);
  const ofInputs = reshape(matmul(a, a, { transposeB: true }), [groups, 1, rows, 1, rows]);
  const flat = reshape(groupsFirst(g), [groups, count, outputs]);
  const ofCotangents = reshape(matmul(flat, flat, { transposeB: true }), [groups, passes, rows, passes, rows]);
  return reshape(reduceSum(mul(ofCotangents, ofInputs), [0]), [count, count]);
}

/** With shared positions the pieces are formed, for some inputs at a time. */
function gramOfPieces(vectors: Value, g: Value): Value {
  const [groups, rows, , size] = vectors.shape;
  const [passes, , , , outputs] = g.shape;
  const count = passes * rows;
  const atOnce = Math.max(1, Math.floor(MOST_ENTRIES / (count * groups * outputs)));
  let sum: Value | undefined;
  for (let first = 0; first < size; first += atOnce) {
    const limit = Math.min(first + atOnce, size);
    const P = matmul(slice(vectors, { axis: 3, start: first, limit }), g, { transposeA: true });
    const flat = reshape(permute(P, [0, 2, 1, 3, 4]), [count, groups * (limit - first) * outputs]);
    const part = matmul(flat, flat, { transposeB: true });
    sum = sum === undefined ? part : add(sum, part);
  }
  return sum!;
}

/** Inner products of the pieces of a whole parameter, [K, rows, size] -> [K rows, K rows]. */
export function parameterGram(P: Value): Value {
  const [passes, rows, size] = P.shape;
  const flat = reshape(P, [passes * rows, size]);
  return matmul(flat, flat, { transposeB: true });
}
