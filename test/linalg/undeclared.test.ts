import { expect, test } from "vitest";
import { cg, eigsh, functionOperator, minres, minresQlp } from "../../src/linalg/index.ts";
import { randomVector } from "./knownOperators.ts";

/** Declared symmetric, and not. */
const n = 80;
const A = functionOperator({
  shape: [n, n],
  symmetric: true,
  matvec: (x) => Float64Array.from(x, (value, i) => (2 + i / n) * value + (i + 7 < n ? 1.5 * x[i + 7]! : 0)),
});

test("methods that rely on symmetry point to the check of it where they have lost touch with the operator", async () => {
  const b = randomVector(n, 1);
  for (const run of [cg(A, b), minres(A, b), minresQlp(A, b), eigsh(A, { k: 3, seed: 0 })]) {
    const { status, message } = await run;
    expect(status).not.toBe("converged");
    if (status === "stagnated")
      expect(message).toContain("checkSymmetric tells whether A is symmetric, as it declares");
  }
  expect(
    (await cg(A, b)).message + (await minres(A, b)).message + (await eigsh(A, { k: 3, seed: 0 })).message,
  ).toContain("checkSymmetric");
});
