import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compensatedRounding } from "../../../src/applications/quantization/compensatedRounding.ts";
import {
  measurePlan,
  type QuantizationPlan,
  type QuantizedWeightsOptions,
  quantizationSensitivity,
  quantizedWeights,
} from "../../../src/applications/quantization/index.ts";
import type { Risk } from "../../../src/index.ts";
import { cholesky, choleskySolve } from "../../../src/linalg/index.ts";
import { stream } from "../../../src/random/index.ts";
import { blockDiagonal, denseBlock, ekfac, kfac, structuredOperator } from "../../../src/structured/index.ts";
import type { Matrix } from "../../../src/tensors/index.ts";
import { rejectionOf } from "../../onnx/messageOf.ts";
import { difference } from "../../operators/closeness.ts";
import { digitsRisk, digitsRows } from "../digits.ts";

/** A random second moment of `samples` vectors of m entries that are correlated. */
function secondMoment(m: number, { seed, samples = 3 * m }: { readonly seed: number; readonly samples?: number }) {
  const random = stream(seed, "moment");
  const data = new Float64Array(m * m);
  for (let s = 0; s < samples; s++) {
    const shared = random.normal();
    const x = Float64Array.from({ length: m }, () => 0.7 * shared + random.normal());
    for (let j = 0; j < m; j++) for (let i = 0; i < m; i++) data[j * m + i]! += (x[i]! * x[j]!) / samples;
  }
  return { rows: m, columns: m, data };
}

/** Inverse of the principal submatrix of H + d I at these indices, anew. */
async function inverseAt(
  H: Matrix,
  { indices, damping }: { readonly indices: readonly number[]; readonly damping: number },
) {
  const k = indices.length;
  const data = Float64Array.from(
    { length: k * k },
    (_, e) => H.data[indices[Math.floor(e / k)]! * H.rows + indices[e % k]!]!,
  );
  for (let i = 0; i < k; i++) data[i * (k + 1)]! += damping;
  const unit = new Float64Array(k * k);
  for (let i = 0; i < k; i++) unit[i * (k + 1)] = 1;
  return choleskySolve(await cholesky({ rows: k, columns: k, data }), { rows: k, columns: k, data: unit });
}

/** Optimal brain quantization written out: one row after the other, each time with the inverse of what is still free. */
async function stepByStep(weights: Float64Array, H: Matrix, step: number): Promise<Float64Array> {
  const m = H.rows;
  const n = weights.length / m;
  let trace = 0;
  for (let i = 0; i < m; i++) trace += H.data[i * (m + 1)]!;
  const moved = weights.slice();
  for (let row = 0; row < m; row++) {
    const free = Array.from({ length: m - row }, (_, i) => row + i);
    const inverse = await inverseAt(H, { indices: free, damping: (0.01 * trace) / m });
    for (let column = 0; column < n; column++) {
      const before = moved[row * n + column]!;
      const error = step * Math.round(before / step) - before;
      free.forEach((index, i) => {
        moved[index * n + column]! += (inverse.data[i]! / inverse.data[0]!) * error;
      });
      moved[row * n + column] = step * Math.round(before / step);
    }
  }
  return moved;
}

/** tr(D' H D). */
function outputError(values: Float64Array, weights: Float64Array, H: Matrix): number {
  const m = H.rows;
  const n = weights.length / m;
  let error = 0;
  for (let c = 0; c < n; c++)
    for (let i = 0; i < m; i++)
      for (let j = 0; j < m; j++)
        error +=
          (values[i * n + c]! - weights[i * n + c]!) * H.data[j * m + i]! * (values[j * n + c]! - weights[j * n + c]!);
  return error;
}

const nearest = (step: number) => (weight: number) => step * Math.round(weight / step);

describe("compensatedRounding", () => {
  test("is optimal brain quantization written out with dense inverses, column by column", async () => {
    const H = secondMoment(9, { seed: 1 });
    const random = stream(2, "weights");
    const weights = Float64Array.from({ length: 9 * 4 }, () => random.normal());
    const step = 0.4;
    const found = await compensatedRounding(weights, {
      block: H,
      round: nearest(step),
      damping: 0.01,
      order: "stored",
    });
    const expected = await stepByStep(weights, H, step);
    const plain = weights.map(nearest(step));
    for (let column = 0; column < 4; column++) {
      const own = (values: Float64Array) => values.filter((_, k) => k % 4 === column);
      const [compensated, kept] = [own(expected), own(plain)].map((each) => outputError(each, own(weights), H));
      expect(difference(own(found.values), compensated! < kept! ? own(expected) : own(plain))).toBeLessThan(1e-9);
    }
    expect(found.error).toBeCloseTo(outputError(found.values, weights, H), 10);
    expect(found.plainError).toBeCloseTo(outputError(plain, weights, H), 10);
    expect(found.keptPlain).toBeLessThan(4);
  });

  test("the output error is never worse than that of nearest points, and mostly far less", async () => {
    let [better, cases] = [0, 0];
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 12 }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 0, max: 1e6 }),
        fc.double({ min: 0.2, max: 2, noNaN: true }),
        fc.constantFrom("stored" as const, "diagonal" as const),
        async (m, n, seed, step, order) => {
          const H = secondMoment(m, { seed, samples: seed % 2 === 0 ? 3 * m : Math.max(1, Math.floor(m / 2)) });
          const random = stream(seed, "weights");
          const weights = Float64Array.from({ length: m * n }, () => random.normal());
          const found = await compensatedRounding(weights, { block: H, round: nearest(step), damping: 0.01, order });
          const plain = outputError(weights.map(nearest(step)), weights, H);
          expect(outputError(found.values, weights, H)).toBeLessThanOrEqual(plain * (1 + 1e-9) + 1e-12);
          for (const value of found.values)
            expect(Math.abs(value / step - Math.round(value / step))).toBeLessThan(1e-9);
          cases++;
          if (found.error < 0.8 * found.plainError) better++;
        },
      ),
      { numRuns: 150, seed: 5 },
    );
    expect(better / cases).toBeGreaterThan(0.5);
  });

  test("a diagonal block leaves nearest points, and so does one of zeros", async () => {
    const weights = Float64Array.of(0.3, -0.8, 1.4, 0.1);
    const options = { round: nearest(0.5), damping: 0.01, order: "stored" } as const;
    const D = { rows: 2, columns: 2, data: Float64Array.of(2, 0, 0, 1) };
    for (const block of [D, { ...D, data: new Float64Array(4) }]) {
      const { values, keptPlain } = await compensatedRounding(weights, { ...options, block });
      expect([...values]).toEqual([...weights.map(nearest(0.5))]);
      expect(keptPlain).toBe(2);
    }
    const indefinite = { rows: 2, columns: 2, data: Float64Array.of(1, 2, 2, 1) };
    expect(await rejectionOf(compensatedRounding(weights, { ...options, block: indefinite }))).toBe(
      "numeric: compensated rounding needs a positive definite block, got one that is not with damping 0.01 of its mean diagonal; raise damping",
    );
  });
});

describe("quantizedWeights with compensation", () => {
  let risk: Risk;
  beforeAll(async () => {
    risk = await digitsRisk({ data: digitsRows((labels) => labels.map((_, i) => i).slice(0, 500)) });
  });
  afterAll(() => risk.dispose());

  const plan: QuantizationPlan = {
    scheme: "symmetric",
    scale: "max",
    tensors: [
      { name: "0.weight", bits: 3, axis: 0 },
      { name: "2.weight", bits: 3 },
    ],
  };
  const lossWith = async (options: QuantizedWeightsOptions, own = plan) => {
    const weights = await quantizedWeights(risk, own, options);
    return { ...weights, loss: (await measurePlan(risk, { weights })).loss };
  };

  test("lowers the loss of the digits network; the factor of the outputs does not matter", async () => {
    const inputs = await kfac(risk, { of: "inputs" });
    const [plain, own] = [await lossWith({}), await lossWith({ compensation: inputs })];
    const before = await risk.loss();
    expect(own.loss - before).toBeLessThan(0.7 * (plain.loss - before));
    expect(own.compensated!.map(({ name, compensated }) => [name, compensated])).toEqual([
      ["0.weight", true],
      ["2.weight", true],
    ]);
    for (const { plainError, error, keptPlain } of own.compensated!) {
      expect(error!).toBeLessThan(plainError!);
      expect(keptPlain!).toBeLessThan(0.5);
    }
    // A (x) B has the same inverse of inputs as A (x) I: all entries of a row are rounded at once.
    const both = await lossWith({ compensation: await kfac(risk) });
    expect(difference(both.theta, own.theta)).toBe(0);
    // Levels are within the grid of the original weights, with the same steps.
    own.tensors.forEach(({ levels, steps }, i) => {
      expect(steps).toEqual(plain.tensors[i]!.steps);
      for (const level of levels) expect(Math.abs(level)).toBeLessThanOrEqual(3);
    });
    expect((await lossWith({ compensation: inputs, order: "diagonal" })).loss).not.toBe(own.loss);
  });

  test("the error stated is that of the outputs of the layer", async () => {
    const { compensated, theta } = await lossWith({ compensation: await kfac(risk, { of: "inputs" }) });
    const [first] = risk.parameters;
    const d = Float64Array.from(theta, (weight, i) => weight - risk.theta()[i]!);
    let [total, rows] = [0, 0];
    for await (const batch of risk.data.batches()) {
      const { data, dims } = Object.values(batch.inputs)[0]!;
      for (let row = 0; row < dims[0]!; row++) {
        for (let out = 0; out < first!.dims[0]!; out++) {
          let change = 0;
          for (let i = 0; i < 64; i++) change += Number(data[row * 64 + i]) * d[first!.offset + out * 64 + i]!;
          total += change ** 2;
        }
        rows++;
      }
    }
    expect(Math.abs(compensated![0]!.error! / (total / rows) - 1)).toBeLessThan(1e-9);
  });

  test("by exact blocks, and what has no coupling stays plain", async () => {
    const small: QuantizationPlan = { ...plan, tensors: [{ name: "2.weight", bits: 2 }] };
    const exact = await blockDiagonal(risk, { by: "parameter", denseLimit: 200 });
    const own = await lossWith({ compensation: exact }, small);
    expect(own.compensated![0]).toMatchObject({ name: "2.weight", compensated: true });
    expect(own.loss).toBeLessThan((await lossWith({}, small)).loss);
    // The first layer is too large for a dense block here: it has its diagonal, in which nothing is coupled.
    const both = await quantizedWeights(risk, plan, { compensation: exact });
    expect(both.compensated![0]!.compensated).toBe(false);
    expect(both.compensated![0]!.reason).toContain("its entries do not depend on one another in this matrix");
    const plain = await quantizedWeights(risk, plan);
    expect(both.tensors[0]!.levels).toEqual(plain.tensors[0]!.levels);
    const half: QuantizationPlan = { ...plan, tensors: [{ name: "2.weight", bits: 16 }] };
    expect((await quantizedWeights(risk, half, { compensation: exact })).compensated![0]!.reason).toContain("float16");
    const eigen = await quantizedWeights(risk, small, { compensation: await ekfac(risk) });
    expect(eigen.compensated![0]!.compensated).toBe(false);
  });

  test("sensitivities with compensation are those of weights rounded so", async () => {
    const rounding = { compensation: await kfac(risk, { of: "inputs" }) };
    const settings = { bits: [2, 3], seed: 0, matvecs: 4, eigenvalues: false };
    const own = await quantizationSensitivity(risk, { ...settings, rounding });
    const plain = await quantizationSensitivity(risk, settings);
    for (const [i, { name, choices }] of own.tensors.entries()) {
      for (const [b, { bits, measured, squaredError }] of choices.entries()) {
        const one = { scheme: "symmetric", scale: "max", tensors: [{ name, bits }] } as const;
        expect(own.loss + measured).toBeCloseTo((await lossWith(rounding, one)).loss, 12);
        // Larger errors of the weights, smaller ones of the loss.
        const nearest = plain.tensors[i]!.choices[b]!;
        expect(squaredError).toBeGreaterThan(nearest.squaredError);
        expect(measured).toBeLessThan(nearest.measured);
      }
    }
  });

  test("refuses what it cannot take", async () => {
    const asked = (options: object) => rejectionOf(quantizedWeights(risk, plan, options as QuantizedWeightsOptions));
    const inputs = await kfac(risk, { of: "inputs" });
    expect(await asked({ compensation: await kfac(risk, { bias: "joint" }) })).toBe(
      'argument: quantizedWeights expects blocks of single tensors for compensation, got "0.weight" with "0.weight" and others; take kfac with bias: "separate", or blockDiagonal with by: "parameter"',
    );
    const other = structuredOperator({
      size: 2,
      blocks: [
        {
          block: denseBlock({ rows: 2, columns: 2, data: Float64Array.of(1, 0, 0, 1) }),
          name: "w",
          parameters: [0],
          place: { offset: 0 },
          reason: "",
        },
      ],
    });
    expect(await asked({ compensation: other })).toBe(
      `shape: quantizedWeights expects compensation to be a structured matrix [${risk.size}, ${risk.size}] of the risk, as await kfac(risk, { of: "inputs" }) of onnx-curvature/structured, got one of 2 rows`,
    );
    expect(await asked({ compensation: {} })).toContain("got object");
    expect(await asked({ compensation: inputs, damping: -1 })).toContain("damping");
    expect(await asked({ compensation: inputs, order: "random" })).toBe(
      'argument: quantizedWeights: order must be "stored" or "diagonal", got "random"',
    );
    expect(await asked({ compensation: inputs, signal: AbortSignal.abort() })).toBe(
      "aborted: quantizedWeights was aborted after 0 tensors",
    );
    const unknown = { ...plan, tensors: [{ name: "w", bits: 4 }] };
    expect(await rejectionOf(quantizedWeights(risk, unknown))).toBe(
      'argument: quantizedWeights finds no parameter "w" in the risk; it has 0.weight, 0.bias, 2.weight, 2.bias',
    );
  });
});
