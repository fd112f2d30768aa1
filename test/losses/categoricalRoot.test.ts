import { expect, test } from "vitest";
import { input } from "../../src/graph/index.ts";
import { crossEntropy } from "../../src/losses/index.ts";
import { compile } from "../../src/runtime/index.ts";

const likelihood = crossEntropy().likelihood!;

/** The columns of the root for one term with these logits, [C][V]. */
async function rootOf(logits: readonly number[]): Promise<number[][]> {
  const classes = logits.length;
  const columns = likelihood.expectedHessianRootColumns!(classes);
  const [f, u] = [input("f", [columns, classes]), input("u", [columns, columns])];
  const root = likelihood.expectedHessianRoot!(f, u);
  const program = await compile({ inputs: { f, u }, outputs: { root } }, { precision: "float64" });
  try {
    // One term for each column, which is asked for by a unit vector.
    const repeated = Float64Array.from({ length: columns * classes }, (_, i) => logits[i % classes]);
    const unit = Float64Array.from({ length: columns ** 2 }, (_, i) => (i % (columns + 1) === 0 ? 1 : 0));
    const results = await program.run({
      f: { data: repeated, dims: [columns, classes] },
      u: { data: unit, dims: [columns, columns] },
    });
    const data = results.root.data as Float64Array;
    return logits.map((_, c) => Array.from({ length: columns }, (_, k) => data[k * classes + c]));
  } finally {
    await program.release();
  }
}

test.for([
  [[0.3, -1.2, 0.9, 0.1]],
  [[2, -1]],
  [[0.5]],
  // A first class without probability, and one that has all of it.
  [[-1000, 0.4, 0.2, -3]],
  [[1000, 0.4, 0.2]],
  [[-900, 1000, 0.2]],
])("the root of the output matrix has C - 1 columns and is exact: %s", async ([logits]) => {
  const S = await rootOf(logits);
  const largest = Math.max(...logits);
  const weights = logits.map((x) => Math.exp(x - largest));
  const p = weights.map((w) => w / weights.reduce((a, b) => a + b));
  expect(S[0].length).toBe(Math.max(1, logits.length - 1));
  for (const [i, pi] of p.entries()) {
    for (const [j, pj] of p.entries()) {
      const product = S[i].reduce((sum, x, k) => sum + x * S[j][k], 0);
      expect(Math.abs(product - ((i === j ? pi : 0) - pi * pj))).toBeLessThan(1e-15);
    }
  }
});
