import { describe, expect, test } from "vitest";
import { dense, diagonal, minres, preconditioner } from "../../src/linalg/index.ts";
import { length, randomVector, range, rotated, rotatedMatrix, trueResidual } from "./knownOperators.ts";

describe("minres", () => {
  test("with a preconditioner in fewer products, its residual in the Euclidean norm", async () => {
    const values = range(80, (i) => (i % 2 ? -1 : 1) * 1.08 ** i);
    const size = values.map(Math.abs);
    const b = randomVector(80, 3);
    const A = rotated(values);
    const near = dense(
      { rows: 80, columns: 80, data: rotatedMatrix(size.map((x, i) => x * (1 + 0.1 * (i % 3)))) },
      { symmetric: true, psd: true },
    );
    const plain = await minres(A, b, { matvecs: 2000 });
    const better = await minres(A, b, { preconditioner: preconditioner(near) });
    expect(better.status, better.message).toBe("converged");
    expect(better.matvecs).toBeLessThan(plain.matvecs / 3);
    expect(await trueResidual(A, better.x, b)).toBeLessThan(1.01e-8 * length(b));
  });
  test("refuses a preconditioner that is not positive definite", async () => {
    const result = await minres(rotated([1, 2, 3]), randomVector(3, 1), {
      preconditioner: diagonal(Float64Array.of(-1, -1, -1)),
    });
    expect(result.status).toBe("breakdown");
    expect(result.message).toMatch(/^the preconditioner gives r' M r = -.*: it is not positive definite/);
  });
});
