import { CurvatureError } from "../errors/index.ts";
import type { LinearOperator, RunOptions } from "../linalg/operator/operator.ts";
import { withInputCopy } from "../linalg/vectors/inputCopy.ts";
import { checkColumns, checkLength } from "../operators/engine/flatVectors.ts";
import { type Matrix, type Precision, toPrecision, type Vector } from "../tensors/index.ts";
import { type BlockPrograms, blockPrograms } from "./blockPrograms.ts";
import {
  type BlockDamping,
  type BlockFunction,
  type BlockProduct,
  type DampingKind,
  indicesOf,
  type PlacedBlock,
} from "./blocks/index.ts";
import { blockDampings, type Damping } from "./damping.ts";

/** Options of functions of a structured matrix. */
export interface DampingOptions {
  /** d in K + d I, not negative; 0 by default. */
  readonly damping?: Damping | undefined;
  /** How it enters Kronecker blocks; default "exact". */
  readonly kind?: DampingKind | undefined;
}

/**
 * A block-diagonal matrix K, [size, size], or a function (K + d I)^q of it, known in closed form. A product runs all blocks in one program of
 * the engine. Dampings and powers share factors, eigendecompositions and programs, so that another one costs a function of the eigenvalues.
 *
 * Sums over eigenvalues (`trace`, `logdet`, `frobeniusNorm`, ...) and the diagonal are of the represented function, in float64.
 */
export interface StructuredOperator extends LinearOperator {
  readonly symmetric: true;
  readonly psd: true;
  readonly blocks: readonly PlacedBlock[];
  matmat(X: Matrix, options?: RunOptions): Promise<Matrix>;
  /** K + d I. Exact dampings add up. */
  withDamping(damping: Damping, options?: { readonly kind?: DampingKind | undefined }): StructuredOperator;
  /** (K + d I)^q. `inverse` is the power -1. */
  power(q: number, options?: DampingOptions): StructuredOperator;
  inverse(options?: DampingOptions): StructuredOperator;
  /**
   * A square root S of the inverse, S S' = (K + d I)^-1: samples of N(0, (K + d I)^-1) are S e for standard normal e. Symmetric unless a block is
   * of low rank plus diagonal.
   */
  inverseRoot(options?: DampingOptions): LinearOperator;
  /** The eigenvalues of all blocks, [size], in no order. */
  eigenvalues(): Promise<Float64Array>;
  diagonal(): Promise<Vector>;
  trace(): Promise<number>;
  logdet(options?: DampingOptions): Promise<number>;
  frobeniusNorm(): Promise<number>;
  /** The largest eigenvalue over the smallest; infinite for a singular matrix. */
  conditionNumber(): Promise<number>;
  /** `sum x / (x + d)` over the eigenvalues x: the effective number of parameters at damping d (MacKay, 1992). */
  effectiveDimension(options: { readonly damping: Damping }): Promise<number>;
  /** Frees the compiled programs of the matrix and of all its functions. */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A structured matrix from its blocks. */
export interface StructuredOperatorParts {
  readonly size: number;
  /** Blocks that cover each entry of a vector once. */
  readonly blocks: readonly PlacedBlock[];
  /** Precision of products; default "float32". */
  readonly dtype?: Precision | undefined;
  /** Threads within one operation; the engine's choice if absent. */
  readonly threads?: number | undefined;
}

/**
 * The block-diagonal matrix of blocks.
 *
 * @throws CurvatureError "shape" for blocks that overlap, leave entries out or lie outside of [0, size)
 */
export function structuredOperator({
  size,
  blocks,
  dtype = "float32",
  threads,
}: StructuredOperatorParts): StructuredOperator {
  checkCover(blocks, size);
  const active = blocks.filter(({ block }) => block.size > 0);
  const programs = blockPrograms(active, { size, dtype, threads });
  return functionOf(
    { size, dtype, blocks: active, programs },
    active.map(() => itself),
  );
}

const itself: BlockFunction = { damping: { value: 0, kind: "exact" }, power: 1 };

function checkCover(blocks: readonly PlacedBlock[], size: number): void {
  const owner = new Int32Array(size).fill(-1);
  for (const [index, placed] of blocks.entries()) {
    const { name, block, place } = placed;
    const [first, last, count] = extent(placed);
    if (count !== block.size) {
      throw new CurvatureError("shape", `block ${name} has ${block.size} entries and a place for ${count}`);
    }
    if (count > 0 && !(first >= 0 && last < size)) {
      throw new CurvatureError(
        "shape",
        `block ${name} has entry ${first < 0 ? first : last}, outside of a vector of ${size}`,
      );
    }
    const taken =
      "indices" in place ? place.indices.find((entry) => owner[entry] !== -1) : firstTaken(owner, first, last);
    if (taken !== undefined) {
      throw new CurvatureError("shape", `blocks ${blocks[owner[taken]].name} and ${name} both have entry ${taken}`);
    }
    if ("indices" in place) for (const entry of place.indices) owner[entry] = index;
    else owner.fill(index, first, last + 1);
  }
  const missing = owner.indexOf(-1);
  if (missing !== -1) {
    throw new CurvatureError("shape", `no block has entry ${missing}; give it a diagonal block, of zeros if need be`);
  }
}

/** The smallest and largest entry of a block's place, and how many it has. */
function extent({ block, place }: PlacedBlock): readonly [first: number, last: number, count: number] {
  if (!("indices" in place)) {
    const count = place.transposed === undefined ? block.size : place.transposed[0] * place.transposed[1];
    return [place.offset, place.offset + count - 1, count];
  }
  let [first, last] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const entry of place.indices) {
    first = Math.min(first, entry);
    last = Math.max(last, entry);
  }
  return [first, last, place.indices.length];
}

function firstTaken(owner: Int32Array, first: number, last: number): number | undefined {
  for (let entry = first; entry <= last; entry++) if (owner[entry] !== -1) return entry;
  return undefined;
}

interface Family {
  readonly size: number;
  readonly dtype: Precision;
  readonly blocks: readonly PlacedBlock[];
  readonly programs: BlockPrograms;
}

function functionOf(family: Family, functions: readonly BlockFunction[]): StructuredOperator {
  const { size, dtype, blocks, programs } = family;
  const products = laterProducts(blocks, (block, index) => block.product(functions[index]));
  const values = () => allOf(blocks, ({ block }, index) => block.eigenvalues(functions[index]));
  const next = (options: DampingOptions, power: number) =>
    functionOf(family, combined("power", functions, { family, options, power }));
  return {
    shape: [size, size],
    dtype,
    symmetric: true,
    psd: true,
    blocks,
    ...runProducts(family, products),
    withDamping: (damping, { kind } = {}) => next({ damping, kind }, 1),
    power: (q, options = {}) => next(options, checkedPower(q)),
    inverse: (options = {}) => next(options, -1),
    inverseRoot: (options = {}) => rootOf(family, combined("inverseRoot", functions, { family, options, power: -1 })),
    eigenvalues: async () => concatenated(await values(), size),
    async diagonal() {
      const parts = await allOf(blocks, ({ block }, index) => block.diagonal(functions[index]));
      const whole = new Float64Array(size);
      parts.forEach((part, index) => {
        const indices = indicesOf(blocks[index]);
        for (let k = 0; k < part.length; k++) whole[indices[k]] = part[k];
      });
      return toPrecision(whole, dtype);
    },
    async trace() {
      const parts = await allOf(blocks, ({ block }, index) => block.diagonal(functions[index]));
      return sumOf(parts, (x) => x);
    },
    logdet: (options = {}) => logdet(blocks, combined("logdet", functions, { family, options, power: 1 })),
    frobeniusNorm: async () => Math.sqrt(sumOf(await values(), (x) => x * x)),
    async conditionNumber() {
      const all = concatenated(await values(), size);
      const [least, most] = [all.reduce((a, b) => Math.min(a, b)), all.reduce((a, b) => Math.max(a, b))];
      return most / least;
    },
    async effectiveDimension({ damping }) {
      const dampings = blockDampings("effectiveDimension", { damping, kind: "exact", blocks });
      const all = await values();
      return all.reduce((sum, own, index) => sum + sumOf([own], (x) => share(x, dampings[index].value)), 0);
    },
    dispose: () => programs.release(),
    [Symbol.asyncDispose]: () => programs.release(),
  };
}

/** x / (x + d), 0 where both are 0. */
function share(x: number, d: number): number {
  return x === 0 ? 0 : x / (x + d);
}

function checkedPower(q: number): number {
  if (Number.isFinite(q)) return q;
  throw new CurvatureError("argument", `power: q must be a finite number, got ${String(q)}`);
}

/** The functions ((K + d)^p + e)^q for functions (K + d)^p, where these are again of that form. */
function combined(
  name: string,
  functions: readonly BlockFunction[],
  request: { readonly family: Family; readonly options: DampingOptions; readonly power: number },
): readonly BlockFunction[] {
  const { family, options, power } = request;
  const { damping = 0, kind = "exact" } = options;
  const added = blockDampings(name, { damping, kind, blocks: family.blocks });
  return functions.map((own, index) => ({ damping: sumOfDampings(own, added[index]), power: own.power * power }));
}

function sumOfDampings({ damping, power }: BlockFunction, added: BlockDamping): BlockDamping {
  if (added.value === 0) return damping;
  if (power !== 1) {
    throw new CurvatureError("argument", `damp the matrix before its power ${power} is taken, not after`);
  }
  if (damping.value === 0) return added;
  if (damping.kind === "exact" && added.kind === "exact") return { value: damping.value + added.value, kind: "exact" };
  throw new CurvatureError("argument", "only exact dampings add up; give one damping");
}

/** Runs a task for each block in turn; an error says which block it is about. */
async function allOf<T>(
  blocks: readonly PlacedBlock[],
  task: (placed: PlacedBlock, index: number) => Promise<T>,
): Promise<readonly T[]> {
  const results: T[] = [];
  for (const [index, placed] of blocks.entries()) {
    try {
      results.push(await task(placed, index));
    } catch (error) {
      if (!(error instanceof CurvatureError)) throw error;
      throw new CurvatureError(error.code, `${placed.name}: ${error.message}`, { cause: error });
    }
  }
  return results;
}

function laterProducts(
  blocks: readonly PlacedBlock[],
  make: (block: PlacedBlock["block"], index: number) => Promise<BlockProduct>,
) {
  let made: Promise<readonly BlockProduct[]> | undefined;
  return () => {
    made ??= allOf(blocks, ({ block }, index) => make(block, index)).catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };
}

function runProducts(
  { size, dtype, programs }: Family,
  products: () => Promise<readonly BlockProduct[]>,
): Pick<StructuredOperator, "matvec" | "matmat"> {
  return {
    async matvec(x) {
      checkLength(x, size);
      return withInputCopy(x, async (own) => programs.run(await products(), own, 1), { dtype });
    },
    async matmat(X) {
      checkColumns(X, size);
      const { columns } = X;
      const run = async (own: Vector): Promise<Matrix> => ({
        rows: size,
        columns,
        data: await programs.run(await products(), own, columns),
      });
      return withInputCopy(X.data, run, { dtype });
    },
  };
}

function rootOf(family: Family, functions: readonly BlockFunction[]): LinearOperator {
  const { blocks, size, dtype } = family;
  const side = (which: "product" | "adjoint") =>
    laterProducts(blocks, async (block, index) => (await block.root(functions[index]))[which]);
  const operator = (which: "product" | "adjoint"): LinearOperator => {
    const symmetric = blocks.every(({ block }) => block.kind !== "lowRankPlusDiagonal");
    return {
      shape: [size, size],
      dtype,
      symmetric,
      psd: symmetric,
      ...runProducts(family, side(which)),
      adjoint: () => operator(which === "product" ? "adjoint" : "product"),
    };
  };
  return operator("product");
}

async function logdet(blocks: readonly PlacedBlock[], functions: readonly BlockFunction[]): Promise<number> {
  const parts = await allOf(blocks, async ({ block }, index) => {
    const f = functions[index];
    if (block.logdet !== undefined) return block.logdet(f);
    const values = await block.eigenvalues({ ...f, power: 1 });
    if (values.some((x) => x === 0)) {
      throw new CurvatureError(
        "argument",
        "the block is singular, so log det is minus infinity; give a positive damping",
      );
    }
    return f.power * sumOf([values], Math.log);
  });
  return parts.reduce((sum, part) => sum + part, 0);
}

function sumOf(parts: readonly Float64Array[], of: (x: number) => number): number {
  let sum = 0;
  for (const part of parts) for (const x of part) sum += of(x);
  return sum;
}

function concatenated(parts: readonly Float64Array[], size: number): Float64Array {
  const all = new Float64Array(size);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
