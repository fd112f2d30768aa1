import { jvp, vjp } from "../../autodiff/index.ts";
import { rebatch } from "../../data/index.ts";
import { CurvatureError } from "../../errors/index.ts";
import { input, type Value } from "../../graph/index.ts";
import { type DenseMatrix, eigh } from "../../linalg/dense/index.ts";
import type { LinearOperator, RunOptions } from "../../linalg/operator/operator.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import { withInputCopy } from "../../linalg/vectors/inputCopy.ts";
import { checkLength, vectorFeeds, vectorName } from "../../operators/engine/flatVectors.ts";
import type { BatchProduct, Risk } from "../../operators/engine/risk.ts";
import { checkRisk } from "../../operators/products/checkRisk.ts";
import { add, broadcast, mul, sqrt, zeros } from "../../primitives/index.ts";
import { toPrecision, type Vector } from "../../tensors/index.ts";
import { termPasses } from "../passes/termPasses.ts";
import { type LayerPlan, layerPlan } from "../plan/layerPlan.ts";
import { type PieceSums, pieceTotals } from "../plan/pieceTotals.ts";
import type { OutputRoot } from "../roots/outputRoot.ts";
import { type ApproximatedMatrix, rootOf } from "../roots/rootOf.ts";
import { parameterGram, pieceGram } from "./pieceGram.ts";

/** Options of a matrix through its Gram matrix. */
export interface GramOptions extends RunOptions {
  /** The matrix; default "ggn". */
  readonly of?: ApproximatedMatrix | undefined;
}

/** A Gauss-Newton or Fisher matrix of few rows, with its exact eigenvalues, inverse and determinant. */
export interface GramMatrix extends LinearOperator {
  readonly symmetric: true;
  readonly psd: true;
  /** The eigenvalues that are not zero to rounding, descending. All others of the [size, size] matrix are 0. */
  readonly values: Float64Array;
  /** The eigenvector of `values[k]`, [size], of norm 1. One pass over the data. */
  eigenvector(k: number): Promise<Vector>;
  trace(): Promise<number>;
  /** (G + damping I)^-1; damping must be positive. A product is two passes over the data. */
  inverse(options: { readonly damping: number }): LinearOperator;
  /** log det(G + damping I) over all parameters; damping must be positive. */
  logdet(options: { readonly damping: number }): Promise<number>;
}

/** Most columns of the factor U. */
const MOST_COLUMNS = 8192;

/** Eigenvalues below this share of the largest count as zero. */
const ROUNDING = { float32: 1e-6, float64: 1e-12 } as const;

/**
 * A generalized Gauss-Newton or Fisher matrix `G = U U'` of few rows through its Gram matrix U'U [m, m], m = rows times terms times columns of the
 * output matrix's root: the same eigenvalues but for zeros, eigenvectors `U q / sqrt(value)`, `(G + d I)^-1 x = (x - U (U'U + d I)^-1 U'x) / d`
 * and `log det(G + d I) = size log d + log det(I + U'U / d)` (Dangel, Tatzel and Hennig, 2022). The Gram matrix is a sum over layers of products
 * of small matrices, and U is never formed.
 *
 * Costs one pass with all rows in one batch, and 9 m^3 operations.
 *
 * @throws CurvatureError "argument" for more than 8,192 columns, "unsupported" for parameters that enter outside of layers, for a
 *   matrix that has no root, and for a risk with `coupledRows`
 */
export async function gramGgn(risk: Risk, options: GramOptions = {}): Promise<GramMatrix> {
  checkRisk(risk, "gramGgn");
  checkOptions("gramGgn", options, "of signal onProgress");
  const { of = "ggn", ...run } = options;
  checkOneProcess(risk);
  const { data } = risk;
  // Inner products of rows need them in one batch.
  const whole = data.batchSize >= data.rows ? risk : await risk.on(rebatch(data, data.rows), { shard: risk.shard });
  const plan = await layerPlan(whole);
  checkPlan(risk, plan);
  const root = rootOf(whole, of);
  const columns = root.columns(await whole.engine.graph());
  const size = risk.rows * risk.layout.positions * columns;
  checkColumns(risk, size);
  const passes = termPasses(whole, { columns, terms: "exact", seed: undefined });
  const sums = gramSums(plan, size);
  const key = JSON.stringify(["gram", of]);
  // The Gram matrix has products of all passes, so that these run at once.
  const { gram } = await pieceTotals(whole, { root, passes, sums, key, outputEntries: 0, options: run });
  const spectrum = await spectrumOf({ data: gram.data as Float64Array, size, risk });
  return gramMatrix(whole, { ...spectrum, root, columns });
}

function checkColumns({ rows, layout: { positions } }: Risk, size: number): void {
  if (size <= MOST_COLUMNS) return;
  throw new CurvatureError(
    "argument",
    `gramGgn: ${rows} rows with ${positions} terms make ${size} columns; it takes at most ${MOST_COLUMNS}. Take fewer rows with takeRows, one sampled label with of: { type: 1, labels: 1, seed }, or kfac`,
  );
}

function checkOneProcess({ rows, summedRows }: Risk): void {
  if (summedRows === rows) return;
  throw new CurvatureError(
    "unsupported",
    `gramGgn needs all rows in one process, but this rank has ${rows} of ${summedRows}; use ggn or kfac`,
  );
}

function checkPlan({ parameters, coupledRows }: Risk, plan: LayerPlan): void {
  if (coupledRows) {
    throw new CurvatureError(
      "unsupported",
      "gramGgn needs rows that contribute independently, but this risk has coupledRows",
    );
  }
  const outside = parameters.filter((_, index) => plan.parameters[index].form === "outside");
  if (outside.length === 0) return;
  throw new CurvatureError(
    "unsupported",
    `gramGgn: parameters ${outside.map(({ name }) => JSON.stringify(name)).join(", ")} enter outside of layers; leave them out with { parameters }, or use ggn`,
  );
}

function gramSums({ parameters }: LayerPlan, size: number): PieceSums {
  return {
    build(pieces) {
      const parts = parameters.flatMap((own, index): Value[] => {
        if (own.form === "matrices") {
          return own.matrices.flatMap(({ entries }) => {
            const found = pieces.matrix(index, entries);
            return found === undefined ? [] : [pieceGram(found)];
          });
        }
        const found = pieces.parameter(index);
        return found === undefined ? [] : [parameterGram(found)];
      });
      return { gram: parts.length === 0 ? zeros([size, size]) : parts.reduce((sum, part) => add(sum, part)) };
    },
  };
}

interface GramSpectrum {
  readonly values: Float64Array;
  /** Eigenvectors of U'U for these values, [m, values.length], passes outermost. */
  readonly vectors: DenseMatrix;
}

async function spectrumOf({
  data,
  size,
  risk,
}: {
  readonly data: Float64Array;
  readonly size: number;
  readonly risk: Risk;
}): Promise<GramSpectrum> {
  const symmetric = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++)
      symmetric[i * size + j] = 0.5 * risk.scale * (data[i * size + j] + data[j * size + i]);
  }
  const { values, vectors } = await eigh({ rows: size, columns: size, data: symmetric });
  const largest = values[size - 1] ?? 0;
  const rank = values.reduce((count, x) => count + Number(x > ROUNDING[risk.dtype] * largest), 0);
  const kept = Float64Array.from({ length: rank }, (_, k) => values[size - 1 - k]);
  const columns = new Float64Array(size * rank);
  for (let k = 0; k < rank; k++) {
    columns.set(vectors.data.subarray((size - 1 - k) * size, (size - k) * size), k * size);
  }
  return { values: kept, vectors: { rows: size, columns: rank, data: columns } };
}

/** U'x and U w for all rows, w [T, V] in the order of terms. */
function factorProducts(
  root: OutputRoot,
  columns: number,
): { readonly toColumns: BatchProduct; readonly fromColumns: BatchProduct } {
  return {
    toColumns: {
      build(batch) {
        const v = batch.parameters.map(({ shape }, i) => input(vectorName(i), shape));
        const [tangent] = jvp([batch.f], batch.parameters, v);
        const u = input("u", [batch.f.shape[0], columns]);
        const constants = root.constants?.of(batch) ?? {};
        const applied = broadcast(root.apply(batch, u, constants), batch.f.shape);
        // The root is linear in u, so that its transpose does not depend on u.
        const [w] = tangent === null ? [zeros(u.shape)] : vjp([applied], [u], [mul(tangent, sqrt(batch.scale))]);
        const vectors = Object.fromEntries(v.map((value, i) => [vectorName(i), value]));
        return { vectors, constants: { ...constants, u }, outputs: { w } };
      },
    },
    fromColumns: {
      build(batch) {
        const u = input("u", [batch.f.shape[0], columns]);
        const constants = root.constants?.of(batch) ?? {};
        const cotangent = broadcast(mul(root.apply(batch, u, constants), sqrt(batch.scale)), batch.f.shape);
        return { vectors: { u }, constants, flat: vjp([batch.f], batch.parameters, [cotangent]) };
      },
    },
  };
}

interface GramParts extends GramSpectrum {
  readonly root: OutputRoot;
  readonly columns: number;
}

/** Coordinates in the eigenvectors q_k of the Gram matrix. */
interface GramCoordinates {
  /** The coefficients q_k' U' x, [values.length]. */
  coefficients(x: Vector, options: RunOptions): Promise<Float64Array>;
  /** U Q c. */
  combined(c: Float64Array, options: RunOptions): Promise<Vector>;
}

function gramCoordinates(risk: Risk, { values, vectors, root, columns }: GramParts): GramCoordinates {
  const { toColumns, fromColumns } = factorProducts(root, columns);
  const order = columnOrder(risk, columns);
  const dims = [risk.rows * risk.layout.positions, columns];
  const zero = { data: new Float64Array(dims[0] * columns), dims };
  return {
    async coefficients(x, options) {
      await root.constants?.numbers.prepare(options);
      const { w } = await risk.engine.total(toColumns, {
        feed: () => vectorFeeds(x, risk.parameters),
        constants: { of: (batch) => ({ ...root.constants?.numbers.of(batch), u: zero }) },
        options,
      });
      return values.map((_, k) => {
        let sum = 0;
        for (let i = 0; i < order.length; i++) sum += vectors.data[k * order.length + i] * Number(w.data[order[i]]);
        return sum;
      });
    },
    async combined(c, options) {
      await root.constants?.numbers.prepare(options);
      const w = new Float64Array(order.length);
      c.forEach((weight, k) => {
        for (let i = 0; i < order.length; i++) w[order[i]] += weight * vectors.data[k * order.length + i];
      });
      return risk.engine.sum(fromColumns, {
        feed: () => ({ u: { data: w, dims } }),
        constants: { of: (batch) => root.constants?.numbers.of(batch) ?? {} },
        options,
      });
    },
  };
}

/** a x + U Q diag(f) Q' U' x. */
function gramFunction(
  { size, dtype }: Risk,
  {
    values,
    coordinates,
    a,
    f,
  }: {
    readonly values: Float64Array;
    readonly coordinates: GramCoordinates;
    readonly a: number;
    readonly f: (value: number) => number;
  },
): LinearOperator {
  return {
    shape: [size, size],
    dtype,
    symmetric: true,
    psd: true,
    async matvec(x, options = {}) {
      checkLength(x, size);
      return withInputCopy(x, async (own) => {
        const c = await coordinates.coefficients(toPrecision(own, dtype), options);
        const turned = c.map((value, k) => value * f(values[k]));
        const y = Float64Array.from(await coordinates.combined(turned, options));
        for (let i = 0; i < size; i++) y[i] += a * own[i];
        return toPrecision(y, dtype);
      });
    },
  };
}

function gramMatrix(risk: Risk, parts: GramParts): GramMatrix {
  const { size } = risk;
  const { values } = parts;
  const coordinates = gramCoordinates(risk, parts);
  const through = (a: number, f: (value: number) => number) => gramFunction(risk, { values, coordinates, a, f });
  return {
    // G = U U', where U Q Q' = U on the kept vectors.
    ...through(0, () => 1),
    symmetric: true,
    psd: true,
    values,
    async eigenvector(k) {
      if (!(Number.isInteger(k) && k >= 0 && k < values.length)) {
        throw new CurvatureError(
          "argument",
          `eigenvector: k must be one of 0 to ${values.length - 1}, got ${String(k)}`,
        );
      }
      return coordinates.combined(
        values.map((value, i) => (i === k ? 1 / Math.sqrt(value) : 0)),
        {},
      );
    },
    trace: async () => values.reduce((sum, x) => sum + x, 0),
    inverse({ damping }) {
      checkDamping("inverse", damping);
      return through(1 / damping, (value) => -1 / (damping * (value + damping)));
    },
    async logdet({ damping }) {
      checkDamping("logdet", damping);
      return size * Math.log(damping) + values.reduce((sum, x) => sum + Math.log1p(x / damping), 0);
    },
  };
}

function checkDamping(name: string, damping: number): void {
  if (damping > 0 && Number.isFinite(damping)) return;
  throw new CurvatureError(
    "argument",
    `${name}: a matrix of few rows is singular, so damping must be positive, got ${String(damping)}`,
  );
}

/** For each column of the Gram matrix, passes outermost and rows within, its place among [terms, columns]. */
function columnOrder({ rows, layout: { positions } }: Risk, columns: number): Int32Array {
  const order = new Int32Array(rows * positions * columns);
  let at = 0;
  for (let position = 0; position < positions; position++) {
    for (let column = 0; column < columns; column++) {
      for (let row = 0; row < rows; row++) order[at++] = (row * positions + position) * columns + column;
    }
  }
  return order;
}
