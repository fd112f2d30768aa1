import { openSession } from "#runtime";
import { memoized } from "../concurrency/index.ts";
import { writeModel } from "../onnx/index.ts";
import type { Precision, Tensor } from "../tensors/index.ts";
import type { Session } from "./session.ts";

/** Products with a matrix of k long rows of n numbers, for any k and n. */
export interface BasisProducts {
  /** Q v: [k, n], [n] -> [k]. */
  project(Q: Tensor, v: Tensor): Promise<Tensor>;
  /** v + Q' c: [n], [k, n], [k] -> [n]. The engine has a faster way for this sum than for a difference. */
  accumulate(v: Tensor, Q: Tensor, c: Tensor): Promise<Tensor>;
  /** S Q: [m, k], [k, n] -> [m, n]. */
  combine(S: Tensor, Q: Tensor): Promise<Tensor>;
  release(): Promise<void>;
}

/**
 * Products with a basis of long vectors by ONNX Runtime, several times faster than loops of JavaScript. Sums are accumulated in
 * the precision asked for.
 */
export function basisProducts({
  precision,
  threads,
}: {
  readonly precision: Precision;
  readonly threads?: number;
}): BasisProducts {
  const open = (bytes: Uint8Array) =>
    openSession(bytes, { optimization: "basic", ...(threads === undefined ? {} : { threads }) });
  const projection = openedLater(() => open(projectionModel(precision)));
  const accumulation = openedLater(() => open(accumulationModel(precision)));
  const combination = openedLater(() => open(combinationModel(precision)));
  return {
    async project(Q, v) {
      const { c } = await (await projection.get()).run({ Q, v: { data: v.data, dims: [v.data.length, 1] } }, ["c"]);
      return { data: c.data, dims: [c.data.length] };
    },
    async accumulate(v, Q, c) {
      const row = (tensor: Tensor) => ({ data: tensor.data, dims: [1, tensor.data.length] });
      const { w } = await (await accumulation.get()).run({ v: row(v), Q, c: row(c) }, ["w"]);
      return { data: w.data, dims: [w.data.length] };
    },
    async combine(S, Q) {
      const { W } = await (await combination.get()).run({ S, Q }, ["W"]);
      return { data: W.data, dims: [...W.dims] };
    },
    async release() {
      await projection.release();
      await accumulation.release();
      await combination.release();
    },
  };
}

/** A session that is opened when first asked for. */
function openedLater(open: () => Promise<Session>) {
  const get = memoized(open);
  return { get, release: async () => (await get.known())?.release() };
}

function projectionModel(dtype: Precision): Uint8Array {
  return model({
    nodes: [{ op: "MatMul", inputs: ["Q", "v"], outputs: ["c"], attributes: {} }],
    inputs: [
      { name: "Q", dtype, dims: ["k", "n"] },
      { name: "v", dtype, dims: ["n", 1] },
    ],
    outputs: [{ name: "c", dtype, dims: ["k", 1] }],
  });
}

function accumulationModel(dtype: Precision): Uint8Array {
  return model({
    nodes: [{ op: "Gemm", inputs: ["c", "Q", "v"], outputs: ["w"], attributes: {} }],
    inputs: [
      { name: "v", dtype, dims: [1, "n"] },
      { name: "Q", dtype, dims: ["k", "n"] },
      { name: "c", dtype, dims: [1, "k"] },
    ],
    outputs: [{ name: "w", dtype, dims: [1, "n"] }],
  });
}

function combinationModel(dtype: Precision): Uint8Array {
  return model({
    nodes: [{ op: "MatMul", inputs: ["S", "Q"], outputs: ["W"], attributes: {} }],
    inputs: [
      { name: "S", dtype, dims: ["m", "k"] },
      { name: "Q", dtype, dims: ["k", "n"] },
    ],
    outputs: [{ name: "W", dtype, dims: ["m", "n"] }],
  });
}

type GraphPart = Pick<Parameters<typeof writeModel>[0]["graph"], "nodes" | "inputs" | "outputs">;

function model(graph: GraphPart): Uint8Array {
  const named = { name: "basis products", initializers: [], ...graph };
  return writeModel({ producer: "onnx-curvature", opsets: { "": 17 }, graph: named });
}
