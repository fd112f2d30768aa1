import { type DenseMatrix, eigh } from "../linalg/dense/index.ts";
import {
  denseBlock,
  diagonalBlock,
  diagonalKronecker,
  type EigenKroneckerBlock,
  eigenKronecker,
  kronecker,
  type PlacedBlock,
} from "./blocks/index.ts";

/** How the blocks of two sets of rows add up. */
export interface BlockWeights {
  /** Factors of both matrices in their sum. */
  readonly weights: readonly [number, number];
  /** Whether output factors are the identity and inputs alone count. */
  readonly inputsAlone: boolean;
}

/** The block of the rows of both. */
export async function mergedBlock(own: PlacedBlock, other: PlacedBlock, how: BlockWeights): Promise<PlacedBlock> {
  const inputs = own.inputs === undefined ? {} : { inputs: own.inputs + (other.inputs ?? 0) };
  return { ...own, ...inputs, block: await merged(own, other, how) };
}

async function merged(own: PlacedBlock, other: PlacedBlock, { weights, inputsAlone }: BlockWeights) {
  const { kind, arrays } = own.block;
  const array = (name: string): readonly [Float64Array, Float64Array] => [
    arrays[name].data as Float64Array,
    other.block.arrays[name].data as Float64Array,
  ];
  if (kind === "dense") return denseBlock(square(sum(array("matrix"), weights)));
  if (kind === "diagonal") {
    return inputsAlone ? own.block : diagonalBlock(sum(array("entries"), weights));
  }
  if (kind === "eigenKronecker") {
    return mergedEigenKronecker([own.block, other.block] as unknown as Pair<EigenKroneckerBlock>, weights);
  }
  const isTable = kind === "diagonalKronecker";
  const [A, B] = [array("A"), array("B")];
  const shares = inputShares(own, other);
  const left = sum(A, shares ?? weights);
  if (shares !== undefined) {
    const right = square(inputsAlone ? B[0] : sum(B, weights));
    return isTable ? diagonalKronecker({ A: left, B: right }) : kronecker({ A: square(left), B: right });
  }
  // Two-sided factors L (x) R / tr L: both L and R = tr L times the right factor add up.
  const trace = (x: Float64Array) => (isTable ? total(x) : traceOf(square(x)));
  const right = sum(B, [weights[0] * trace(A[0]), weights[1] * trace(A[1])]);
  const whole = trace(left);
  const scaled = square(right.map((x) => (whole > 0 ? x / whole : 0)));
  return isTable ? diagonalKronecker({ A: left, B: scaled }) : kronecker({ A: square(left), B: scaled });
}

type Pair<T> = readonly [T, T];

/** The shares of the inputs of both in a mean over all; undefined for factors that are no means. */
function inputShares({ inputs }: PlacedBlock, other: PlacedBlock): Pair<number> | undefined {
  if (inputs === undefined || other.inputs === undefined) return undefined;
  const all = inputs + other.inputs;
  return all === 0 ? [0, 0] : [inputs / all, other.inputs / all];
}

/** The diagonal of the sum of both in a basis: their own if it is one, else the eigenvectors of its partial traces. */
async function mergedEigenKronecker(blocks: Pair<EigenKroneckerBlock>, weights: Pair<number>) {
  const [own, other] = blocks;
  const isSame = same(own.QA?.data, other.QA?.data) && same(own.QB.data, other.QB.data);
  if (isSame) return eigenKronecker({ QA: own.QA, QB: own.QB, E: sum([own.E, other.E], weights) });
  const n = own.QB.rows;
  const m = own.E.length / n;
  const unit = own.QA === undefined && other.QA === undefined;
  const partial = (side: "left" | "right") => {
    const d = side === "left" ? m : n;
    const data = new Float64Array(d * d);
    blocks.forEach(({ QA, QB, E }, k) => {
      const Q = side === "left" ? (QA?.data ?? identity(m)) : QB.data;
      for (let e = 0; e < d; e++) {
        let weight = 0;
        for (let j = 0; j < m * n; j++) if ((side === "left" ? Math.floor(j / n) : j % n) === e) weight += E[j];
        addOuter(data, Q.subarray(e * d, (e + 1) * d), weight * weights[k]);
      }
    });
    return { rows: d, columns: d, data };
  };
  const QA = unit ? undefined : (await eigh(partial("left"))).vectors;
  const QB = (await eigh(partial("right"))).vectors;
  const E = new Float64Array(m * n);
  blocks.forEach((block, k) => {
    const right = squaredOverlaps(QB.data, block.QB.data, n);
    const left = QA === undefined ? undefined : squaredOverlaps(QA.data, block.QA?.data ?? identity(m), m);
    const turned = timesTransposed(block.E, right, { m, n });
    const whole = left === undefined ? turned : timesMatrix(left, turned, { m, n });
    for (let i = 0; i < E.length; i++) E[i] += weights[k] * whole[i];
  });
  return eigenKronecker({ QA, QB, E });
}

const same = (a: Float64Array | undefined, b: Float64Array | undefined) =>
  a === b || (a !== undefined && b !== undefined && a.every((x, i) => x === b[i]));

function sum([a, b]: Pair<Float64Array>, [v, w]: Pair<number>): Float64Array {
  return a.map((x, i) => v * x + w * b[i]);
}

function square(data: Float64Array): DenseMatrix {
  const d = Math.round(Math.sqrt(data.length));
  return { rows: d, columns: d, data };
}

const total = (x: Float64Array) => x.reduce((a, b) => a + b, 0);

function traceOf({ rows, data }: DenseMatrix): number {
  let trace = 0;
  for (let i = 0; i < rows; i++) trace += data[i * (rows + 1)];
  return trace;
}

function identity(n: number): Float64Array {
  const data = new Float64Array(n * n);
  for (let i = 0; i < n; i++) data[i * (n + 1)] = 1;
  return data;
}

function addOuter(data: Float64Array, q: Float64Array, weight: number): void {
  const d = q.length;
  for (let j = 0; j < d; j++) for (let i = 0; i < d; i++) data[j * d + i] += weight * q[i] * q[j];
}

/** `(q_i . p_j)^2` for the columns of Q and P, [d, d], row-major. */
function squaredOverlaps(Q: Float64Array, P: Float64Array, d: number): Float64Array {
  const result = new Float64Array(d * d);
  for (let i = 0; i < d; i++) {
    for (let j = 0; j < d; j++) {
      let inner = 0;
      for (let k = 0; k < d; k++) inner += Q[i * d + k] * P[j * d + k];
      result[i * d + j] = inner * inner;
    }
  }
  return result;
}

/** E C' for E [m, n] and C [n, n], row-major. */
function timesTransposed(
  E: Float64Array,
  C: Float64Array,
  { m, n }: { readonly m: number; readonly n: number },
): Float64Array {
  const result = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) for (let k = 0; k < n; k++) result[i * n + j] += E[i * n + k] * C[j * n + k];
  }
  return result;
}

/** C E for C [m, m] and E [m, n], row-major. */
function timesMatrix(
  C: Float64Array,
  E: Float64Array,
  { m, n }: { readonly m: number; readonly n: number },
): Float64Array {
  const result = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let k = 0; k < m; k++) for (let j = 0; j < n; j++) result[i * n + j] += C[i * m + k] * E[k * n + j];
  }
  return result;
}
