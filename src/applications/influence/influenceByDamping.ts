import { CurvatureError } from "../../errors/index.ts";
import { matmat, multiShiftCg, type RunOptions, type Status } from "../../linalg/index.ts";
import { checkCount, checkNonnegative } from "../../linalg/operator/checks.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import { dot, norm, scal } from "../../linalg/vectors/vector.ts";
import { type Risk, rowGradientBlocks, rowGradients } from "../../operators/index.ts";
import { column, type Matrix } from "../../tensors/index.ts";
import { rankCorrelation } from "../rankCorrelation.ts";
import { defaultBlock, type InverseOptions, preparedInverse, signalOf, worstEnding } from "./inverseOptions.ts";
import { checkRows, queryRisk } from "./queryRisk.ts";
import type { Systems } from "./solvedSystems.ts";

/** Options of `influenceByDamping`. */
export interface DampingOptions extends Omit<InverseOptions, "damping" | "solver">, RunOptions {
  /** The dampings, in rising order. */
  readonly dampings: readonly number[];
  /** Bound on the residual of each system over its right-hand side; 1e-8 by default, 1e-4 for float32 operators. */
  readonly tolerance?: number;
  /** Most products for each query; 1000 by default. */
  readonly matvecs?: number;
}

/** Scores at one damping. */
export interface DampedScores {
  readonly damping: number;
  /** Scores of each query, [queries][rows], as those of `influence`. */
  readonly scores: readonly Float64Array[];
  /** Largest residual of a query over its gradient. */
  readonly residual: number;
  /** Median share of the damping in the queries' quadratic forms. */
  readonly dampingShare: number;
}

/** Influence at several dampings. */
export interface InfluenceByDamping {
  readonly dampings: readonly DampedScores[];
  /** Spearman's correlation of the scores of all pairs at each damping with those at the next one: near 1 the damping does not matter. */
  readonly rankCorrelations: readonly (number | undefined)[];
  readonly method: "inverse" | "multiShiftCg";
  readonly matvecs: number;
  readonly status: Status;
  readonly message: string;
}

const NAME = "influenceByDamping";

/**
 * `influence` at several dampings, to see what they decide. All dampings of a query share one Krylov space (`multiShiftCg`), so that they cost the products of the
 * smallest one and one more each; a matrix with an inverse in closed form takes that. One pass over the training rows meets the solutions of all dampings.
 *
 * Keeps the scores of all pairs: 8 bytes a pair and damping.
 *
 * @throws CurvatureError "argument", "shape" or "unsupported" for risks and options it cannot take, "numeric" where the matrix has negative curvature at the smallest damping
 */
export async function influenceByDamping(
  risk: Risk,
  queries: Risk,
  options: DampingOptions,
): Promise<InfluenceByDamping> {
  checkRows(NAME, risk, { ranks: true });
  checkOptions(NAME, options, "matrix dampings weightDecay tolerance matvecs signal onProgress");
  const dampings = checkedDampings(options.dampings);
  const { systems } = preparedInverse(NAME, risk, { ...options, damping: dampings[0]! });
  const prepared = queryRisk(NAME, risk, queries);
  const found: Found = dampings.map((damping) => ({ damping, scores: [], shares: [], residual: 0 }));
  const endings: (readonly [Status, string])[] = [];
  let matvecs = 0;
  const columns = Math.max(1, Math.floor(defaultBlock(risk) / dampings.length));
  try {
    for await (const { start, gradients } of rowGradientBlocks(prepared.risk, { columns, ...signalOf(options) })) {
      scal(prepared.factor, gradients.data);
      const solved = await solvedForAll(gradients, { systems, dampings, options });
      matvecs += solved.matvecs;
      endings.push(...solved.endings);
      addScores(found, gradients, { solved, scores: await rowGradients(risk).matmat!(solved.x, signalOf(options)) });
      options.onProgress?.({ stage: NAME, done: start + gradients.columns, total: queries.rows });
    }
  } finally {
    await prepared.dispose();
  }
  const [status, message] = worstEnding(endings);
  const method = systems.A.inverse === undefined ? "multiShiftCg" : "inverse";
  return { dampings: found.map(scoresAt), rankCorrelations: correlationsOf(found), method, matvecs, status, message };
}

/** What is known of each damping so far. */
type Found = { damping: number; scores: Float64Array[]; shares: number[]; residual: number }[];

function addScores(
  found: Found,
  gradients: Matrix,
  { solved, scores }: { readonly solved: SolvedForAll; readonly scores: Matrix },
): void {
  for (const [d, own] of found.entries()) {
    for (let k = 0; k < gradients.columns; k++) {
      const at = d * gradients.columns + k;
      const [b, x] = [column(gradients, k), column(solved.x, at)];
      own.scores.push(Float64Array.from(column(scores, at)));
      own.shares.push((own.damping * dot(x, x)) / (Math.abs(dot(b, x)) || 1));
      own.residual = Math.max(own.residual, solved.residuals[at]!);
    }
  }
}

function scoresAt({ damping, scores, shares, residual }: Found[number]): DampedScores {
  const sorted = [...shares].sort((a, b) => a - b);
  return { damping, scores, residual, dampingShare: sorted[Math.floor(sorted.length / 2)]! };
}

function correlationsOf(found: Found): readonly (number | undefined)[] {
  return found.slice(1).map(({ scores }, d) => rankCorrelation(joined(found[d]!.scores), joined(scores)));
}

function checkedDampings(dampings: readonly number[]): readonly number[] {
  checkCount(NAME, "the number of dampings", dampings?.length);
  for (const damping of dampings) checkNonnegative(NAME, "dampings", damping);
  if (dampings.every((damping, i) => i === 0 || damping > dampings[i - 1]!)) return dampings;
  throw new CurvatureError("argument", `${NAME} expects dampings in rising order, got ${dampings.join(", ")}`);
}

interface Request {
  readonly systems: Systems;
  readonly dampings: readonly number[];
  readonly options: DampingOptions;
}

interface SolvedForAll {
  /** Solutions, damping by damping, [size, dampings * columns]. */
  readonly x: Matrix;
  /** Residuals over right-hand sides in the same order. */
  readonly residuals: Float64Array;
  readonly endings: readonly (readonly [Status, string])[];
  readonly matvecs: number;
}

async function solvedForAll(B: Matrix, request: Request): Promise<SolvedForAll> {
  return request.systems.A.inverse === undefined ? byOneSpace(B, request) : byInverses(B, request);
}

async function byOneSpace(B: Matrix, { systems, dampings, options }: Request): Promise<SolvedForAll> {
  const { rows, columns } = B;
  const x = { rows, columns: columns * dampings.length, data: new Float64Array(rows * columns * dampings.length) };
  const residuals = new Float64Array(x.columns);
  const endings: (readonly [Status, string])[] = [];
  const { tolerance, matvecs = 1000 } = options;
  let used = 0;
  for (let k = 0; k < columns; k++) {
    const b = column(B, k);
    const choices = { matvecs, ...(tolerance !== undefined && { tolerance }), ...signalOf(options) };
    const result = await multiShiftCg(systems.A, b.slice(), { dampings, ...choices });
    used += result.matvecs;
    if (result.status === "aborted") throw new CurvatureError("aborted", result.message);
    if (result.status === "indefinite") {
      throw new CurvatureError(
        "numeric",
        `${NAME} found negative curvature at damping ${dampings[0]}: ${result.message}; take the matrix ggn(risk), or larger dampings`,
      );
    }
    endings.push([result.status, result.message]);
    for (let d = 0; d < dampings.length; d++) {
      x.data.set(column(result.x, d), (d * columns + k) * rows);
      residuals[d * columns + k] = result.residualNorms[d]! / (norm(b) || 1);
    }
  }
  return { x, residuals, endings, matvecs: used };
}

async function byInverses(B: Matrix, { systems, dampings, options }: Request): Promise<SolvedForAll> {
  const { A } = systems;
  const { rows, columns } = B;
  const x = { rows, columns: columns * dampings.length, data: new Float64Array(rows * columns * dampings.length) };
  for (const [d, damping] of dampings.entries()) {
    const solved = await matmat(A.inverse!({ damping }), B, signalOf(options));
    x.data.set(solved.data, d * columns * rows);
  }
  const AX = await matmat(A, x, signalOf(options));
  const residuals = Float64Array.from({ length: x.columns }, (_, at) => {
    const [own, product, b] = [column(x, at), column(AX, at), column(B, at % columns)];
    const damping = dampings[Math.floor(at / columns)]!;
    return norm(Float64Array.from(b, (entry, i) => entry - product[i]! - damping * own[i]!)) / (norm(b) || 1);
  });
  return { x, residuals, endings: [["converged", "solved by the matrix's own inverse"]], matvecs: x.columns };
}

function joined(scores: readonly Float64Array[]): readonly number[] {
  return scores.flatMap((own) => [...own]);
}
