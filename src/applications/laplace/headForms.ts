import { memoized } from "../../concurrency/index.ts";
import type { DenseMatrix } from "../../linalg/index.ts";
import { type Head, headOf } from "../../structured/headFeatures.ts";
import {
  type BlockFunction,
  indicesOf,
  type LeftForms,
  type PlacedBlock,
  type StructuredOperator,
} from "../../structured/index.ts";
import type { LaplacePosterior } from "./laplacePosterior.ts";

/** Covariances of outputs from features of the last layer, without a Jacobian. */
export interface HeadForms {
  readonly head: Head;
  /** Variances [rows, outputs] of the outputs for features [rows, inputs], or covariances [rows, outputs, outputs]. */
  covariances(
    features: Float64Array,
    request: { readonly rows: number; readonly diagonal: boolean },
  ): Promise<Float64Array>;
}

/**
 * The covariance of outputs `f = phi W + b` where W has a Kronecker block with its outputs on the right,
 *
 *     Sigma = Q_B diag_j( sum_i (Q_A' phi)_i^2 / (a lambda_i mu_j + delta) ) Q_B'  +  P_b^-1,
 *
 * or all blocks are diagonal. O(I^2 + C I + C^2) for each row of I features and C outputs, in place of C Jacobians. Undefined for other weights, blocks or priors.
 */
export async function headForms(posterior: LaplacePosterior): Promise<HeadForms | undefined> {
  const { risk, indices, matrix, prior, factor } = posterior;
  const { blocks } = matrix as Partial<StructuredOperator>;
  if (indices !== undefined || blocks === undefined) return undefined;
  const head = await headOf(risk);
  if (head === undefined) return undefined;
  if (blocks.every(({ block }) => block.kind === "diagonal")) return diagonalForms(posterior, head);
  const plan = blocks.map((placed) => partOf(placed, { head, delta: prior.precision, factor }));
  if (plan.some((part) => part === undefined)) return undefined;
  const parts = plan as readonly Part[];
  const fixed = memoized(() => fixedForms(parts));
  return {
    head,
    async covariances(features, { rows, diagonal }) {
      const forms: LeftForms[] = [...(await fixed())];
      for (const { placed, f, width } of parts) {
        if (width === 0) continue;
        const data = width === head.inputs ? features : withOnes(features, { rows, inputs: head.inputs });
        forms.push(await placed.block.leftForms!(f, { data, rows }));
      }
      return summed(forms, { rows, outputs: head.outputs, diagonal, by: 1 / factor });
    },
  };
}

/** A block, its function (K + delta / a)^-1, and the numbers of a row that it is multiplied by; 0 for the bias alone. */
export interface Part {
  readonly placed: PlacedBlock;
  readonly f: BlockFunction;
  readonly width: number;
}

export function partOf(
  placed: PlacedBlock,
  { head, delta, factor }: { readonly head: Head; readonly delta: Float64Array; readonly factor: number },
): Part | undefined {
  const own = indicesOf(placed);
  const value = delta[own[0]];
  if (!own.every((at) => delta[at] === value)) return undefined;
  const f: BlockFunction = { damping: { value: value / factor, kind: "exact" }, power: -1 };
  const { weight, bias } = head;
  const isSame = (expected: Int32Array) => own.length === expected.length && own.every((at, k) => at === expected[k]);
  const { kind, leftForms, eigenvectors } = placed.block;
  const isKnown = kind === "diagonal" || leftForms !== undefined || eigenvectors !== undefined;
  if (bias !== undefined && isSame(bias)) return isKnown ? { placed, f, width: 0 } : undefined;
  if (leftForms === undefined) return undefined;
  if (isSame(weight)) return { placed, f, width: head.inputs };
  const joined = Int32Array.of(...weight, ...(bias ?? []));
  return bias !== undefined && isSame(joined) ? { placed, f, width: head.inputs + 1 } : undefined;
}

/** Of the bias alone: its covariance is the same for all rows, as a diagonal or in the basis of its block. */
export async function fixedForms(parts: readonly Part[]): Promise<readonly LeftForms[]> {
  const forms: LeftForms[] = [];
  for (const { placed, f, width } of parts) {
    if (width > 0) continue;
    const { block } = placed;
    if (block.leftForms !== undefined) forms.push(await block.leftForms(f, { data: Float64Array.of(1), rows: 1 }));
    else if (block.eigenvectors === undefined) forms.push({ weights: await block.diagonal(f) });
    else forms.push({ basis: await block.eigenvectors(), weights: await block.eigenvalues(f) });
  }
  return forms;
}

export function withOnes(
  features: Float64Array,
  { rows, inputs }: { readonly rows: number; readonly inputs: number },
): Float64Array {
  const all = new Float64Array(rows * (inputs + 1)).fill(1);
  for (let row = 0; row < rows; row++) {
    all.set(features.subarray(row * inputs, (row + 1) * inputs), row * (inputs + 1));
  }
  return all;
}

/** The sum of `by basis diag(weights) basis'` over forms, or its diagonal; weights of one row serve all. */
function summed(
  forms: readonly LeftForms[],
  request: { readonly rows: number; readonly outputs: number; readonly diagonal: boolean; readonly by: number },
): Float64Array {
  const { rows, outputs: n, diagonal, by } = request;
  const result = new Float64Array(rows * n * (diagonal ? 1 : n));
  for (const { basis, weights } of inOneBasis(forms, { rows, n })) {
    const squares = diagonal ? squaresOf(basis) : undefined;
    for (let row = 0; row < rows; row++) {
      const w = weights.length === n ? weights : weights.subarray(row * n, (row + 1) * n);
      if (diagonal) addDiagonal(result.subarray(row * n, (row + 1) * n), { squares, w, by });
      else addMatrix(result.subarray(row * n * n, (row + 1) * n * n), { basis: basis?.data, w, by });
    }
  }
  return result;
}

/** Forms in the same basis as one, whose weights are their sum. */
function inOneBasis(
  forms: readonly LeftForms[],
  { rows, n }: { readonly rows: number; readonly n: number },
): readonly LeftForms[] {
  const [first, ...rest] = forms;
  if (rest.length === 0 || rest.some(({ basis }) => basis !== first.basis)) return forms;
  const weights = new Float64Array(rows * n);
  for (const form of forms) {
    for (let k = 0; k < weights.length; k++) weights[k] += form.weights[form.weights.length === n ? k % n : k];
  }
  return [{ ...first, weights }];
}

/** Squares of the entries of a basis, which blocks and batches share. */
const squared = new WeakMap<DenseMatrix, Float64Array>();

function squaresOf(basis: DenseMatrix | undefined): Float64Array | undefined {
  if (basis === undefined) return undefined;
  const known = squared.get(basis) ?? basis.data.map((x) => x * x);
  squared.set(basis, known);
  return known;
}

function addDiagonal(
  target: Float64Array,
  { squares, w, by }: { readonly squares: Float64Array | undefined; readonly w: Float64Array; readonly by: number },
): void {
  const n = target.length;
  if (squares === undefined) {
    for (let c = 0; c < n; c++) target[c] += by * w[c];
    return;
  }
  for (let j = 0; j < n; j++) {
    const weight = by * w[j];
    for (let c = 0; c < n; c++) target[c] += weight * squares[j * n + c];
  }
}

function addMatrix(
  target: Float64Array,
  { basis, w, by }: { readonly basis: Float64Array | undefined; readonly w: Float64Array; readonly by: number },
): void {
  const n = w.length;
  for (let j = 0; j < n; j++) {
    if (basis === undefined) {
      target[j * n + j] += by * w[j];
      continue;
    }
    for (let a = 0; a < n; a++) {
      const weight = by * w[j] * basis[j * n + a];
      for (let b = 0; b < n; b++) target[a * n + b] += weight * basis[j * n + b];
    }
  }
}

/** With independent weights the outputs of a row are independent: `sum_i phi_i^2 P^-1_ic + P^-1_c` of the bias. */
function diagonalForms({ matrix, prior, factor }: LaplacePosterior, head: Head): HeadForms {
  const { inputs, outputs, weight, bias } = head;
  const inverse = memoized(async () => {
    const entries = await (matrix as StructuredOperator).diagonal();
    return Float64Array.from(entries, (x, i) => 1 / (factor * x + prior.precision[i]));
  });
  return {
    head,
    async covariances(features, { rows, diagonal }) {
      const v = await inverse();
      const stride = diagonal ? 1 : outputs + 1;
      const size = diagonal ? outputs : outputs * outputs;
      const result = new Float64Array(rows * size);
      for (let row = 0; row < rows; row++) {
        for (let i = 0; i < inputs; i++) {
          const square = features[row * inputs + i] ** 2;
          for (let c = 0; c < outputs; c++) result[row * size + c * stride] += square * v[weight[i * outputs + c]];
        }
        for (let c = 0; bias !== undefined && c < outputs; c++) result[row * size + c * stride] += v[bias[c]];
      }
      return result;
    },
  };
}
