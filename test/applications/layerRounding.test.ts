import { describe, expect, test } from "vitest";
import { rankCorrelation } from "../../src/applications/rankCorrelation.ts";
import { hessian, layerRounding, type ReportedLayer, uniformRounding } from "../../src/index.ts";
import { toDense } from "../../src/linalg/index.ts";
import { smallRisk, smallTheta } from "./smallRisk.ts";

async function exactLayers(risk: Awaited<ReturnType<typeof smallRisk>>): Promise<readonly ReportedLayer[]> {
  const { data, rows } = await toDense(hessian(risk));
  return risk.parameters.map(({ layer, name, dims, offset, size }) => {
    let trace = 0;
    for (let i = offset; i < offset + size; i++) trace += data[i * rows + i]!;
    return {
      name: layer,
      parameters: size,
      trace,
      standardError: 0,
      tensors: [{ name, dims, trace, standardError: 0 }],
    };
  });
}

describe("layerRounding", () => {
  test("measures the loss of a second model with rounded weights, and predicts trace step^2 / 24", async () => {
    const risk = await smallRisk();
    const layers = await exactLayers(risk);
    const found = await layerRounding(risk, { layers, bits: [8, 3] });
    expect(found.loss).toBe(await risk.loss());
    // Biases stay as they are.
    expect(found.layers.map(({ name, weights }) => [name, weights])).toEqual([
      ["w1", 9],
      ["w2", 9],
    ]);
    for (const { name, changes } of found.layers) {
      const { offset, size } = risk.parameters.find((parameter) => parameter.name === name)!;
      for (const { bits, step, predicted, measured } of changes) {
        const theta = smallTheta();
        const rounded = uniformRounding(theta.subarray(offset, offset + size), { bits });
        theta.set(rounded.values, offset);
        const other = await smallRisk({ theta });
        expect(measured).toBeCloseTo((await other.loss()) - found.loss, 12);
        await other.dispose();
        expect(step).toBe(rounded.step);
        expect(predicted).toBeCloseTo((layers.find((layer) => layer.name === name)!.trace * step ** 2) / 24, 12);
      }
    }
    const at3 = found.layers.map(({ changes }) => changes[1]!);
    const sameOrder = at3[0]!.predicted > at3[1]!.predicted === at3[0]!.measured > at3[1]!.measured;
    expect(found.rankCorrelations[1]).toEqual({ bits: 3, layers: 2, value: sameOrder ? 1 : -1 });
    await risk.dispose();
  });

  test("spends no more evaluations than allowed, on the layers of largest prediction", async () => {
    const risk = await smallRisk();
    const layers = await exactLayers(risk);
    const all = await layerRounding(risk, { layers });
    const few = await layerRounding(risk, { layers, evaluations: 4 });
    expect(few.omitted).toBe(1);
    const at3 = ({ changes }: (typeof all.layers)[number]) => changes.find(({ bits }) => bits === 3)!.predicted;
    const largest = [...all.layers].sort((a, b) => at3(b) - at3(a))[0]!;
    expect(few.layers).toEqual([largest]);
    await risk.dispose();
  });

  test("stops at the signal", async () => {
    const risk = await smallRisk();
    const signal = AbortSignal.abort();
    await expect(layerRounding(risk, { layers: await exactLayers(risk), signal })).rejects.toMatchObject({
      code: "aborted",
    });
    await risk.dispose();
  });
});

describe("rankCorrelation", () => {
  test("is 1 for the same order, -1 for the opposite, and Pearson's formula of mean ranks with ties", () => {
    expect(rankCorrelation([1, 5, 9], [2, 30, 400])).toBeCloseTo(1, 12);
    expect(rankCorrelation([1, 5, 9], [3, 2, 1])).toBeCloseTo(-1, 12);
    // Ranks 0, 1.5, 1.5, 3 and 0, 1, 2, 3: covariance 4.5, spreads 4.5 and 5.
    expect(rankCorrelation([1, 2, 2, 3], [1, 2, 3, 4])).toBeCloseTo(4.5 / Math.sqrt(4.5 * 5), 12);
    expect(rankCorrelation([1], [1])).toBeUndefined();
    expect(rankCorrelation([1, 1], [1, 2])).toBeUndefined();
  });
});
