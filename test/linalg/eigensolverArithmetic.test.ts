import { expect, test } from "vitest";
import { type Arithmetic, hostArithmetic, svds } from "../../src/linalg/index.ts";
import { runToEnd } from "../../src/linalg/runs/index.ts";
import { eigensolverRows } from "./eigensolverRows.ts";
import { geometric, operatorOf, randomVector, rotated } from "./knownOperators.ts";

/** The host's arithmetic with a count of its combinations, which like an engine takes no matrix without columns. */
function combining(): Arithmetic & { readonly count: () => number } {
  let count = 0;
  return {
    ...hostArithmetic,
    combine(Q, S) {
      expect(Math.min(Q.columns, S.columns)).toBeGreaterThan(0);
      count++;
      return hostArithmetic.combine(Q, S);
    },
    count: () => count,
  };
}

const A = rotated(geometric(50, 0.9));
const options = { k: 2, seed: 1, basisSize: 12, tolerance: 1e-8, matvecs: 400 };
/** Those that form Ritz vectors of a space that is kept: not a single vector, nor the basis itself. */
const methods = Object.entries(eigensolverRows).filter(
  ([name, row]) => row.wanted && !/^(powerIteration|eigshInterior)/.test(name),
);

test.each(methods)(
  "%s forms its vectors by the arithmetic of the operator, with the same result",
  async (_, { steps }) => {
    const arithmetic = combining();
    const found = await runToEnd(steps({ ...A, arithmetic }, options));
    expect(arithmetic.count()).toBeGreaterThan(1);
    expect(found).toEqual(await runToEnd(steps(A, options)));
  },
);

test("svds of an operator that is not square leaves its arithmetic alone, whose vectors have one length", async () => {
  const arithmetic = combining();
  const entries = randomVector(40 * 30, 1);
  const transposed = entries.map((_, at) => entries[(at % 30) * 40 + Math.floor(at / 30)]!);
  const B = operatorOf(entries, { rows: 40, symmetric: false });
  const adjoint = () => operatorOf(transposed, { rows: 30, symmetric: false });
  const { status } = await svds({ ...B, adjoint, arithmetic }, options);
  expect([status, arithmetic.count()]).toEqual(["converged", 0]);
});
