import { vjp } from "../autodiff/index.ts";
import { CurvatureError } from "../errors/index.ts";
import { input, type Value } from "../graph/index.ts";
import { eighInPlace } from "../linalg/dense/index.ts";
import type { RunOptions } from "../linalg/index.ts";
import type { BatchProduct, Risk } from "../operators/index.ts";
import { broadcast, matmul, mul, reduceSum, reshape, square, swapLastAxes } from "../primitives/index.ts";
import { stream } from "../random/index.ts";
import { diagonalBlock, eigenKronecker, type PlacedBlock } from "./blocks/index.ts";
import { type Head, headLayer, headOf } from "./headFeatures.ts";
import { type ApproximatedMatrix, rootOf } from "./roots/rootOf.ts";
import { type StructuredOperator, structuredOperator } from "./structuredOperator.ts";

/** Outputs from which the curvature of a last layer is made of sums over outputs, and not of C reverse passes. */
const MANY_OUTPUTS = 512;

/** Whether the curvature of a risk's weights can be made by `headKfac` and `headDiagonal`, and is cheaper so. */
export async function isLargeHead(
  risk: Risk,
  of: ApproximatedMatrix,
  { least = MANY_OUTPUTS }: { readonly least?: number } = {},
): Promise<boolean> {
  const { layout, lossFunction, data, rows, summedRows } = risk;
  const { likelihood } = lossFunction;
  if (layout.outputs < least || layout.positions !== 1 || data.weighted || rows !== summedRows) return false;
  if (likelihood?.expectedHessianSum === undefined || likelihood.expectedHessianDiagonal === undefined) return false;
  const isHessian = of === "ggn" || (typeof of === "object" && of.type === 2);
  return isHessian && (await headOf(risk)) !== undefined && (await isExpected(risk, of));
}

/** Whether the output matrices of a matrix are those that the likelihood expects, as a product with random numbers shows on the first rows. */
async function isExpected(risk: Risk, of: ApproximatedMatrix): Promise<boolean> {
  const root = rootOf(risk, of);
  const product: BatchProduct = {
    build(batch) {
      const { f, loss } = batch;
      const v = input("v", f.shape);
      const u = input("u", [f.shape[0], root.columns(batch)]);
      const constants = root.constants?.of(batch) ?? {};
      const [back] = vjp([broadcast(root.apply(batch, u, constants), f.shape)], [u], [v]);
      const own = root.apply(batch, back!, constants);
      return { vectors: { v }, constants, outputs: { own, expected: loss.likelihood!.expectedHessian(f, v) } };
    },
  };
  await root.constants?.numbers.prepare({});
  const random = stream(0, "expected curvature");
  const call = {
    feed: ({ rows }: { readonly rows: number }) => {
      const size = rows * risk.layout.outputs;
      return {
        v: { data: Float64Array.from({ length: size }, () => random.normal()), dims: [rows, risk.layout.outputs] },
      };
    },
    constants: {
      of: (batch: { index: number; start: number; rows: number }) => root.constants?.numbers.of(batch) ?? {},
    },
  };
  for await (const { outputs } of risk.engine.batches(product, call)) {
    const [own, expected] = [outputs.own.data as Float64Array, outputs.expected.data as Float64Array];
    let [worst, largest] = [0, 0];
    for (let i = 0; i < own.length; i++) {
      worst = Math.max(worst, Math.abs(own[i] - expected[i]));
      largest = Math.max(largest, Math.abs(expected[i]));
    }
    return worst <= 1e-4 * largest;
  }
  return false;
}

/** What is summed over a batch. */
interface HeadValues {
  /** phi, [T, I]. */
  readonly features: Value;
  readonly f: Value;
  readonly weights: Value | undefined;
}

/** Sums over all rows, in float64. */
async function headSums(
  risk: Risk,
  build: (values: HeadValues) => { readonly [name: string]: Value },
  options: RunOptions,
) {
  const product: BatchProduct = {
    build(batch) {
      const { f, weights } = batch.layered();
      const { input: phi } = headLayer(batch)!;
      return { outputs: build({ features: reshape(phi, [f.shape[0], phi.shape[phi.shape.length - 1]]), f, weights }) };
    },
  };
  return risk.engine.total(product, { options });
}

/**
 * `kfac` of a last layer of many outputs: A = mean of phi phi' and B = c sum_t w_t M_t by one product of matrices a batch, without C reverse passes, and the one eigendecomposition of B that weight and bias
 * share. O(N (I^2 + C^2)) operations for the sums and 9 C^3 for the eigenvectors; C^2 numbers, three times while
 * these are computed.
 */
export async function headKfac(risk: Risk, options: RunOptions = {}): Promise<StructuredOperator> {
  const head = await checkedHead(risk);
  const { likelihood } = risk.lossFunction;
  const sums = await headSums(
    risk,
    ({ features, f, weights }) => {
      const { diagonal, rest } = likelihood!.expectedHessianSum!(f, weights);
      return { A: matmul(features, features, { transposeA: true }), diagonal, rest };
    },
    options,
  );
  const scaled = (data: Float64Array, by: number) => {
    for (let i = 0; i < data.length; i++) data[i] *= by;
    return data;
  };
  const { inputs: I, outputs: C } = head;
  const B = scaled(sums.rest.data as Float64Array, -risk.scale);
  for (let c = 0; c < C; c++) B[c * (C + 1)] += risk.scale * Number(sums.diagonal.data[c]);
  const left = await eighInPlace({ rows: I, columns: I, data: scaled(sums.A.data as Float64Array, 1 / risk.rows) });
  const right = await eighInPlace({ rows: C, columns: C, data: B });
  const [a, b] = [left.values, right.values].map(withoutRounding);
  const E = new Float64Array(I * C);
  for (let i = 0; i < I; i++) for (let j = 0; j < C; j++) E[i * C + j] = a[i] * b[j];
  const basis = { QA: left.vectors, QB: right.vectors };
  const reason = "Kronecker factors (last layer of many outputs)";
  const blocks: PlacedBlock[] = [
    { block: eigenKronecker({ ...basis, E }), name: "weight", parameters: [], place: { indices: head.weight }, reason },
  ];
  if (head.bias !== undefined) {
    const one = { rows: 1, columns: 1, data: Float64Array.of(1) };
    const block = eigenKronecker({ QA: one, QB: right.vectors, E: b });
    blocks.push({
      block,
      name: "bias",
      parameters: [],
      place: { indices: head.bias },
      reason: "exact block of the bias",
    });
  }
  return structuredOperator({ size: risk.size, dtype: risk.dtype, blocks });
}

/** Eigenvalues that rounding made negative, or that are not known from 0, as 0. */
function withoutRounding(values: Float64Array): Float64Array {
  const limit = values.length * Number.EPSILON * values.reduce((largest, x) => Math.max(largest, x), 0);
  return values.map((x) => (x <= limit ? 0 : x));
}

/** `diagonal` of a last layer of many outputs, c sum_t w_t phi_i^2 M_cc, by one product of matrices a batch. O(N C I) operations and C I numbers. */
export async function headDiagonal(risk: Risk, options: RunOptions = {}): Promise<StructuredOperator> {
  const head = await checkedHead(risk);
  const { likelihood } = risk.lossFunction;
  const sums = await headSums(
    risk,
    ({ features, f, weights }) => {
      const own = likelihood!.expectedHessianDiagonal!(f);
      const d = weights === undefined ? own : mul(own, reshape(weights, [f.shape[0], 1]));
      return { W: matmul(swapLastAxes(square(features)), d), b: reduceSum(d, [0]) };
    },
    options,
  );
  const entries = new Float64Array(risk.size);
  head.weight.forEach((at, k) => {
    entries[at] = risk.scale * Number(sums.W.data[k]);
  });
  head.bias?.forEach((at, k) => {
    entries[at] = risk.scale * Number(sums.b.data[k]);
  });
  const block = diagonalBlock(entries);
  const reason = "diagonal (last layer of many outputs)";
  return structuredOperator({
    size: risk.size,
    dtype: risk.dtype,
    blocks: [{ block, name: "all weights", parameters: [], place: { offset: 0 }, reason }],
  });
}

async function checkedHead(risk: Risk): Promise<Head> {
  const head = await headOf(risk);
  if (head !== undefined) return head;
  throw new CurvatureError("unsupported", "the weights of this risk are not those of a last layer");
}
