import { rebatch } from "../../data/index.ts";
import type { Value } from "../../graph/index.ts";
import type { RunOptions } from "../../linalg/operator/operator.ts";
import type { BatchProduct, Risk, Tensors } from "../../operators/engine/risk.ts";
import { rowGradientBlocks } from "../../operators/index.ts";
import { cast, permute, reshape, zeros } from "../../primitives/index.ts";
import type { Tensor, Vector } from "../../tensors/index.ts";
import { wholePieces } from "../sums/pieceSums.ts";
import type { RowPart } from "./rowParts.ts";
import { rowPieces } from "./rowPieces.ts";

/** What inner products of some rows' gradients are computed from. */
export interface RowFeatures {
  /** Index of the first row. */
  readonly start: number;
  readonly rows: number;
  /**
   * By part: `a i` [groups, rows, positions, in] or, for a table, its indices [rows, positions], with `g i` [groups, rows, positions, out]; or the
   * gradients `P i` [rows, size]. Without the factor N.
   */
  readonly arrays: Tensors;
}

/** Products of a family of risks by the parts that they are made of. */
const products = new WeakMap<object, Map<string, BatchProduct>>();

/** The features of all rows, at most `rows` at a time. One forward and one reverse pass. */
export async function* rowFeatures(
  risk: Risk,
  { parts, rows, options }: { readonly parts: readonly RowPart[]; readonly rows: number; readonly options: RunOptions },
): AsyncGenerator<RowFeatures, void, void> {
  const fits = risk.data.batchSize <= rows;
  const own = fits ? risk : await risk.on(rebatch(risk.data, rows), { shard: risk.shard });
  const outside = parts.flatMap(({ route }, index) => (route === "single rows" ? [index] : []));
  const singles = outside.length === 0 ? undefined : rowGradientBlocks(risk, { columns: 1 });
  try {
    for await (const { batch, outputs } of own.engine.batches(featuresProduct(own, parts), { options })) {
      const { start, rows: count } = batch;
      const single = singles === undefined ? {} : await singleRows(risk, { singles, parts, outside, count });
      yield { start, rows: count, arrays: { ...outputs, ...single } };
    }
  } finally {
    await singles?.return();
    if (!fits) await own.dispose();
  }
}

function featuresProduct({ engine, parameters }: Risk, parts: readonly RowPart[]): BatchProduct {
  const own = products.get(engine.family) ?? new Map<string, BatchProduct>();
  products.set(engine.family, own);
  const key = JSON.stringify(parts.map(({ parameter, route, matrix }) => [parameter, route, matrix?.entries]));
  const known = own.get(key) ?? {
    build(batch) {
      const pieces = rowPieces(batch);
      const sizes = parameters.map(({ size }) => size);
      return { outputs: Object.assign({}, ...parts.map((part, i) => featuresOf(pieces, { part, i, sizes }))) };
    },
  };
  own.set(key, known);
  return known;
}

function featuresOf(
  pieces: ReturnType<typeof rowPieces>,
  { part, i, sizes }: { readonly part: RowPart; readonly i: number; readonly sizes: readonly number[] },
): { readonly [name: string]: Value } {
  const { parameter, route, matrix } = part;
  const { rows } = pieces.layered;
  if (route === "zero" || route === "single rows") return {};
  if (matrix === undefined) {
    const P = pieces.parameter(parameter);
    return { [`P ${i}`]: P === undefined ? zeros([rows, sizes[parameter]]) : reshape(P, P.shape.slice(1)) };
  }
  const own = pieces.matrix(parameter, matrix.entries);
  const {
    groups,
    positions,
    sizes: [size, outputs],
  } = matrix;
  if (route === "gradients") {
    if (own === undefined) return { [`P ${i}`]: zeros([rows, groups * size * outputs]) };
    return { [`P ${i}`]: reshape(permute(wholePieces(own), [0, 2, 1, 3, 4]), [rows, groups * size * outputs]) };
  }
  if (own === undefined) {
    const a = matrix.isTable ? cast(zeros([rows, positions]), "int64") : zeros([groups, rows, positions, size]);
    return { [`a ${i}`]: a, [`g ${i}`]: zeros([groups, rows, positions, outputs]) };
  }
  const { inputs, g } = own;
  return {
    [`a ${i}`]: inputs.kind === "table" ? inputs.indices : inputs.vectors,
    [`g ${i}`]: reshape(g, g.shape.slice(1)),
  };
}

/** The gradients of the next rows in the parameters that enter outside of layers. */
async function singleRows(
  { parameters, shard }: Risk,
  {
    singles,
    parts,
    outside,
    count,
  }: {
    readonly singles: ReturnType<typeof rowGradientBlocks>;
    readonly parts: readonly RowPart[];
    readonly outside: readonly number[];
    readonly count: number;
  },
): Promise<Tensors> {
  const data = outside.map((part) => new Float64Array(count * parameters[parts[part].parameter].size));
  for (let row = 0; row < count; row++) {
    const { gradients } = (await singles.next()).value!;
    outside.forEach((part, k) => {
      const { offset, size } = parameters[parts[part].parameter];
      const own = (gradients.data as Vector).subarray(offset, offset + size);
      own.forEach((x, entry) => void (data[k][row * size + entry] = x / shard.rows));
    });
  }
  return Object.fromEntries(
    outside.map((part, k): [string, Tensor] => [
      `P ${part}`,
      { data: data[k], dims: [count, data[k].length / Math.max(count, 1)] },
    ]),
  );
}
