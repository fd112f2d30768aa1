import type { DenseMatrix } from "../../linalg/dense/index.ts";
import { choleskySolve } from "../../linalg/index.ts";
import { multiply } from "../../linalg/vectors/vector.ts";
import type { Vector } from "../../tensors/index.ts";
import type { ConstrainedMinimum, Constraint, CurvatureModel } from "./curvatureModel.ts";
import {
  blockOperator,
  blockProduct,
  type DenseBlock,
  type DenseBlockOperator,
  dampedFactor,
  gathered,
  part,
  principalPart,
} from "./denseBlocks.ts";

/** What a model of dense blocks is made with. */
interface BlockSetup {
  readonly damping: number;
  readonly alive?: Uint8Array | undefined;
  readonly route: "blocks" | "dense";
  readonly matvecs: number;
}

// Derivation. The model m(d) = g'd + d'M d / 2, M = A + damping I, is minimized over the entries R that are free, with d_Q = t given. Its gradient there vanishes: M_RR d_R = -M_RQ t - g_R. With
// C = M^-1 and u = C g the same d is -u + C_:Q x with C_QQ x = t + u_Q, which is a system of |Q| instead of |R| unknowns (Hassibi and Stork, 1993, for one entry and g = 0). The smaller is solved.

/** The model of a matrix whose blocks are at hand: all that it says is exact. */
export function blockModel(A: DenseBlockOperator, { damping, alive, route, matvecs }: BlockSetup): CurvatureModel {
  const [size] = A.shape;
  const reduced = alive === undefined ? A : aliveBlocks(A, alive);
  const { denseBlocks } = reduced;
  const inverse = () => reduced.inverseBlocks(damping);
  const solve = async (b: Vector) => blockProduct(await inverse(), b);
  return {
    route,
    damping,
    matvecs: () => matvecs,
    diagonal: async () => ({ values: diagonalOf(denseBlocks, size) }),
    inverseDiagonal: async () => ({ values: diagonalOf(await inverse(), size) }),
    product: async (x) => blockProduct(denseBlocks, x),
    solve,
    inverseBlocks: async () => (await inverse()).map(({ indices, matrix }) => ({ indices, inverse: matrix.data })),
    constrained: (constraint) => constrained({ A: reduced, damping }, constraint),
  };
}

function aliveBlocks(A: DenseBlockOperator, alive: Uint8Array): DenseBlockOperator {
  const blocks = A.denseBlocks.flatMap(({ indices, matrix }): DenseBlock[] => {
    const positions = Int32Array.from(indices.keys()).filter((k) => alive[indices[k]!] !== 0);
    if (positions.length === indices.length) return [{ indices, matrix }];
    if (positions.length === 0) return [];
    return [{ indices: positions.map((k) => indices[k]!), matrix: principalPart(matrix, positions) }];
  });
  return blockOperator(blocks, { size: A.shape[0], dtype: A.dtype, psd: A.psd });
}

function diagonalOf(blocks: readonly DenseBlock[], size: number): Float64Array {
  const values = new Float64Array(size);
  for (const { indices, matrix } of blocks) {
    for (let k = 0; k < indices.length; k++) values[indices[k]!] = matrix.data[k * (matrix.rows + 1)]!;
  }
  return values;
}

interface Damped {
  readonly A: DenseBlockOperator;
  readonly damping: number;
}

async function constrained(of: Damped, { indices, targets, gradient }: Constraint): Promise<ConstrainedMinimum> {
  const [size] = of.A.shape;
  const given = new Map(Array.from(indices, (index, k) => [index, targets[k]!] as const));
  const change = new Float64Array(size);
  let increase = 0;
  for (const [k, block] of of.A.denseBlocks.entries()) {
    const fixed = Int32Array.from(block.indices.keys()).filter((i) => given.has(block.indices[i]!));
    // Without a gradient nothing else in the block moves.
    if (fixed.length === 0 && gradient === undefined) continue;
    const t = Float64Array.from(fixed, (i) => given.get(block.indices[i]!)!);
    const g = gradient && gathered(gradient, block.indices);
    const d = await blockMinimum(block, { fixed, t, g, of, k });
    for (let i = 0; i < d.length; i++) change[block.indices[i]!] = d[i]!;
    increase += modelValue(block, { d, fixed, g, damping: of.damping });
  }
  return { change, increase, residual: 0 };
}

interface BlockConstraint {
  /** Positions in the block. */
  readonly fixed: Int32Array;
  readonly t: Float64Array;
  readonly g: Float64Array | undefined;
  readonly of: Damped;
  /** Which block. */
  readonly k: number;
}

async function blockMinimum(block: DenseBlock, constraint: BlockConstraint): Promise<Float64Array> {
  const n = block.indices.length;
  const { fixed } = constraint;
  if (fixed.length === n) return constraint.t;
  return fixed.length <= n / 2 ? byInverse(constraint) : byRest(block, constraint);
}

/** `d = -u + C_:Q x`, `C_QQ x = t + u_Q`. */
async function byInverse({ fixed, t, g, of, k }: BlockConstraint): Promise<Float64Array> {
  const C = (await of.A.inverseBlocks(of.damping))[k]!.matrix;
  const n = C.rows;
  const u = g === undefined ? new Float64Array(n) : times(C, g);
  if (fixed.length === 0) return u.map((x) => -x);
  const right = t.map((x, i) => x + u[fixed[i]!]!);
  const x = await solved(principalPart(C, fixed), right);
  const all = Int32Array.from({ length: n }, (_, i) => i);
  const d = times(part(C, all, fixed), x).map((entry, i) => entry - u[i]!);
  for (let i = 0; i < fixed.length; i++) d[fixed[i]!] = t[i]!;
  return d;
}

/** `M_RR d_R = -M_RQ t - g_R`. */
async function byRest({ matrix }: DenseBlock, { fixed, t, g, of }: BlockConstraint): Promise<Float64Array> {
  const n = matrix.rows;
  const isFixed = new Uint8Array(n);
  for (const i of fixed) isFixed[i] = 1;
  const rest = Int32Array.from({ length: n }, (_, i) => i).filter((i) => isFixed[i] === 0);
  const right = times(part(matrix, rest, fixed), t).map((x, i) => -x - (g?.[rest[i]!] ?? 0));
  const inside = await solved(principalPart(matrix, rest), right, of.damping);
  const d = new Float64Array(n);
  for (let i = 0; i < fixed.length; i++) d[fixed[i]!] = t[i]!;
  for (let i = 0; i < rest.length; i++) d[rest[i]!] = inside[i]!;
  return d;
}

async function solved(M: DenseMatrix, b: Float64Array, damping = 0): Promise<Float64Array> {
  const L = await dampedFactor(M, damping);
  return (await choleskySolve(L, { rows: b.length, columns: 1, data: b })).data as Float64Array;
}

function times(M: DenseMatrix, x: Float64Array): Float64Array {
  return multiply(M, { rows: x.length, columns: 1, data: x }).data as Float64Array;
}

/** `g'd + d'(A + damping I) d / 2`; without a gradient from the fixed entries alone, where the model's gradient does not vanish. */
function modelValue(
  { matrix }: DenseBlock,
  {
    d,
    fixed,
    g,
    damping,
  }: {
    readonly d: Float64Array;
    readonly fixed: Int32Array;
    readonly g: Float64Array | undefined;
    readonly damping: number;
  },
): number {
  const Md = times(matrix, d).map((x, i) => x + damping * d[i]!);
  if (g !== undefined) return d.reduce((sum, x, i) => sum + x * (g[i]! + Md[i]! / 2), 0);
  let value = 0;
  for (const i of fixed) value += (d[i]! * Md[i]!) / 2;
  return value;
}
