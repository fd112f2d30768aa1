import { memoized } from "../concurrency/index.ts";
import { CurvatureError } from "../errors/index.ts";
import type { LinearOperator, RunOptions } from "../linalg/operator/operator.ts";
import { checkOptions } from "../linalg/operator/options.ts";
import { checkInput, checkInputs, checkSignal } from "../linalg/operator/structure.ts";
import { withInputCopy } from "../linalg/vectors/inputCopy.ts";
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
import { checkCover } from "./checkCover.ts";
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
  /** The function (K + d I)^q of each block that this is. */
  readonly functions: readonly BlockFunction[];
  /** The eigenvalues of all blocks, [size], in no order. A block of low rank plus diagonal has none. */
  eigenvalues(): Promise<Float64Array>;
  /**
   * The eigendecomposition of all blocks, K = Q diag(values) Q': Q' as an operator, and the eigenvalue of each entry of its products. Undefined
   * where a block has no eigenvalues in closed form.
   */
  eigenbasis(): Promise<Eigenbasis | undefined>;
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

/** The eigenvectors of a structured matrix, as products with their transpose, and its eigenvalues. */
export interface Eigenbasis {
  /** [size], `values[i]` that of entry i of a product with `transform`. */
  readonly values: Float64Array;
  /** Q', [size, size]. Without an adjoint. */
  readonly transform: LinearOperator;
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
  /** The function of each block; default the blocks themselves. */
  readonly functions?: readonly BlockFunction[] | undefined;
}

/**
 * The block-diagonal matrix of blocks.
 *
 * @throws CurvatureError "shape" for blocks that overlap, leave entries out or lie outside of [0, size), "argument" for another size or dtype
 */
export function structuredOperator(parts: StructuredOperatorParts): StructuredOperator {
  checkOptions("structuredOperator", parts, "size blocks dtype threads functions");
  const { size, blocks, dtype = "float32", threads } = parts;
  checkPrecision(dtype);
  checkCover(blocks, size);
  const functions = parts.functions ?? blocks.map(() => itself);
  if (functions.length !== blocks.length) {
    throw new CurvatureError(
      "argument",
      `structuredOperator: functions must be one for each of the ${blocks.length} blocks, got ${functions.length}`,
    );
  }
  const isActive = (_: unknown, index: number) => blocks[index].block.size > 0;
  const active = blocks.filter(isActive);
  const programs = blockPrograms(active, { size, dtype, threads });
  return functionOf({ size, dtype, blocks: active, programs }, functions.filter(isActive));
}

const itself: BlockFunction = { damping: { value: 0, kind: "exact" }, power: 1 };

function checkPrecision(dtype: unknown): void {
  if (dtype === "float32" || dtype === "float64") return;
  throw new CurvatureError(
    "argument",
    `structuredOperator: dtype must be "float32" or "float64", got ${String(dtype)}`,
  );
}

interface Family {
  readonly size: number;
  readonly dtype: Precision;
  readonly blocks: readonly PlacedBlock[];
  readonly programs: BlockPrograms;
}

function functionOf(family: Family, functions: readonly BlockFunction[]): StructuredOperator {
  const { size, dtype, blocks, programs } = family;
  return {
    shape: [size, size],
    dtype,
    symmetric: true,
    psd: blocks.every(({ block }, index) => block.psd || functions[index].power < 0),
    blocks,
    functions,
    ...runProducts(
      family,
      laterProducts(blocks, (block, index) => block.product(functions[index])),
    ),
    ...furtherFunctions(family, functions),
    ...spectralNumbers(family, functions),
    dispose: () => programs.release(),
    [Symbol.asyncDispose]: () => programs.release(),
  };
}

/** Dampings, powers and roots of a function of the blocks. */
function furtherFunctions(
  family: Family,
  functions: readonly BlockFunction[],
): Pick<StructuredOperator, "withDamping" | "power" | "inverse" | "inverseRoot"> {
  const next = (name: string, options: DampingOptions, power: number) => {
    checkOptions(name, options, "damping kind");
    return functionOf(family, combined(name, functions, { family, options, power }));
  };
  return {
    withDamping(damping, options = {}) {
      checkOptions("withDamping", options, "kind");
      return next("withDamping", { ...options, damping }, 1);
    },
    power: (q, options = {}) => next("power", options, checkedPower(q)),
    inverse: (options = {}) => next("inverse", options, -1),
    inverseRoot(options = {}) {
      checkOptions("inverseRoot", options, "damping kind");
      return rootOf(family, combined("inverseRoot", functions, { family, options, power: -1 }));
    },
  };
}

/** Numbers of a function of the blocks that follow from its eigenvalues or entries. */
function spectralNumbers(
  family: Family,
  functions: readonly BlockFunction[],
): Pick<
  StructuredOperator,
  | "eigenvalues"
  | "eigenbasis"
  | "diagonal"
  | "trace"
  | "logdet"
  | "frobeniusNorm"
  | "conditionNumber"
  | "effectiveDimension"
> {
  const { size, dtype, blocks } = family;
  const values = () => allOf(blocks, ({ block }, index) => block.eigenvalues(functions[index]));
  return {
    eigenvalues: async () => concatenated(await values(), size),
    eigenbasis: () => eigenbasisOf(family, values),
    async diagonal() {
      const parts = await allOf(blocks, ({ block }, index) => block.diagonal(functions[index]));
      return toPrecision(inPlace(parts, { blocks, size }), dtype);
    },
    trace: async () => sum(await allOf(blocks, ({ block }, index) => block.trace(functions[index]))),
    async logdet(options = {}) {
      checkOptions("logdet", options, "damping kind");
      return logdet(blocks, combined("logdet", functions, { family, options, power: 1 }));
    },
    frobeniusNorm: async () =>
      Math.sqrt(sum(await allOf(blocks, ({ block }, index) => block.squaredNorm(functions[index])))),
    async conditionNumber() {
      const all = concatenated(await values(), size);
      const [least, most] = [all.reduce((a, b) => Math.min(a, b)), all.reduce((a, b) => Math.max(a, b))];
      return least === 0 ? Number.POSITIVE_INFINITY : most / least;
    },
    async effectiveDimension(options) {
      checkOptions("effectiveDimension", options, "damping");
      const dampings = blockDampings("effectiveDimension", { damping: options.damping, kind: "exact", blocks });
      const parts = await allOf(blocks, async ({ block }, index) => {
        const { value } = dampings[index];
        if (block.effectiveDimension !== undefined) return block.effectiveDimension(functions[index], value);
        return sumOf(await block.eigenvalues(functions[index]), (x) => share(x, value));
      });
      return sum(parts);
    },
  };
}

async function eigenbasisOf(
  family: Family,
  values: () => Promise<readonly Float64Array[]>,
): Promise<Eigenbasis | undefined> {
  const { size, dtype, blocks } = family;
  if (blocks.some(({ block }) => block.toEigenbasis === undefined)) return undefined;
  const transform: LinearOperator = {
    shape: [size, size],
    dtype,
    symmetric: false,
    psd: false,
    ...runProducts(
      family,
      laterProducts(blocks, (block) => block.toEigenbasis!()),
    ),
  };
  return { values: inPlace(await values(), { blocks, size }), transform };
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
    throw new CurvatureError(
      "argument",
      `a structured matrix to the power ${power} has no damped form; damp it before the power is taken, as in K.power(q, { damping })`,
    );
  }
  if (damping.value === 0) return added;
  if (damping.kind === "exact" && added.kind === "exact") return { value: damping.value + added.value, kind: "exact" };
  throw new CurvatureError(
    "argument",
    `a damping of kind "${added.kind}" cannot be added to one of kind "${damping.kind}"; only exact ones add up, give one damping`,
  );
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
  return memoized(() => allOf(blocks, ({ block }, index) => make(block, index)));
}

function runProducts(
  { size, dtype, programs }: Family,
  products: () => Promise<readonly BlockProduct[]>,
): Pick<StructuredOperator, "matvec" | "matmat"> {
  return {
    async matvec(x, options = {}) {
      checkInput("a structured matrix", x, [size, size]);
      checkSignal("matvec", options.signal, "0 of 1 products");
      return withInputCopy(x, async (own) => programs.run(await products(), own, 1), { dtype });
    },
    async matmat(X, options = {}) {
      checkInputs("a structured matrix", X, [size, size]);
      const { columns } = X;
      checkSignal("matmat", options.signal, `0 of ${columns} products`);
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
    const symmetric = blocks.every(({ block }) => block.symmetricRoot);
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
        `the ${block.kind} block is singular, so it has no log-determinant without damping; give a positive damping`,
      );
    }
    return f.power * sumOf(values, Math.log);
  });
  return sum(parts);
}

function sum(parts: readonly number[]): number {
  return parts.reduce((total, part) => total + part, 0);
}

function sumOf(values: Float64Array, of: (x: number) => number): number {
  return values.reduce((total, x) => total + of(x), 0);
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

/** The entries of all blocks where these have them in a vector. */
function inPlace(
  parts: readonly Float64Array[],
  { blocks, size }: { readonly blocks: readonly PlacedBlock[]; readonly size: number },
): Float64Array {
  const whole = new Float64Array(size);
  parts.forEach((part, index) => {
    const indices = indicesOf(blocks[index]);
    for (let k = 0; k < part.length; k++) whole[indices[k]] = part[k];
  });
  return whole;
}
