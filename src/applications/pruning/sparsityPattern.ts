import { CurvatureError } from "../../errors/index.ts";
import type { InverseBlock } from "./curvatureModel.ts";

/** At most `keep` weights that are not zero among each `of` consecutive inputs of an output. */
export interface SparsityPattern {
  readonly keep: number;
  readonly of: number;
}

/** Most subsets of a group that are tried. */
const MOST_SUBSETS = 1000;

/**
 * A pattern from its text, such as "2:4".
 *
 * @throws CurvatureError "argument" for another text, and for groups with more than 1,000 choices
 */
export function sparsityPattern(name: string, text: string): SparsityPattern {
  const [, kept, whole] = /^(\d+):(\d+)$/.exec(String(text)) ?? [];
  const [keep, of] = [Number(kept), Number(whole)];
  if (!(keep >= 1 && of > keep && subsetsOf(of, of - keep).length <= MOST_SUBSETS)) {
    throw new CurvatureError(
      "argument",
      `${name} expects pattern as "N:M", N weights kept of M consecutive ones with 0 < N < M and at most ${MOST_SUBSETS} choices, such as "2:4", got ${JSON.stringify(text)}`,
    );
  }
  return { keep, of };
}

/** All choices of r of n positions, in lexical order; more than the limit where there are. */
function subsetsOf(n: number, r: number): readonly (readonly number[])[] {
  let found: number[][] = [[]];
  for (let depth = 0; depth < r; depth++) {
    found = found.flatMap((chosen) => {
      const from = chosen.length === 0 ? 0 : chosen.at(-1)! + 1;
      return Array.from({ length: Math.max(0, n - from) }, (_, k) => [...chosen, from + k]);
    });
    if (found.length > 1e5) return found;
  }
  return found;
}

/** What a choice within groups goes by. */
export interface PatternRequest {
  readonly pattern: SparsityPattern;
  /** Groups of positions, each of `pattern.of` or fewer. */
  readonly groups: readonly Int32Array[];
  /** `[size]`, scores of single weights. */
  readonly scores: Float64Array;
  /** With the inverse at hand: `[size]`, the weights (less `C g` with a gradient), and the blocks of C. */
  readonly inverse?: { readonly weights: Float64Array; readonly blocks: readonly InverseBlock[] } | undefined;
}

/**
 * The weights to remove so that each group fits the pattern: by brute force over the choices of a group the one of least joint saliency `w_S' (C_SS)^-1 w_S / 2`, or without the inverse of least sum of
 * scores. Groups are chosen independently.
 */
export function patternRemoval({ pattern, groups, scores, inverse }: PatternRequest): Int32Array {
  const cost = inverse === undefined ? undefined : jointCost(inverse);
  const removed: number[] = [];
  for (const group of groups) {
    const surplus = group.length - pattern.keep;
    if (surplus <= 0) continue;
    let best: { readonly cost: number; readonly chosen: readonly number[] } | undefined;
    for (const positions of subsetsOf(group.length, surplus)) {
      const chosen = positions.map((k) => group[k]!);
      const own = cost === undefined ? chosen.reduce((sum, index) => sum + scores[index]!, 0) : cost(chosen);
      if (best === undefined || own < best.cost) best = { cost: own, chosen };
    }
    removed.push(...best!.chosen);
  }
  return Int32Array.from(removed).sort();
}

function jointCost({ weights, blocks }: NonNullable<PatternRequest["inverse"]>): (chosen: readonly number[]) => number {
  const block = new Int32Array(weights.length).fill(-1);
  const place = new Int32Array(weights.length);
  blocks.forEach(({ indices }, b) => {
    indices.forEach((index, k) => {
      block[index] = b;
      place[index] = k;
    });
  });
  const entry = (i: number, j: number) => {
    if (block[i] !== block[j] || block[i]! < 0) return 0;
    const { indices, inverse } = blocks[block[i]!]!;
    return inverse[place[i]! * indices.length + place[j]!]!;
  };
  return (chosen) => {
    // Weights that are gone already have no row and cost nothing.
    const here = chosen.filter((index) => block[index]! >= 0);
    const M = here.map((i) => here.map((j) => entry(i, j)));
    return halfInverseForm(
      M,
      here.map((index) => weights[index]!),
    );
  };
}

/** `w' M^-1 w / 2` for a small positive definite M, by elimination: `sum of w_k^2 / (2 pivot_k)` over the weights that remain at each pivot. */
function halfInverseForm(M: number[][], w: number[]): number {
  let sum = 0;
  for (let k = 0; k < w.length; k++) {
    const pivot = M[k]![k]!;
    sum += (w[k]! * w[k]!) / (2 * pivot);
    for (let i = k + 1; i < w.length; i++) {
      const factor = M[i]![k]! / pivot;
      w[i] = w[i]! - factor * w[k]!;
      for (let j = k + 1; j < w.length; j++) M[i]![j] = M[i]![j]! - factor * M[k]![j]!;
    }
  }
  return sum;
}
