import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { foldResiduals, splitResiduals } from "../../src/autodiff/index.ts";
import { input, scalar, shareCommonSubexpressions, topologicalOrder, type Value } from "../../src/graph/index.ts";
import { add, div, mul, neg, sub, tanh } from "../../src/primitives/index.ts";
import { compile } from "../../src/runtime/index.ts";

const [v, r, s] = [input("v", [2, 3]), input("r", [2, 3]), input("s", [3])];

/** Number of values that depend on v. */
function movingCount(outputs: readonly Value[]): number {
  const moving = new Set<Value>([v]);
  for (const value of topologicalOrder(outputs)) if (value.inputs.some((each) => moving.has(each))) moving.add(value);
  return moving.size - 1;
}

describe("foldResiduals", () => {
  test("leaves one product of a chain, a sum and a sign", () => {
    const chain = mul(mul(v, r), s);
    const sum = add(mul(v, r), mul(s, v));
    const signed = neg(div(mul(v, r), s));
    for (const value of [chain, sum, signed]) expect(movingCount(foldResiduals([value], [v]))).toBe(1);
  });

  test("keeps what is read twice, and what is not linear", () => {
    const shared = mul(v, r);
    const twice = add(mul(shared, s), tanh(shared));
    expect(movingCount(foldResiduals([twice], [v]))).toBe(movingCount([twice]));
  });

  test("gives the same numbers for random expressions", async () => {
    const leaf = fc.constantFrom<(x: Value) => Value>(
      (x) => mul(x, r),
      (x) => mul(s, x),
      (x) => neg(x),
      (x) => div(x, add(mul(s, s), scalar(1))),
      (x) => sub(mul(x, r), mul(x, s)),
      (x) => add(x, mul(v, s)),
      (x) => tanh(x),
    );
    const feeds = {
      v: { data: Float64Array.of(0.3, -1.2, 0.7, 2.1, -0.4, 0.9), dims: [2, 3] },
      r: { data: Float64Array.of(1.1, 0.2, -0.8, 0.5, -1.5, 0.6), dims: [2, 3] },
      s: { data: Float64Array.of(-0.7, 1.3, 0.4), dims: [3] },
    };
    await fc.assert(
      fc.asyncProperty(fc.array(leaf, { minLength: 1, maxLength: 8 }), async (steps) => {
        const plain = steps.reduce((x, step) => step(x), v as Value);
        const [folded] = shareCommonSubexpressions(foldResiduals([plain], [v]));
        const outputs = { plain, folded };
        const program = await compile({ inputs: { v, r, s }, outputs }, { precision: "float64" });
        const results = await program.run(feeds);
        await program.release();
        for (let i = 0; i < 6; i++) {
          const [a, b] = [Number(results.plain.data[i]), Number(results.folded.data[i])];
          expect(Math.abs(a - b)).toBeLessThanOrEqual(1e-14 * (1 + Math.abs(a)));
        }
        expect(splitResiduals([folded], [v]).outputs).toHaveLength(1);
      }),
      { numRuns: 40 },
    );
  });
});
