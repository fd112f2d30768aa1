import { describe, test } from "vitest";
import { toDense } from "../../src/linalg/index.ts";
import { hessian, type Risk } from "../../src/operators/index.ts";
import { column, type Vector } from "../../src/tensors/index.ts";
import { sampled } from "../sampled.ts";
import { expectClose } from "./closeness.ts";
import { describeExtremes } from "./extremesSuite.ts";
import { expectNear, type Fixture, LIMIT, type LossName, largest, norm, readFixture } from "./fixture.ts";

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

test.each(sampled(cases, 1))("%s, %s: the ends of the Hessian's diagonal are PyTorch's", async (name, loss) => {
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

// Those of the other losses are in fixtures.hessians.long.ts, those of the other models in fixtures.long.ts.
describeExtremes(["cross_entropy"]);

describe.each(sampled(["mnist_cnn_bn_op13", "mnist_vit_op17"], 1))("%s", (name) => {
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
async function gradientAt(risk: Risk, { v, step }: { readonly v: Vector; readonly step: number }): Promise<Vector> {
  const view = risk.at(risk.theta().map((x, i) => x + step * v[i]));
  try {
    return await view.gradient();
  } finally {
    await view.dispose();
  }
}
