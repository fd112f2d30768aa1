import { expect, test } from "vitest";
import { laplace, logMarginalLikelihood, optimizePrior, predict } from "../../../src/applications/laplace/index.ts";
import { arrays, crossEntropy, empiricalRisk, functionModel, primitives, type Risk } from "../../../src/index.ts";
import { stream } from "../../../src/random/index.ts";

const { add, matmul, tanh } = primitives;

const FEATURES = 512;
const ROWS = 1000;
/** 10,000 unless the environment says otherwise. */
const CLASSES = Number(process.env.CLASSES ?? 10_000);
const GIGABYTE = 1e9;

/** A fixed layer of tanh units and a last layer of many classes, on rows around a point for each label. */
async function manyClasses(): Promise<Risk> {
  const random = stream(0, "many classes");
  const draw = (length: number, by: number) => Float32Array.from({ length }, () => by * random.normal());
  const inputs = 32;
  const model = functionModel({
    name: "many classes",
    parameters: {
      w1: { data: draw(inputs * FEATURES, 1 / Math.sqrt(inputs)), dims: [inputs, FEATURES] },
      w2: { data: draw(FEATURES * CLASSES, 1 / Math.sqrt(FEATURES)), dims: [FEATURES, CLASSES] },
      b2: { data: draw(CLASSES, 0.1), dims: [CLASSES] },
    },
    inputs: { x: { dims: [inputs], dtype: "float32" } },
    apply: (p, { x }) => add(matmul(tanh(matmul(x!, p.w1!)), p.w2!), p.b2!),
  });
  const targets = { data: Int32Array.from({ length: ROWS }, () => random.integer(CLASSES)), dims: [ROWS] };
  const data = arrays({
    inputs: { x: { data: draw(ROWS * inputs, 1), dims: [ROWS, inputs] } },
    targets,
    batchSize: 250,
  });
  return empiricalRisk({ model, loss: crossEntropy(), data, cache: 0 });
}

/** Largest resident memory of this process so far, in bytes. */
function peakMemory(): number {
  return 1024 * process.resourceUsage().maxRSS;
}

const structures = (process.env.STRUCTURES ?? "diagonal,kfac").split(",") as ("diagonal" | "kfac")[];

test.each(structures)(
  `last layer of ${FEATURES} features and ${CLASSES} classes under 4 GB: %s`,
  async (structure) => {
    const risk = await manyClasses();
    const seconds = (since: number) => ((performance.now() - since) / 1000).toFixed(1);
    let begin = performance.now();
    const posterior = await laplace(risk, { weights: "lastLayer", structure });
    const fitted = seconds(begin);
    begin = performance.now();
    const best = await optimizePrior(posterior);
    const chosen = seconds(begin);
    begin = performance.now();
    const rows = arrays({
      inputs: { x: { data: new Float32Array(20 * 32).map((_, i) => Math.sin(i)), dims: [20, 32] } },
      batchSize: 10,
    });
    const { probabilities, variance } = await predict(best.posterior!, rows);
    const predicted = seconds(begin);
    process.stderr.write(
      `${structure}, ${CLASSES} classes: fit ${fitted} s, prior ${chosen} s, 20 predictions ${predicted} s, peak ${(peakMemory() / GIGABYTE).toFixed(2)} GB\n`,
    );
    const { value } = await logMarginalLikelihood(best.posterior!);
    expect(best.slope! / best.effectiveParameters).toBeLessThan(1e-6);
    for (const factor of [0.5, 2]) {
      const other = await posterior.withPrior({ priorPrecision: factor * (best.priorPrecision as number) });
      expect((await logMarginalLikelihood(other)).value).toBeLessThan(value);
    }
    expect(variance.every((x) => x > 0)).toBe(true);
    for (let row = 0; row < 20; row++) {
      const own = probabilities!.subarray(row * CLASSES, (row + 1) * CLASSES);
      expect(own.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 6);
    }
    expect(peakMemory()).toBeLessThan(4 * GIGABYTE);
    await posterior.dispose();
    await risk.dispose();
  },
  3_600_000,
);
