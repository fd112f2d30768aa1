import { input, type Value } from "../../graph/index.ts";
import type { Tensors } from "../../operators/engine/risk.ts";
import { add, equal, indicator, matmul, mul, reduceSum, reshape, zeros } from "../../primitives/index.ts";
import { compile, type Program } from "../../runtime/index.ts";
import { dtypeOf, type Precision, type Vector } from "../../tensors/index.ts";
import type { RowFeatures } from "./rowFeatures.ts";

/** Compiled inner products of rows' gradients from their features. */
export interface FeatureProducts {
  /** [rows of x, rows of y], row-major. */
  run(x: RowFeatures, y: RowFeatures): Promise<Vector>;
  release(): Promise<void>;
}

/** Inner products of gradients, one program for each pair of shapes. */
export function featureProducts({
  precision,
  threads,
}: {
  readonly precision: Precision;
  readonly threads: number | undefined;
}): FeatureProducts {
  const programs = new Map<string, Promise<Program>>();
  return {
    async run(x, y) {
      const key = JSON.stringify(
        [x, y].map(({ arrays }) => Object.entries(arrays).map(([name, { dims }]) => [name, dims])),
      );
      const known = programs.get(key) ?? compile(productGraph(x, y), { precision, ...(threads && { threads }) });
      programs.set(key, known);
      const { products } = await (await known).run({ ...named("x", x.arrays), ...named("y", y.arrays) });
      return products.data as Vector;
    },
    async release() {
      for (const program of programs.values()) await (await program).release();
    },
  };
}

const named = (side: string, arrays: Tensors): Tensors =>
  Object.fromEntries(Object.entries(arrays).map(([name, tensor]) => [`${side} ${name}`, tensor]));

function productGraph(x: RowFeatures, y: RowFeatures) {
  const inputs: { [name: string]: Value } = {};
  for (const [side, { arrays }] of [
    ["x", x],
    ["y", y],
  ] as const) {
    for (const [name, tensor] of Object.entries(arrays)) {
      const type = dtypeOf(tensor) === "int64" ? "int64" : "float";
      inputs[`${side} ${name}`] = input(`${side} ${name}`, tensor.dims, type);
    }
  }
  const parts = Object.keys(x.arrays).flatMap((name): Value[] => {
    const [kind, part] = name.split(" ");
    if (kind === "g") return [];
    const own = (side: string, array: string) => inputs[`${side} ${array} ${part}`];
    if (kind === "P") return [matmul(own("x", "P"), own("y", "P"), { transposeB: true })];
    return [byPositions({ ax: own("x", "a"), ay: own("y", "a"), gx: own("x", "g"), gy: own("y", "g") })];
  });
  const products = parts.length === 0 ? zeros([x.rows, y.rows]) : parts.reduce((sum, part) => add(sum, part));
  return { inputs, outputs: { products } };
}

/** `sum_st (a_s . a'_t)(g_s . g'_t)` over groups and the positions s, t of both rows, [rows of x, rows of y]. */
function byPositions({
  ax,
  ay,
  gx,
  gy,
}: {
  readonly ax: Value;
  readonly ay: Value;
  readonly gx: Value;
  readonly gy: Value;
}): Value {
  const [groups, n, S, outputs] = gx.shape;
  const [, m, T] = gy.shape;
  const flat = (value: Value, size: number) => reshape(value, [groups, value.shape[1] * value.shape[2], size]);
  const ofCotangents = matmul(flat(gx, outputs), flat(gy, outputs), { transposeB: true });
  const isTable = ax.shape.length === 2;
  const ofInputs = isTable
    ? indicator(equal(reshape(ax, [1, n * S, 1]), reshape(ay, [1, 1, m * T])))
    : matmul(flat(ax, ax.shape[3]), flat(ay, ay.shape[3]), { transposeB: true });
  const all = reshape(mul(ofInputs, ofCotangents), [groups, n, S, m, T]);
  return reshape(reduceSum(all, [0, 2, 4]), [n, m]);
}
