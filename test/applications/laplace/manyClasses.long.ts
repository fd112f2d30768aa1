import { expect, test } from "vitest";
import { laplace, logMarginalLikelihood, optimizePrior, predict } from "../../../src/applications/laplace/index.ts";
import { arrays, crossEntropy, empiricalRisk, functionModel, primitives, type Risk } from "../../../src/index.ts";
import { stream } from "../../../src/random/index.ts";

const { add, matmul, tanh } = primitives;

const FEATURES = 512;
const ROWS = 1000;
/** Kronecker factors take an eigendecomposition of the classes: three matrices of 800 MB, and some minutes. */
const CLASSES = { kfac: 10_000, diagonal: 10_000 } as const;
const GIGABYTE = 1e9;

/** A fixed layer of tanh units and a last layer of many classes, on rows around a point for each label. */
async function manyClasses(classes: number): Promise<Risk> {
  const random = stream(0, "many classes");
  const draw = (length: number, by: number) => Float32Array.from({ length }, () => by * random.normal());
  const inputs = 32;
  const model = functionModel({
    name: "many classes",
    parameters: {
      w1: { data: draw(inputs * FEATURES, 1 / Math.sqrt(inputs)), dims: [inputs, FEATURES] },
      w2: { data: draw(FEATURES * classes, 1 / Math.sqrt(FEATURES)), dims: [FEATURES, classes] },
      b2: { data: draw(classes, 0.1), dims: [classes] },
    },
    inputs: { x: { dims: [inputs], dtype: "float32" } },
    apply: (p, { x }) => add(matmul(tanh(matmul(x!, p.w1!)), p.w2!), p.b2!),
  });
  const targets = { data: Int32Array.from({ length: ROWS }, () => random.integer(classes)), dims: [ROWS] };
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

test.each(["kfac", "diagonal"] as const)(
  "last layer of 512 features and many classes under 4 GB: %s",
  async (structure) => {
    const classes = CLASSES[structure];
    const risk = await manyClasses(classes);
    const seconds = (since: number) => ((performance.now() - since) / 1000).toFixed(1);
    let begin = performance.now();
    const posterior = await laplace(risk, { weights: "lastLayer", structure });
    const fitted = seconds(begin);
    begin = performance.now();
    const best = await optimizePrior(posterior);
    const chosen = seconds(begin);
    begin = performance.now();
    const x = new Float32Array(20 * 32).map((_, i) => Math.sin(i));
    const rows = arrays({ inputs: { x: { data: x, dims: [20, 32] } }, batchSize: 10 });
    const { probabilities, variance } = await predict(best.posterior!, rows);
    process.stderr.write(
      `${structure}, ${classes} classes: fit ${fitted} s, prior ${chosen} s, 20 predictions ${seconds(begin)} s, peak ${(peakMemory() / GIGABYTE).toFixed(2)} GB\n`,
    );
    const { value } = await logMarginalLikelihood(best.posterior!);
    expect(best.slope! / best.effectiveParameters).toBeLessThan(1e-6);
    for (const factor of [0.5, 2]) {
      const other = await posterior.withPrior({ priorPrecision: factor * (best.priorPrecision as number) });
      expect((await logMarginalLikelihood(other)).value).toBeLessThan(value);
    }
    expect(variance.every((entry) => entry > 0)).toBe(true);
    for (let row = 0; row < 20; row++) {
      const own = probabilities!.subarray(row * classes, (row + 1) * classes);
      expect(own.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 6);
    }
    expect(peakMemory()).toBeLessThan(4 * GIGABYTE);
    await posterior.dispose();
    await risk.dispose();
  },
);
