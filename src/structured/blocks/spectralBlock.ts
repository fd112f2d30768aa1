import { memoized } from "../../concurrency/index.ts";
import { CurvatureError } from "../../errors/index.ts";
import type { Value } from "../../graph/index.ts";
import type { Tensors } from "../../operators/engine/risk.ts";
import { mul } from "../../primitives/index.ts";
import { type Block, type BlockFunction, type BlockKind, type BlockProduct, isItself } from "./block.ts";

/** The eigendecomposition of a block, K = Q diag(values) Q'. */
export interface Spectrum {
  /** [size] */
  readonly values: Float64Array;
  /** The eigenvalues with damping, where this is not their sum with it. */
  damped?(f: BlockFunction): Float64Array;
  /** The arrays that hold the basis. */
  readonly basis: Tensors;
  /** Q' x and Q x: [K, size] -> [K, size]. */
  toBasis(x: Value, basis: { readonly [name: string]: Value }): Value;
  fromBasis(x: Value, basis: { readonly [name: string]: Value }): Value;
  /** diag(Q diag(x) Q'): [size] -> [size]. */
  diagonalOf(x: Float64Array): Float64Array;
}

/** A block that is known by its eigendecomposition, which is computed when it is first needed. */
export interface SpectralDefinition {
  readonly kind: BlockKind;
  readonly size: number;
  readonly arrays: Tensors;
  spectrum(): Promise<Spectrum>;
  /** The product with the block itself, where it costs less than through its eigendecomposition. */
  readonly plain?: BlockProduct;
  /** The diagonal of the block itself, where it needs no eigendecomposition. */
  plainDiagonal?(): Float64Array;
}

/** Negative eigenvalues above this share of the largest are rounding errors and are taken as 0; all are, and `clipped` tells how large. */
export function clip(values: Float64Array): { readonly values: Float64Array; readonly clipped: number } {
  let [least, largest] = [0, 0];
  for (const x of values) {
    least = Math.min(least, x);
    largest = Math.max(largest, x);
  }
  if (least === 0) return { values, clipped: 0 };
  return {
    values: values.map((x) => Math.max(x, 0)),
    clipped: largest === 0 ? Number.NEGATIVE_INFINITY : least / largest,
  };
}

/** A block whose functions are functions of its eigenvalues. */
export function spectralBlock(definition: SpectralDefinition): Block {
  const { kind, size, arrays, plain } = definition;
  const spectrum = memoized(async () => {
    const found = await definition.spectrum();
    const { values, clipped } = clip(found.values);
    return { ...found, values, clipped };
  });
  const valuesOf = async (f: BlockFunction) => functionValues(await spectrum(), { f, kind });
  const through = async (f: BlockFunction): Promise<BlockProduct> => {
    const own = await spectrum();
    return {
      form: `${kind} by eigenvalues`,
      arrays: { ...own.basis, scale: { data: functionValues(own, { f, kind }), dims: [1, size] } },
      build: (x, given) => own.fromBasis(mul(own.toBasis(x, given), given.scale), given),
    };
  };
  return {
    kind,
    size,
    arrays,
    product: async (f) => (plain !== undefined && isItself(f) ? plain : through(f)),
    async root(f) {
      const product = await through({ ...f, power: f.power / 2 });
      return { product, adjoint: product };
    },
    eigenvalues: valuesOf,
    async diagonal(f) {
      if (definition.plainDiagonal !== undefined && isItself(f)) return definition.plainDiagonal();
      return (await spectrum()).diagonalOf(await valuesOf(f));
    },
    clipped: async () => (await spectrum()).clipped,
  };
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
