import { describe, expect, test } from "vitest";
import { eigsh, toDense } from "../../src/linalg/index.ts";
import { crossEntropy } from "../../src/losses/index.ts";
import { empiricalRisk, hessian, type Risk } from "../../src/operators/index.ts";
import { column, type Vector } from "../../src/tensors/index.ts";
import { expectClose } from "./closeness.ts";
import {
  expectEigenvalues,
  expectNear,
  type Fixture,
  LIMIT,
  type LossName,
  largest,
  norm,
  readFixture,
} from "./fixture.ts";

// Hessians too large to form: the stored entries of their diagonals from products with unit vectors.

const cases: readonly (readonly [string, LossName])[] = [
  ["mnist_mlp_op13", "cross_entropy"],
  ["mnist_mlp_op13", "mse"],
  ["mnist_mlp_op13", "bce_with_logits"],
  ["mnist_vit_op17", "cross_entropy"],
];

async function withRisk(
  [name, loss]: readonly [string, LossName],
  use: (risk: Risk, fixture: Fixture) => Promise<void>,
): Promise<void> {
  const fixture = await readFixture(name);
  const risk = await fixture.open({ caseName: "test64", loss });
  try {
    await use(risk, fixture);
  } finally {
    await risk.dispose();
  }
}

test.each(cases)("%s, %s: the ends of the Hessian's diagonal are PyTorch's", async (name, loss) => {
  await withRisk([name, loss], async (risk, fixture) => {
    const { first20, last20, norm: length } = fixture.stored("test64", loss).hessian.diagonal;
    const columns = Array.from({ length: 40 }, (_, i) => (i < 20 ? i : risk.size - 40 + i));
    const formed = await toDense(hessian(risk), { columns });
    const entries = Float64Array.from(columns, (index, k) => column(formed, k)[index]);
    // The largest entry of the diagonal is not stored: its norm over the square root of its length is below it.
    const scale = Math.max(largest(entries), length / Math.sqrt(risk.size));
    [...first20, ...last20].forEach((x, k) => {
      expectNear(entries[k], x, scale * LIMIT);
    });
  });
});

test.each(cases.slice(0, 3))("%s, %s: extreme eigenvalues of the Hessian are PyTorch's", async (name, loss) => {
  await withRisk([name, loss], async (risk, fixture) => {
    const { eigenvalues_top10, eigenvalues_bottom3 } = fixture.stored("test64", loss).hessian;
    const options = { seed: 0, tolerance: 1e-8, matvecs: 2000, copies: false };
    const top = await eigsh(hessian(risk), { k: 10, which: "largest", ...options });
    const bottom = await eigsh(hessian(risk), { k: 3, which: "smallest", ...options });
    expect([top.status, bottom.status]).toEqual(["converged", "converged"]);
    const scale = Math.max(top.values[0], -bottom.values[0]);
    expectEigenvalues(top.values, { stored: eigenvalues_top10!, scale });
    expectEigenvalues(bottom.values, { stored: eigenvalues_bottom3!, scale });
  });
});

describe.each(["mnist_cnn_bn_op13", "mnist_vit_op17"])("%s", (name) => {
  test("H v is the central difference of the gradient", async () => {
    await withRisk([name, "cross_entropy"], async (risk, fixture) => {
      const v = fixture.v.map((x) => x / norm(fixture.v));
      // Small enough that no unit changes sides at its kink.
      const step = 1e-7;
      const above = await gradientAt(risk, { v, step });
      const below = await gradientAt(risk, { v, step: -step });
      const difference = above.map((x, i) => (x - below[i]) / (2 * step));
      expectClose(await hessian(risk).matvec(v), difference, 1e-6);
    });
  });
});

/** The gradient with the parameters moved along v. */
async function gradientAt(
  { model, data, parameters }: Risk,
  { v, step }: { readonly v: Vector; readonly step: number },
): Promise<Vector> {
  const moved = model.parameters.map((parameter, k) => ({
    ...parameter,
    data: Float64Array.from(parameter.data, (x, i) => x + step * v[parameters[k].offset + i]),
  }));
  const risk = await empiricalRisk({
    model: { ...model, parameters: moved },
    loss: crossEntropy(),
    data,
    dtype: "float64",
  });
  try {
    return await risk.gradient();
  } finally {
    await risk.dispose();
  }
}
