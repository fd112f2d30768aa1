import { CurvatureError, checkObject } from "../../errors/index.ts";
import type { RunOptions } from "../../linalg/index.ts";
import { checkCount } from "../../linalg/operator/checks.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import type { Risk } from "../../operators/index.ts";
import { consecutiveBlocks } from "../../structured/consecutiveBlocks.ts";
import type { ExactOptions } from "../../structured/index.ts";
import { blockOperator, type DenseBlockOperator } from "./denseBlocks.ts";

/** Options of `woodFisher`. */
export interface WoodFisherOptions extends RunOptions {
  /** Consecutive weights of a block; default 50. Memory is 16 blockSize numbers a weight with the inverse, work `rows blockSize` operations a weight. */
  readonly blockSize?: number;
  /** Whether a block may hold weights of two tensors: "across" cuts the whole flat vector, "within" (default) each tensor by itself. */
  readonly blocks?: "across" | "within";
  /** The matrix whose blocks are taken; default "empiricalFisher", as in the paper. */
  readonly of?: ExactOptions["of"];
  /** The treatment of rows with several terms; default "auto". */
  readonly terms?: ExactOptions["terms"];
  /** Seed of random signs, where rows have many terms. */
  readonly seed?: number;
}

const NAME = "woodFisher";

/** Most numbers that all blocks may have: 2 GB. */
const MOST_NUMBERS = 2 ** 28;

/**
 * The empirical Fisher matrix of the mean loss in diagonal blocks of consecutive weights, as an operator `[size, size]` for pruning (Singh and Alistarh, 2020). Its damped inverse is that
 * of their recursion `A^-1 <- A^-1 - A^-1 g g'A^-1 / (N + g'A^-1 g)` over the rows from `I / damping`; here the blocks are summed and factored, at the same number of operations for blocks no
 * larger than the rows, which serves any damping. One pass over the data.
 *
 * @throws CurvatureError "argument" for blocks that do not fit into memory and options it cannot take; else as `kfac`
 */
export async function woodFisher(risk: Risk, options: WoodFisherOptions = {}): Promise<DenseBlockOperator> {
  checkObject(risk, `${NAME} expects a risk made by empiricalRisk`, ["model", "parameters", "engine"]);
  checkOptions(NAME, options, "blockSize blocks of terms seed signal onProgress");
  const { blockSize = 50, blocks = "within", of = "empiricalFisher", terms = "auto", seed, ...run } = options;
  checkCount(NAME, "blockSize", blockSize);
  if (blocks !== "across" && blocks !== "within") {
    throw new CurvatureError("argument", `${NAME} expects blocks to be "across" or "within", got ${String(blocks)}`);
  }
  const numbers = risk.size * Math.min(blockSize, risk.size);
  if (numbers > MOST_NUMBERS) {
    throw new CurvatureError(
      "argument",
      `${NAME} expects blocks of at most ${Math.floor(MOST_NUMBERS / risk.size)} weights for ${risk.size} weights in all, got ${blockSize} (${((8 * numbers) / 1e9).toPrecision(2)} GB); take smaller blocks`,
    );
  }
  const found = await consecutiveBlocks(risk, { of, blockSize, across: blocks === "across", terms, seed, ...run });
  return blockOperator(found, { size: risk.size, dtype: "float64", psd: true });
}
