import { constant, integers, type Shape, scalar, type Value } from "../../../graph/index.ts";
import {
  add,
  and,
  broadcast,
  cast,
  concat,
  gather,
  greater,
  less,
  lessOrEqual,
  matmul,
  mul,
  pad,
  permute,
  range,
  reshape,
  scale,
  slice,
  softmax,
  sub,
  tanh,
  where,
} from "../../../primitives/index.ts";
import { float, type ImportedNode, int, operand, outputShape, unsupported } from "./importedNode.ts";
import type { OperatorTraits } from "./traits.ts";

/**
 * Scaled dot-product attention, `softmax(scale Q K' + mask) V`, of operands `[rows, heads, length, size]` or
 * `[rows, length, heads size]`; fewer heads of keys and values serve groups of query heads; keys and values of the past
 * come before the present ones. A query that sees no key gives 0, with derivative 0 (PyTorch gives NaN). Second and third
 * output are the keys and values that were used, the fourth the scores at the stage that `qk_matmul_output_mode` names.
 */
export function Attention(node: ImportedNode): readonly (Value | undefined)[] {
  if (node.attributes.left_window_size !== undefined || node.attributes.right_window_size !== undefined) {
    throw unsupported(node, "sees a window of keys only (left_window_size, right_window_size)");
  }
  const query = heads(node, 0, int(node, "q_num_heads", 0));
  const [presentKey, presentValue] = [1, 2].map((i) => heads(node, i, int(node, "kv_num_heads", 0)));
  const joined = (past: Value | undefined, present: Value) =>
    past === undefined ? present : concat([past, present], 2);
  const [key, value] = [joined(node.inputs[4], presentKey), joined(node.inputs[5], presentValue)];
  const [, queryHeads, queries, size] = query.shape;
  const groups = queryHeads / key.shape[1];
  const factor = float(node, "scale", 1 / Math.sqrt(size));
  const scores = scale(matmul(query, repeated(key, groups), { transposeB: true }), factor);
  const limited = capped(scores, float(node, "softcap", 0));
  const allowed = allowedKeys(node, limited, key.shape[2] - presentKey.shape[2]);
  const added = addedMask(node, limited);
  const masked = allowed === undefined ? added : where(allowed, added, scalar(MASKED));
  const weights = allowed === undefined ? softmax(added, -1) : where(allowed, softmax(masked, -1), scalar(0));
  const result = matmul(weights, repeated(value, groups));
  const [rows, count, , width] = result.shape;
  const flat = operand(node, 0).shape.length === 3;
  const y = flat ? reshape(permute(result, [0, 2, 1, 3]), [rows, queries, count * width]) : result;
  const stages = [scores, limited, masked, weights];
  return [reshape(y, outputShape(node)), key, value, stages[int(node, "qk_matmul_output_mode", 0)]];
}

function heads(node: ImportedNode, position: number, count: number): Value {
  const x = operand(node, position);
  if (x.shape.length === 4) return x;
  const [rows, length, width] = x.shape;
  return permute(reshape(x, [rows, length, count, width / count]), [0, 2, 1, 3]);
}

/** `[rows, heads, ...]` with every head `groups` times in a row. */
function repeated(x: Value, groups: number): Value {
  const [rows, count, length, size] = x.shape;
  const split = reshape(x, [rows, count, 1, length, size]);
  return reshape(broadcast(split, [rows, count, groups, length, size]), [rows, count * groups, length, size]);
}

function capped(scores: Value, softcap: number): Value {
  return softcap === 0 ? scores : scale(tanh(scale(scores, 1 / softcap)), softcap);
}

/** Score of what is masked out: its exponential is 0, while a row of nothing else stays a number. */
const MASKED = -1e30;

/** Scores plus the mask, where that is one of numbers; keys beyond a short mask are out of sight (see `allowedKeys`). */
function addedMask(node: ImportedNode, scores: Value): Value {
  const mask = node.inputs[3];
  if (mask === undefined || mask.type === "bool") return scores;
  return add(scores, padded(mask, scores.shape[3]));
}

/** Which keys a query may see, by all that says so; undefined where nothing does. */
function allowedKeys(node: ImportedNode, scores: Value, past: number): Value | undefined {
  const [mask, lengths] = [node.inputs[3], node.inputs[6]];
  const [queries, keys] = scores.shape.slice(-2);
  const conditions: Value[] = [];
  if (mask?.type === "bool") conditions.push(cast(padded(cast(mask, "float"), keys), "bool"));
  if (mask !== undefined && mask.shape[mask.shape.length - 1] < keys) {
    const seen = Uint8Array.from({ length: keys }, (_, j) => Number(j < mask.shape[mask.shape.length - 1]));
    conditions.push(constant({ data: seen, dims: [keys], dtype: "bool" }));
  }
  const causal = int(node, "is_causal", 0) !== 0;
  const perRow = lengths && reshape(cast(lengths, "int64"), [lengths.shape[0], 1, 1, 1]);
  if (perRow !== undefined) conditions.push(less(range(keys), perRow));
  if (causal && perRow === undefined) conditions.push(lowerTriangle(queries, keys, past));
  if (causal && perRow !== undefined) {
    // Query i is the one before position `length - queries + i + 1`.
    const own = add(reshape(range(queries), [queries, 1]), sub(perRow, integers([queries])));
    conditions.push(lessOrEqual(range(keys), own));
  }
  return conditions.length === 0 ? undefined : conditions.reduce((a, b) => and(a, b));
}

function padded(mask: Value, keys: number): Value {
  const axis = mask.shape.length - 1;
  const after = mask.shape.map((dim, i) => (i === axis ? keys - dim : 0));
  return pad(mask, { before: mask.shape.map(() => 0), after });
}

/**
 * Attention of operands `[rows, length, heads size]` with a bias for each, a mask of padded keys, one that is added, and keys
 * and values of the past (ONNX Runtime's own). Second and third output are the keys and values that were used.
 */
export function MultiHeadAttention(node: ImportedNode): readonly (Value | undefined)[] {
  const count = int(node, "num_heads", 0);
  const [query, key, value] = [operand(node, 0), node.inputs[1], node.inputs[2]];
  if (query.shape.length !== 3 || key === undefined || value === undefined) {
    throw unsupported(node, "packs queries, keys and values into one operand");
  }
  const width = query.shape[2];
  const bias = node.inputs[3];
  const biased = (x: Value, start: number) =>
    bias === undefined || x.shape.length === 4 ? x : add(x, slice(bias, { axis: 0, start, limit: start + x.shape[2] }));
  const split = (x: Value) => headsOf(x, count);
  const join = (past: Value | undefined, present: Value) => (past === undefined ? present : concat([past, present], 2));
  const presentKey = join(node.inputs[6], split(biased(key, width)));
  const presentValue = join(node.inputs[7], split(biased(value, 2 * width)));
  const queries = split(biased(query, 0));
  const factor = float(node, "scale", 0) || 1 / Math.sqrt(width / count);
  const scores = scale(matmul(queries, presentKey, { transposeB: true }), factor);
  const extra = node.inputs[5];
  const added = extra === undefined ? scores : add(scores, extra);
  const weights = softmax(causally(node, withKeyMask(node, added)), -1);
  const result = matmul(weights, presentValue);
  return [reshape(permute(result, [0, 2, 1, 3]), outputShape(node)), presentKey, presentValue];
}
MultiHeadAttention.traits = {
  microsoft: true,
  roles: [undefined, undefined, undefined, "bias"],
} satisfies OperatorTraits;

function headsOf(x: Value, count: number): Value {
  if (x.shape.length === 4) return x;
  const [rows, length, width] = x.shape;
  return permute(reshape(x, [rows, length, count, width / count]), [0, 2, 1, 3]);
}

/**
 * Scores with a large negative number for keys whose mask is 0: of each row, or of each query of each row. A mask of one axis
 * begins with the number of keys of each row.
 */
function withKeyMask(node: ImportedNode, scores: Value): Value {
  const mask = node.inputs[4];
  if (mask === undefined) return scores;
  const filter = float(node, "mask_filter_value", -10000);
  return add(scores, where(presentKeys(node, mask, scores.shape), scalar(0), scalar(filter)));
}

function presentKeys(node: ImportedNode, mask: Value, [rows, , , keys]: Shape): Value {
  const { shape } = mask;
  if (shape.length === 1) {
    const lengths = slice(cast(mask, "int64"), { axis: 0, start: 0, limit: rows });
    return less(range(keys), reshape(lengths, [rows, 1, 1, 1]));
  }
  if (shape[shape.length - 1] !== keys) {
    throw unsupported(node, `masks ${shape[shape.length - 1]} of ${keys} keys; give each key a number of the mask`);
  }
  const spread = reshape(mask, shape.length === 2 ? [shape[0], 1, 1, keys] : [shape[0], 1, ...shape.slice(1)]);
  return greater(spread, constant({ data: Int32Array.of(0), dims: [] }));
}

function causally(node: ImportedNode, scores: Value): Value {
  if (int(node, "unidirectional", 0) === 0) return scores;
  const [queries, keys] = scores.shape.slice(-2);
  return where(lowerTriangle(queries, keys, keys - queries), scores, scalar(MASKED));
}

/** True for the keys that a query may see: those up to its own position after the past. */
function lowerTriangle(queries: number, keys: number, past: number): Value {
  const seen = Uint8Array.from({ length: queries * keys }, (_, i) => Number(i % keys <= Math.floor(i / keys) + past));
  return constant({ data: seen, dims: [queries, keys], dtype: "bool" });
}

/**
 * Rotation of pairs of features by angles that grow with the position (Su et al., 2021), from tables of cosines and sines.
 * The pairs are neighbours or halves apart. ONNX Runtime's own form has its operands in another order.
 */
export function RotaryEmbedding(node: ImportedNode): Value {
  const own = node.domain !== "";
  const x = operand(node, 0);
  const [positions, cosines, sines] = own
    ? [operand(node, 1), operand(node, 2), operand(node, 3)]
    : [node.inputs[3], operand(node, 1), operand(node, 2)];
  const half = cosines.shape[cosines.shape.length - 1];
  const flat = x.shape.length === 3;
  // The number of heads of the form with three axes may be left for the tables to tell.
  const count = int(node, "num_heads", 0) || (flat ? x.shape[2] / (2 * half) : x.shape[1]);
  const heads = flat ? headsOf(x, count) : x;
  const [, , length, size] = heads.shape;
  const turned = int(node, "rotary_embedding_dim", 0) || size;
  const angles = (table: Value) => {
    const rows = positions === undefined ? table : gather(table, positionsOf(positions, length), 0);
    const used = slice(rows, { axis: -1, start: 0, limit: turned / 2 });
    return reshape(used, [used.shape[0], 1, ...used.shape.slice(1)]);
  };
  const cut = (start: number, limit: number, step = 1) => slice(heads, { axis: 3, start, limit, step });
  const pairs = int(node, "interleaved", 0) !== 0;
  const first = pairs ? cut(0, turned, 2) : cut(0, turned / 2);
  const second = pairs ? cut(1, turned, 2) : cut(turned / 2, turned);
  const [cosine, sine] = [angles(cosines), angles(sines)];
  const real = sub(mul(cosine, first), mul(sine, second));
  const imaginary = add(mul(sine, first), mul(cosine, second));
  const rotated = pairs ? interleaved(real, imaginary) : concat([real, imaginary], 3);
  const all = turned === size ? rotated : concat([rotated, cut(turned, size)], 3);
  return flat ? reshape(permute(all, [0, 2, 1, 3]), x.shape) : all;
}
RotaryEmbedding.traits = { microsoft: true } satisfies OperatorTraits;

/** Positions `[rows, length]`, or 0, 1, ... after a first one. */
function positionsOf(positions: Value, length: number): Value {
  if (positions.shape.length === 2) return positions;
  return reshape(add(cast(positions, "int64"), range(length)), [1, length]);
}

function interleaved(a: Value, b: Value): Value {
  const column = (x: Value) => reshape(x, [...x.shape, 1]);
  const pairs = concat([column(a), column(b)], a.shape.length);
  return reshape(pairs, [...a.shape.slice(0, -1), a.shape[a.shape.length - 1] * 2]);
}
