import { memoized } from "../../concurrency/index.ts";
import { CurvatureError } from "../../errors/index.ts";
import type { Value } from "../../graph/index.ts";
import type { DenseMatrix } from "../../linalg/dense/index.ts";
import type { Tensors } from "../../operators/engine/risk.ts";
import { mul } from "../../primitives/index.ts";
import {
  type Block,
  type BlockFunction,
  type BlockKind,
  type BlockProduct,
  isItself,
  type LeftForms,
  type LeftVectors,
} from "./block.ts";

/** The eigendecomposition of a block, K = Q diag(values) Q'. */
export interface Spectrum {
  /** [size], not negative. */
  readonly values: Float64Array;
  /** The least eigenvalue over the largest before it was clipped at 0; 0 if none was negative. */
  readonly clipped: number;
  /** The eigenvalues with damping, where this is not their sum with it. */
  damped?(f: BlockFunction): Float64Array;
  /** The arrays that hold the basis. */
  readonly basis: Tensors;
  /** Q' x and Q x: [K, size] -> [K, size]. */
  toBasis(x: Value, basis: { readonly [name: string]: Value }): Value;
  fromBasis(x: Value, basis: { readonly [name: string]: Value }): Value;
  /** The factors of a basis `Q_A (x) Q_B` of matrices [m, n]; without Q_A, the unit vectors on the left. */
  readonly sides?: {
    readonly QA: DenseMatrix | undefined;
    readonly QB: DenseMatrix;
    readonly m: number;
    readonly n: number;
  };
  /** diag(Q diag(x) Q'): [size] -> [size]. */
  diagonalOf(x: Float64Array): Float64Array;
}

/** A block that is known by its eigendecomposition, which is computed when it is first needed. */
export interface SpectralDefinition {
  readonly kind: BlockKind;
  readonly size: number;
  readonly arrays: Tensors;
  spectrum(): Promise<Spectrum>;
  /** Whether its spectrum has `sides`. */
  readonly hasSides?: boolean;
  /** The product with the block itself, where it costs less than through its eigendecomposition. */
  readonly plain?: BlockProduct;
  /** The diagonal of the block itself, where it needs no eigendecomposition. */
  plainDiagonal?(): Float64Array;
  /** The squared Frobenius norm of the block itself, where it needs no eigendecomposition. */
  plainSquaredNorm?(): number;
}

/** Negative eigenvalues down to this share of the largest are taken for rounding errors: those of sums in float32 stay well above it. */
const INDEFINITE = -1e-4;

/** Eigenvalues without negative ones. */
export interface Clipped {
  readonly values: Float64Array;
  /** The least eigenvalue over the largest where it is negative, else 0. */
  readonly clipped: number;
}

/**
 * Takes negative eigenvalues as 0.
 *
 * @throws CurvatureError "argument" where they are no rounding errors
 */
export function clip(kind: BlockKind, values: Float64Array): Clipped {
  const [least, largest] = [values.reduce((a, b) => Math.min(a, b), 0), largestOf(values)];
  if (least === 0) return { values, clipped: 0 };
  if (least < INDEFINITE * largest) {
    throw new CurvatureError(
      "argument",
      `the ${kind} block must be positive semidefinite, got an eigenvalue ${least.toPrecision(3)} beside a largest of ${largest.toPrecision(3)}; ` +
        "take a positive semidefinite matrix, such as ggn or fisher",
    );
  }
  return { values: values.map((x) => Math.max(x, 0)), clipped: least / largest };
}

/**
 * The same for eigenvalues that were computed, which are known to `n eps` of the largest: smaller ones are taken as 0 too, so that a singular
 * matrix is known for one.
 */
export function clipComputed(kind: BlockKind, computed: Float64Array): Clipped {
  const { values, clipped } = clip(kind, computed);
  const rounding = values.length * Number.EPSILON * largestOf(values);
  return { values: values.map((x) => (x <= rounding ? 0 : x)), clipped };
}

function largestOf(values: Float64Array): number {
  return values.reduce((a, b) => Math.max(a, b), 0);
}

/** A block whose functions are functions of its eigenvalues. */
export function spectralBlock(definition: SpectralDefinition): Block {
  const { kind, size } = definition;
  const spectrum = memoized(() => definition.spectrum());
  const known: KnownSpectrum = {
    definition,
    spectrum,
    valuesOf: async (f) => functionValues(await spectrum(), { f, kind }),
  };
  return {
    kind,
    size,
    psd: true,
    symmetricRoot: true,
    // Arrays may be put together when they are first read.
    get arrays() {
      return definition.arrays;
    },
    ...spectralProducts(known),
    ...spectralSums(known),
    clipped: async () => (await spectrum()).clipped,
  };
}

interface KnownSpectrum {
  readonly definition: SpectralDefinition;
  readonly spectrum: () => Promise<Spectrum>;
  readonly valuesOf: (f: BlockFunction) => Promise<Float64Array>;
}

function spectralProducts({
  definition: { kind, size, plain, hasSides },
  spectrum,
  valuesOf,
}: KnownSpectrum): Pick<Block, "product" | "root" | "toEigenbasis" | "leftForms"> {
  // The same vectors come with one function of the block after the other.
  const squares = new WeakMap<Float64Array, Float64Array>();
  const through = async (f: BlockFunction): Promise<BlockProduct> => {
    const own = await spectrum();
    return {
      form: `${kind} by eigenvalues`,
      arrays: { ...own.basis, scale: { data: await valuesOf(f), dims: [1, size] } },
      build: (x, given) => own.fromBasis(mul(own.toBasis(x, given), given.scale), given),
    };
  };
  return {
    product: async (f) => (plain !== undefined && isItself(f) ? plain : through(f)),
    async root(f) {
      const product = await through({ ...f, power: f.power / 2 });
      return { product, adjoint: product };
    },
    async toEigenbasis() {
      const { basis, toBasis } = await spectrum();
      return { form: `${kind} to its eigenbasis`, arrays: basis, build: toBasis };
    },
    ...(hasSides && {
      async leftForms(f: BlockFunction, a: LeftVectors) {
        const { sides } = await spectrum();
        const known = squares.get(a.data) ?? rotatedSquares(sides!, a);
        squares.set(a.data, known);
        return leftForms(sides!, await valuesOf(f), { squares: known, rows: a.rows });
      },
    }),
  };
}

function spectralSums({
  definition,
  spectrum,
  valuesOf,
}: KnownSpectrum): Pick<Block, "eigenvalues" | "diagonal" | "trace" | "squaredNorm"> {
  return {
    eigenvalues: valuesOf,
    async diagonal(f) {
      if (definition.plainDiagonal !== undefined && isItself(f)) return definition.plainDiagonal();
      return (await spectrum()).diagonalOf(await valuesOf(f));
    },
    async trace(f) {
      const isPlain = definition.plainDiagonal !== undefined && isItself(f);
      return total(isPlain ? definition.plainDiagonal!() : await valuesOf(f));
    },
    async squaredNorm(f) {
      if (definition.plainSquaredNorm !== undefined && isItself(f)) return definition.plainSquaredNorm();
      return total((await valuesOf(f)).map((x) => x * x));
    },
  };
}

/** The sum of numbers. */
export function total(values: Float64Array): number {
  return values.reduce((sum, x) => sum + x, 0);
}

/** (x + d)^q for each eigenvalue x. */
function functionValues(
  spectrum: Pick<Spectrum, "values" | "damped">,
  { f, kind }: { readonly f: BlockFunction; readonly kind: BlockKind },
): Float64Array {
  const { damping, power } = f;
  const damped =
    damping.value !== 0 && damping.kind !== "exact" && spectrum.damped !== undefined
      ? spectrum.damped(f)
      : spectrum.values.map((x) => x + damping.value);
  if (power === 1) return damped;
  if (power < 0 && damped.some((x) => x === 0)) {
    throw new CurvatureError(
      "argument",
      `the ${kind} block is singular, so it has no inverse without damping; give a positive damping`,
    );
  }
  return damped.map(power === -1 ? (x) => 1 / x : (x) => x ** power);
}

/** Squares `(Q_A' a)_i^2` for each vector a, [rows, m]. */
function rotatedSquares({ QA, m }: NonNullable<Spectrum["sides"]>, { data, rows }: LeftVectors): Float64Array {
  if (data.length !== rows * m) {
    throw new CurvatureError(
      "shape",
      `leftForms: ${rows} vectors of ${m} numbers are expected, got ${data.length} numbers`,
    );
  }
  if (QA === undefined) return data.map((x) => x * x);
  const squares = new Float64Array(rows * m);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < m; i++) {
      let along = 0;
      for (let k = 0; k < m; k++) along += QA.data[i * m + k] * data[row * m + k];
      squares[row * m + i] = along * along;
    }
  }
  return squares;
}

/** Weights `w_j = sum_i (Q_A' a)_i^2 F_ij` for each vector a, in the basis Q_B. */
function leftForms(
  { QB, m, n }: NonNullable<Spectrum["sides"]>,
  F: Float64Array,
  { squares, rows }: { readonly squares: Float64Array; readonly rows: number },
): LeftForms {
  const weights = new Float64Array(rows * n);
  for (let row = 0; row < rows; row++) {
    const own = weights.subarray(row * n, (row + 1) * n);
    for (let i = 0; i < m; i++) {
      const square = squares[row * m + i];
      if (square === 0) continue;
      for (let j = 0; j < n; j++) own[j] += square * F[i * n + j];
    }
  }
  return { basis: QB, weights };
}
