import { expect, test } from "vitest";
import { crossEntropy, empiricalRisk, functionModel, primitives } from "../../src/index.ts";
import { toDense } from "../../src/linalg/index.ts";
import { ggn } from "../../src/operators/index.ts";
import { blockDiagonal, indicesOf, kfac } from "../../src/structured/index.ts";
import { difference } from "../operators/closeness.ts";
import { dataOf, riskCases } from "../operators/riskCases.ts";

const { add, matmul } = primitives;

test("two losses of one name on one model keep their own options", async () => {
  const { model, ...rest } = riskCases["cross-entropy"];
  for (const loss of [crossEntropy(), crossEntropy({ labelSmoothing: 0.5, classWeights: [0.1, 1, 9] })]) {
    await using risk = await empiricalRisk({
      model,
      loss,
      data: dataOf({ model, ...rest, loss }, 9),
      dtype: "float64",
    });
    await using K = await blockDiagonal(risk, { by: "parameter" });
    const G = await toDense(ggn(risk));
    const own = (await toDense(K)).data;
    for (const placed of K.blocks) {
      const indices = indicesOf(placed);
      const pick = (data: ArrayLike<number>) =>
        Float64Array.from(
          indices.length ** 2 === 0
            ? []
            : [...indices].flatMap((i) => [...indices].map((j) => data[j * risk.size + i])),
        );
      expect(difference(pick(own), pick(G.data))).toBeLessThan(1e-10);
    }
  }
});

test("two outputs of one model have their own layers", async () => {
  const { inputs, targets } = riskCases["cross-entropy"];
  const numbers = (size: number) => Float64Array.from({ length: size }, (_, i) => Math.sin(i + 1));
  const model = functionModel({
    parameters: {
      a: { data: numbers(12), dims: [4, 3] },
      b: { data: numbers(12), dims: [4, 3] },
      c: { data: numbers(3), dims: [3] },
    },
    inputs: { x: { dims: [4] } },
    apply: (p, { x }) => ({ first: matmul(x, p.a), second: add(matmul(x, p.b), p.c) }),
  });
  const data = dataOf({ ...riskCases["cross-entropy"], inputs, targets }, 9);
  for (const output of ["first", "second"]) {
    await using risk = await empiricalRisk({ model, loss: crossEntropy(), data, output, dtype: "float64" });
    await using K = await kfac(risk);
    const zero = K.coverage.filter(({ reason }) => reason.startsWith("zero")).map(({ parameter }) => parameter);
    expect(zero).toEqual(output === "first" ? ["b", "c"] : ["a"]);
  }
});
