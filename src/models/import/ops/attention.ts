import { constant, scalar, type Value } from "../../../graph/index.ts";
import {
  add,
  broadcast,
  concat,
  matmul,
  permute,
  reshape,
  scale,
  softmax,
  tanh,
  where,
} from "../../../primitives/index.ts";
import { float, type ImportedNode, int, operand, outputShape, unsupported } from "../importedNode.ts";

/**
 * Scaled dot-product attention, `softmax(scale Q K' + mask) V`, of operands `[rows, heads, length, size]` or
 * `[rows, length, heads size]`; fewer heads of keys and values serve groups of query heads; keys and values of the past
 * come before the present ones. Second and third output are the keys and values that were used.
 */
export function Attention(node: ImportedNode): readonly (Value | undefined)[] {
  if (node.outputShapes[3] !== undefined) throw unsupported(node, "gives its scores (qk_matmul_output)");
  if (node.inputs[6] !== undefined) throw unsupported(node, "takes lengths of padded keys (nonpad_kv_seqlen)");
  const query = heads(node, 0, int(node, "q_num_heads", 0));
  const [presentKey, presentValue] = [1, 2].map((i) => heads(node, i, int(node, "kv_num_heads", 0)));
  const joined = (past: Value | undefined, present: Value) =>
    past === undefined ? present : concat([past, present], 2);
  const [key, value] = [joined(node.inputs[4], presentKey), joined(node.inputs[5], presentValue)];
  const [, queryHeads, queries, size] = query.shape;
  const groups = queryHeads / key.shape[1];
  const factor = float(node, "scale", 1 / Math.sqrt(size));
  const scores = scale(matmul(query, repeated(key, groups), { transposeB: true }), factor);
  const past = key.shape[2] - presentKey.shape[2];
  const masked = withMask(node, capped(scores, float(node, "softcap", 0)), past);
  const result = matmul(softmax(masked, -1), repeated(value, groups));
  const [rows, count, , width] = result.shape;
  const flat = operand(node, 0).shape.length === 3;
  const y = flat ? reshape(permute(result, [0, 2, 1, 3]), [rows, queries, count * width]) : result;
  return [reshape(y, outputShape(node)), key, value];
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

function withMask(node: ImportedNode, scores: Value, past: number): Value {
  const mask = node.inputs[3];
  const [queries, keys] = scores.shape.slice(-2);
  let result = scores;
  if (mask !== undefined) {
    result = mask.type === "bool" ? where(mask, result, scalar(MASKED)) : add(result, mask);
  }
  if (int(node, "is_causal", 0) === 0) return result;
  const seen = Uint8Array.from({ length: queries * keys }, (_, i) => Number(i % keys <= Math.floor(i / keys) + past));
  return where(constant({ data: seen, dims: [queries, keys], dtype: "bool" }), result, scalar(MASKED));
}
