import { expect, test } from "vitest";
import { eigsh } from "../../src/linalg/index.ts";
import { hessian } from "../../src/operators/index.ts";
import { expectEigenvalues, type LossName, readFixture } from "./fixture.ts";

/** Holds the ends of the Hessian's spectrum of the perceptron on MNIST, with each of these losses, to PyTorch's. */
export function describeExtremes(losses: readonly LossName[]): void {
  test.each(losses)("mnist_mlp_op13, %s: extreme eigenvalues of the Hessian are PyTorch's", async (loss) => {
    const fixture = await readFixture("mnist_mlp_op13");
    const risk = await fixture.open({ caseName: "test64", loss });
    try {
      const { eigenvalues_top10, eigenvalues_bottom3 } = fixture.stored("test64", loss).hessian;
      const options = { seed: 0, tolerance: 1e-8, matvecs: 2000, copies: false };
      const top = await eigsh(hessian(risk), { k: 10, which: "largest", ...options });
      const bottom = await eigsh(hessian(risk), { k: 3, which: "smallest", ...options });
      expect([top.status, bottom.status]).toEqual(["converged", "converged"]);
      const scale = Math.max(top.values[0], -bottom.values[0]);
      expectEigenvalues(top.values, { stored: eigenvalues_top10!, scale });
      expectEigenvalues(bottom.values, { stored: eigenvalues_bottom3!, scale });
    } finally {
      await risk.dispose();
    }
  });
}
