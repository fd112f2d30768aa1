import { expect, test } from "vitest";
import { eigh, eigsh, toDense } from "../../src/linalg/index.ts";
import { hessian } from "../../src/operators/index.ts";
import {
  expectDiagonal,
  expectEigenvalues,
  expectNear,
  LIMIT,
  type LossName,
  readFixture,
  type StoredMatrix,
} from "./fixture.ts";

// Every column of the Hessians of the large models: their traces, diagonals and, where it is stored, Frobenius norms.

const cases: readonly (readonly [string, LossName])[] = [
  ["mnist_mlp_op13", "cross_entropy"],
  ["mnist_mlp_op13", "mse"],
  ["mnist_mlp_op13", "bce_with_logits"],
  ["mnist_cnn_bn_op13", "cross_entropy"],
  ["mnist_vit_op17", "cross_entropy"],
];

const COLUMNS = 64;

test.each(cases)("%s, %s: trace, diagonal and Frobenius norm of the Hessian", async (name, loss) => {
  const fixture = await readFixture(name);
  const risk = await fixture.open({ caseName: "test64", loss });
  try {
    const { trace, diagonal, frobenius } = fixture.stored("test64", loss).hessian;
    const { size } = risk;
    const entries = new Float64Array(size);
    let squares = 0;
    for (let start = 0; start < size; start += COLUMNS) {
      const columns = Array.from({ length: Math.min(COLUMNS, size - start) }, (_, k) => start + k);
      const { data } = await toDense(hessian(risk), { columns });
      if (frobenius !== undefined) for (const x of data) squares += x * x;
      for (const i of columns) entries[i] = data[(i - start) * size + i];
    }
    expectDiagonal(entries, diagonal);
    expectNear(
      entries.reduce((sum, x) => sum + x, 0),
      trace,
      diagonal.norm * Math.sqrt(size) * LIMIT,
    );
    if (frobenius !== undefined) expectNear(Math.sqrt(squares), frobenius, frobenius * LIMIT);
  } finally {
    await risk.dispose();
  }
});

test.each(cases.slice(3))("%s, %s: extreme eigenvalues of the Hessian", async (name, loss) => {
  const fixture = await readFixture(name);
  const risk = await fixture.open({ caseName: "test64", loss });
  try {
    const { largest, smallest } = extremes(fixture.stored("test64", loss).hessian);
    const options = { seed: 0, tolerance: 1e-8, matvecs: 5000 };
    const top = await eigsh(hessian(risk), { k: largest.length, which: "largest", ...options });
    const bottom = await eigsh(hessian(risk), { k: smallest.length, which: "smallest", ...options });
    expect([top.status, bottom.status]).toEqual(["converged", "converged"]);
    const scale = Math.max(top.values[0], -bottom.values[0]);
    expectEigenvalues(top.values, { stored: largest, scale });
    expectEigenvalues(bottom.values, { stored: smallest, scale });
  } finally {
    await risk.dispose();
  }
});

test("digits: the dense eigenvalues of the Hessian are PyTorch's", async () => {
  const fixture = await readFixture("digits_mlp_op13");
  const risk = await fixture.open({ caseName: "train", loss: "cross_entropy" });
  try {
    const { eigenvalues_top20, eigenvalues_bottom10 } = fixture.stored("train", "cross_entropy").hessian;
    const { values } = await eigh(await toDense(hessian(risk)));
    const scale = eigenvalues_top20![0];
    expectEigenvalues([...values].reverse(), { stored: eigenvalues_top20!, scale });
    expectEigenvalues(values, { stored: eigenvalues_bottom10!, scale });
  } finally {
    await risk.dispose();
  }
});

function extremes(stored: StoredMatrix): { readonly largest: readonly number[]; readonly smallest: readonly number[] } {
  return {
    largest: (stored.eigenvalues_top20 ?? stored.eigenvalues_top10)!,
    smallest: (stored.eigenvalues_bottom10 ?? stored.eigenvalues_bottom3)!,
  };
}
