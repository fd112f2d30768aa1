import type { Matrix, Precision, Vector } from "../../tensors/index.ts";
import {
  checkArgument,
  checkChoice,
  checkCount,
  checkNonnegative,
  checkSeed,
  defaultTolerance,
  precision,
} from "../operator/checks.ts";
import type { LinearOperator, RunOptions } from "../operator/operator.ts";
import { type Interruption, isInterruption, type Products, products } from "../runs/products.ts";
import { type Outcome, outcome } from "../runs/result.ts";
import { SYMMETRY_ADVICE } from "../systems/refinement.ts";
import type { Arithmetic } from "../vectors/arithmetic.ts";
import { randomDirection } from "../vectors/basis.ts";
import { arithmeticOf } from "../vectors/vector.ts";
import { convergedOutcome } from "./copies.ts";

// Parts that the thick-restarted Krylov methods share beside their recurrence: options, the loop of steps, looks and restarts, and the outcome.
// `eigsh`, `blockEigsh` with `eigshGeneralized`, `eigs` and `svds` bring a basis as plain data, one step of it and its Ritz pairs.

/** Options of every thick-restarted Krylov method. */
export interface ThickRestartOptions<State> extends RunOptions {
  /** Number of eigenpairs, at most n; of singular triplets, at most the smaller of the operator's dimensions. */
  readonly k: number;
  readonly seed: number;
  /** Bound on every residual norm over the largest |value|: 1e-8 by default, 1e-4 for float32 operators. */
  readonly tolerance?: number | undefined;
  /**
   * Whether to look for further copies of repeated values once k pairs have converged (default true): a Krylov sequence from one vector sees one
   * copy of each only. The search runs on the complement of the k pairs until its own outermost value is known to come after the k-th. It takes
   * about as many steps as the k pairs took, and once more for each copy, with blocks for every `blockSize` copies. Without it, or where the
   * budget ends it, copies may be missing.
   */
  readonly copies?: boolean | undefined;
  /** Where an earlier run with the same options stopped. */
  readonly state?: State | undefined;
}

/** Checked options with their defaults, and the products of the run. */
export interface ThickRestartPlan<Which> {
  readonly name: string;
  readonly A: LinearOperator;
  readonly run: Products;
  readonly k: number;
  readonly which: Which;
  readonly seed: number;
  readonly tolerance: number;
  /** Most basis vectors held at once, at most as many as there are values. */
  readonly basisSize: number;
  /** Whether to look for further copies. */
  readonly copies: boolean;
  readonly dtype: Precision;
  readonly arithmetic: Arithmetic;
}

/** Defaults and lower bounds of a method's options. */
interface Rules<Which> {
  readonly name: string;
  /** Values of `which`, the default first. */
  readonly choices: readonly [Which, ...Which[]];
  readonly basisSize: number;
  /** Basis vectors that it needs beside k, and both together in words; 2 by default. */
  readonly beside?: readonly [count: number, words: string] | undefined;
  /** Number of values of the operator, and its name in messages; the order of the matrix by default. */
  readonly most?: readonly [count: number, words: string] | undefined;
  /** Default budget over `basisSize`; 50 by default. */
  readonly productsPerVector?: number | undefined;
}

/** Checks the options of a method and completes them. */
export function thickRestartPlan<Which extends string>(
  A: LinearOperator,
  options: ThickRestartOptions<{ readonly matvecs: number }> & {
    readonly which?: Which | undefined;
    readonly matvecs?: number | undefined;
    readonly basisSize?: number | undefined;
  },
  rules: Rules<Which>,
): ThickRestartPlan<Which> {
  const { name, choices, beside: [spare, sum] = [2, "k + 2"], productsPerVector = 50 } = rules;
  const [most, measure] = rules.most ?? [A.shape[1], "the order of the matrix"];
  const { k, which = choices[0], seed, tolerance = defaultTolerance(A), copies = true } = options;
  checkCount(name, "k", k);
  checkArgument(k <= most, `${name} expects k of at most ${most}, ${measure}, got ${k}`);
  checkChoice(name, "which", which, choices);
  checkSeed(name, seed);
  checkNonnegative(name, "tolerance", tolerance);
  const { basisSize = rules.basisSize, matvecs = productsPerVector * basisSize } = options;
  checkCount(name, "basisSize", basisSize);
  const fits = basisSize >= Math.min(k + spare, most);
  checkArgument(fits, `${name} expects basisSize to be at least ${sum} = ${k + spare}, got ${basisSize}`);
  checkCount(name, "matvecs", matvecs);
  const run = products(A, { ...options, name, matvecs, used: options.state?.matvecs ?? 0 });
  const tools = { dtype: precision(A), arithmetic: arithmeticOf(A) };
  return { name, A, run, k, which, seed, tolerance, basisSize: Math.min(basisSize, most), copies, ...tools };
}

/** Residuals of the Ritz pairs at a look, foremost first. */
interface Look {
  readonly residualNorms: Float64Array;
  /** Largest absolute value. */
  readonly scale: number;
}

/** Bound on residual norms inside the run: half of what is promised, since true residuals add rounding to the recurrence's. */
export function target({ scale }: Pick<Look, "scale">, { tolerance }: { readonly tolerance: number }): number {
  return (tolerance * scale) / 2;
}

/** Whether the recurrence says that the first `wanted` pairs, k by default, have converged. */
export function isConverged(look: Look, plan: ThickRestartPlan<unknown>, wanted = plan.k): boolean {
  const { residualNorms } = look;
  return residualNorms.length >= plan.k && residualNorms.subarray(0, wanted).every((r) => r <= target(look, plan));
}

/** Progress of the search for copies: it has to start, perhaps again; it goes on; or no copy is missing. */
export type CopySearch = "start" | "on" | "complete";

/** A thick-restarted method. */
export interface ThickRestartMethod<State, Pairs> {
  /** Whether the basis spans everything that the operator acts on. */
  spans(state: State): boolean;
  /** Whether the products that are left do not allow another step. */
  isShort(state: State): boolean;
  /** Whether the basis has room for another step. */
  hasRoom(state: State): boolean;
  /** Whether it is time to look at the Ritz pairs, which cost a dense eigenproblem. */
  isDue(state: State): boolean;
  /** Ritz pairs of the basis, undefined where it holds none. */
  look(state: State): Promise<Pairs | undefined>;
  isConverged(pairs: Pairs): boolean;
  search(state: State, pairs: Pairs): CopySearch | Promise<CopySearch>;
  /** Converged pairs alone, locked, and random vectors to look for copies from in their complement. */
  locked(state: State, pairs: Pairs): Promise<State | Interruption>;
  /** The foremost pairs, which leave room for further steps. */
  restarted(state: State, pairs: Pairs): Promise<State>;
  step(state: State): Promise<State | Interruption>;
}

/** End of the steps of a run. */
export interface ThickRestartEnd<State, Pairs> {
  readonly state: State;
  /** Ritz pairs of the state, where the run has looked at them. */
  readonly pairs?: Pairs | undefined;
  readonly interruption?: Interruption | undefined;
}

/** The steps of a method until the pairs have converged or nothing is left; yields a state after each. */
export async function* thickRestartSteps<State extends object, Pairs>(
  method: ThickRestartMethod<State, Pairs>,
  start: State,
  { run, copies }: ThickRestartPlan<unknown>,
): AsyncGenerator<State, ThickRestartEnd<State, Pairs>, void> {
  let state = start;
  for (;;) {
    const over = method.spans(state) || method.isShort(state);
    const full = over || !method.hasRoom(state);
    if (full || method.isDue(state)) {
      const pairs = await method.look(state);
      const converged = pairs !== undefined && method.isConverged(pairs);
      const search = !converged ? "on" : copies ? await method.search(state, pairs) : "complete";
      if (over || !pairs || search === "complete") return { state, pairs };
      if (search === "start" || full) {
        const next = await (search === "start" ? method.locked(state, pairs) : method.restarted(state, pairs));
        if (isInterruption(next)) return { state, interruption: next };
        state = next;
      }
    }
    const next = await method.step(state);
    if (isInterruption(next)) return { state, interruption: next };
    state = next;
    run.report();
    yield state;
  }
}

/** Number of foremost pairs to lock: the converged ones, at least k, as far as half of the basis is left beside them. */
export function lockedCount(
  look: Look,
  plan: ThickRestartPlan<unknown>,
  { spare }: { /** Vectors that must be left. */ readonly spare: number },
): number {
  const { k, basisSize } = plan;
  const unconverged = look.residualNorms.findIndex((r) => r > target(look, plan));
  const most = Math.max(Math.min(k + Math.floor((basisSize - k) / 2), basisSize - spare), k);
  return Math.min(most, unconverged < 0 ? look.residualNorms.length : unconverged);
}

/** The locked pairs, where there are any, and of the others the foremost that half of the remaining basis can hold beside `open` vectors. */
export function keptPairs(
  locked: readonly boolean[],
  { k, basisSize }: ThickRestartPlan<unknown>,
  open = 1,
): readonly number[] {
  const fixed = indices(locked.length).filter((i) => locked[i]);
  const free = basisSize - fixed.length;
  const half = fixed.length > 0 ? Math.floor(free / 2) : k + Math.floor((basisSize - k) / 2);
  const most = Math.max(Math.min(half, free - open), 0);
  return [
    ...fixed,
    ...indices(locked.length)
      .filter((i) => !locked[i])
      .slice(0, most),
  ];
}

/** 0, ..., count - 1. */
export function indices(count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => i);
}

/** A diagonal matrix of some of the values, the projection on their vectors. */
export function diagonalOf(values: Float64Array, chosen: readonly number[]): Matrix {
  const size = chosen.length;
  const data = new Float64Array(size * size);
  chosen.forEach((from, i) => {
    data[i * (size + 1)] = values[from]!;
  });
  return { rows: size, columns: size, data };
}

/** Random unit vector orthogonal to a basis. */
export function freshDirection(
  basis: Matrix,
  path: string | number,
  { seed, dtype, arithmetic }: Pick<ThickRestartPlan<unknown>, "seed" | "dtype" | "arithmetic">,
): Promise<Vector> {
  return randomDirection(basis, { seed, path, dtype, arithmetic });
}

/** Names of the results in messages. */
interface Words {
  readonly pairs: string;
  readonly values: string;
  /** Quantity that residuals are compared with. */
  readonly largest: string;
}

const EIGENPAIRS: Words = { pairs: "eigenpairs", values: "eigenvalues", largest: "largest |eigenvalue|" };

/** Advice where products of an operator that should be symmetric are rounded. */
export const ROUNDED = `loosen tolerance, or use a float64 operator; ${SYMMETRY_ADVICE}`;

/** Outcome of a run that was not interrupted, by its true residuals. */
export async function thickRestartOutcome(
  plan: ThickRestartPlan<unknown>,
  found: {
    /** The last look at the pairs. */
    readonly look: Look | undefined;
    /** True residual norms of the pairs that are given. */
    readonly residualNorms: Float64Array;
    /** Whether no copy is missing. */
    readonly complete: () => boolean | Promise<boolean>;
    readonly words?: Words | undefined;
    /** Advice where products are rounded. */
    readonly advice?: string | undefined;
  },
): Promise<Outcome> {
  const { k, tolerance, copies } = plan;
  const { look, residualNorms, complete, words = EIGENPAIRS, advice } = found;
  const matvecs = plan.run.used;
  const wanted = Math.max(k, residualNorms.length);
  const good = residualNorms.filter((r) => r <= tolerance * (look?.scale ?? 0)).length;
  const happened = `${good} of ${wanted} ${words.pairs} have residuals below ${tolerance} of the ${words.largest}`;
  if (good === wanted) {
    return convergedOutcome(happened, { matvecs, complete: await complete(), copies, of: words.values });
  }
  if (look && isConverged(look, plan, wanted)) {
    const rounded = `${happened}, though the recurrence says all have: products are rounded`;
    return outcome("stagnated", { happened: rounded, matvecs, advice });
  }
  return outcome("budget", { happened, matvecs, advice: "raise matvecs or basisSize, or loosen tolerance" });
}
