import { expect, test } from "vitest";
import { arrays, empiricalRisk, functionModel, ggn, meanSquaredError, primitives } from "../../src/index.ts";
import { toDense } from "../../src/linalg/index.ts";
import { stream } from "../../src/random/index.ts";
import { diagonal, ekfac, kfac } from "../../src/structured/index.ts";
import { difference } from "../operators/closeness.ts";

const { matmul } = primitives;

/** x W V with one output, inputs of very different sizes, and an input that is always 0. */
async function networkWith({ scales, V }: { readonly scales: readonly number[]; readonly V: Float64Array }) {
  const random = stream(4, "edges");
  const numbers = (length: number) => Float64Array.from({ length }, () => random.normal());
  const inputs = scales.length;
  const model = functionModel({
    parameters: { W: { data: numbers(inputs * 3), dims: [inputs, 3] }, V: { data: V, dims: [3, 1] } },
    inputs: { x: { dims: [inputs] } },
    apply: (p, { x }) => matmul(matmul(x, p.W), p.V),
  });
  const rows = 12;
  const x = numbers(rows * inputs).map((value, i) => value * scales[i % inputs]);
  const data = arrays({
    inputs: { data: x, dims: [rows, inputs] },
    targets: { data: numbers(rows), dims: [rows, 1] },
  });
  return empiricalRisk({ model, loss: meanSquaredError(), data, dtype: "float64" });
}

const ordinary = Float64Array.of(1, -2, 0.5);

test("a layer with one output, ill-conditioned and singular factors: inverses with damping, an error without", async () => {
  await using risk = await networkWith({ scales: [1, 1e-5, 1e3, 0], V: ordinary });
  const G = (await toDense(ggn(risk))).data;
  for (const make of [kfac, ekfac]) {
    await using K = await make(risk);
    // A linear network with one term a row has the exact blocks.
    const dense = (await toDense(K)).data;
    for (const { offset, size } of risk.parameters) {
      const own = (data: ArrayLike<number>) =>
        Float64Array.from({ length: size * size }, (_, k) => {
          return data[(offset + Math.floor(k / size)) * risk.size + offset + (k % size)];
        });
      expect(difference(own(dense), own(G))).toBeLessThan(1e-10);
    }
    const v = Float64Array.from({ length: risk.size }, (_, i) => Math.cos(i));
    const damping = 1e-3;
    const solved = await K.inverse({ damping }).matvec(v);
    expect(difference(await K.withDamping(damping).matvec(solved), v)).toBeLessThan(1e-5);
    await expect(K.inverse().matvec(v)).rejects.toThrow(
      "singular, so it has no inverse without damping; give a positive damping",
    );
    await expect(K.logdet()).rejects.toThrow("singular, so it has no log-determinant without damping");
    expect(await K.conditionNumber()).toBe(Number.POSITIVE_INFINITY);
  }
});

test("a zero factor: a network whose last layer is zero has damped inverses of every kind", async () => {
  await using risk = await networkWith({ scales: [1, 2], V: new Float64Array(3) });
  for (const make of [kfac, ekfac, diagonal]) {
    await using K = await make(risk);
    const [W] = K.blocks;
    expect(await W.block.trace({ damping: { value: 0, kind: "exact" }, power: 1 })).toBe(0);
    const v = new Float64Array(risk.size).fill(1);
    for (const kind of ["exact", "heuristic"] as const) {
      const solved = await K.inverse({ damping: 0.5, kind }).matvec(v);
      for (let i = 0; i < risk.parameters[0].size; i++) expect(solved[i]).toBeCloseTo(2, 12);
    }
  }
});
