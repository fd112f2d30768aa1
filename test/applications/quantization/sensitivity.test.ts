import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  checkBudget,
  comparePlans,
  measurePlan,
  type QuantizationSensitivityOptions,
  type QuantizationSensitivityState,
  quantizationSensitivity,
  quantizationSensitivitySteps,
  quantizedWeights,
  uniformPlan,
} from "../../../src/applications/quantization/index.ts";
import {
  arrays,
  CurvatureError,
  crossEntropy,
  empiricalRisk,
  functionModel,
  ggn,
  hessian,
  meanSquaredError,
  primitives,
  type Risk,
} from "../../../src/index.ts";
import { functionOperator, submatrix, toDense } from "../../../src/linalg/index.ts";
import { stream } from "../../../src/random/index.ts";
import { messageOf, rejectionOf } from "../../onnx/messageOf.ts";
import { smallRisk, smallTheta } from "../smallRisk.ts";

let risk: Risk;
beforeAll(async () => {
  risk = await smallRisk({ theta: smallTheta().map((weight) => 0.3 * weight) });
});
afterAll(() => risk.dispose());

const settings = { bits: [3, 8], seed: 1, matvecs: 24 } as const;

describe("quantizationSensitivity", () => {
  test("traces and eigenvalues are those of dense blocks, changes those of the loss", async () => {
    const matrix = hessian(risk);
    const found = await quantizationSensitivity(risk, { ...settings, matrix });
    expect(found.tensors.map(({ name }) => name)).toEqual(["w1", "w2"]);
    const theta = risk.theta();
    const gradient = await risk.gradient();
    for (const { name, size, trace, largestEigenvalue, choices } of found.tensors) {
      const { offset } = risk.parameters.find((each) => each.name === name)!;
      const block = await toDense(
        submatrix(
          matrix,
          Array.from({ length: size }, (_, i) => offset + i),
        ),
      );
      let diagonal = 0;
      for (let i = 0; i < size; i++) diagonal += block.data[i * (size + 1)]!;
      expect(trace.value).toBeCloseTo(diagonal, 10);
      expect(largestEigenvalue!.value).toBeLessThanOrEqual(
        Math.sqrt(Float64Array.from(block.data).reduce((sum, x) => sum + x * x, 0)),
      );
      for (const { bits, linear, halfQuadratic, predicted, measured, squaredError, omega } of choices) {
        const weights = await quantizedWeights(risk, { scheme: "symmetric", scale: "max", tensors: [{ name, bits }] });
        const d = Float64Array.from(weights.theta, (weight, i) => weight - theta[i]!);
        expect(linear).toBeCloseTo(
          d.reduce((sum, x, i) => sum + x * gradient[i]!, 0),
          12,
        );
        const product = await matrix.matvec(d);
        expect(halfQuadratic).toBeCloseTo(
          d.reduce((sum, x, i) => sum + (x * product[i]!) / 2, 0),
          12,
        );
        expect(predicted).toBe(linear + halfQuadratic);
        expect(squaredError).toBeCloseTo(
          d.reduce((sum, x) => sum + x * x, 0),
          12,
        );
        expect(omega.value).toBeCloseTo((diagonal / size) * squaredError, 12);
        expect(measured).toBeCloseTo((await risk.at(weights.theta).loss()) - found.loss, 14);
      }
    }
  });

  test("is exact to second order for a quadratic loss, cross terms included", async () => {
    const random = stream(8, "linear");
    const numbers = (length: number) => Float64Array.from({ length }, () => random.normal());
    const model = functionModel({
      parameters: { w: { data: numbers(12), dims: [4, 3] }, v: { data: numbers(12), dims: [4, 3] } },
      inputs: { x: { dims: [4], dtype: "float64" }, z: { dims: [4], dtype: "float64" } },
      apply: ({ w, v }, { x, z }) => primitives.add(primitives.matmul(x!, w!), primitives.matmul(z!, v!)),
    });
    const inputs = { x: { data: numbers(40), dims: [10, 4] }, z: { data: numbers(40), dims: [10, 4] } };
    const data = arrays({ inputs, targets: { data: numbers(30), dims: [10, 3] } });
    const linear = await empiricalRisk({ model, loss: meanSquaredError(), data, dtype: "float64" });
    const found = await quantizationSensitivity(linear, { bits: [2, 4], seed: 0, channels: "output" });
    expect(found.tensors.map(({ axis, reason }) => [axis, reason])).toEqual([
      [1, "axis 1: outputs of its layer"],
      [1, "axis 1: outputs of its layer"],
    ]);
    expect(found.warnings).toEqual([]);
    for (const { choices } of found.tensors) {
      for (const { predicted, measured, isQuadratic } of choices) {
        expect(predicted).toBeCloseTo(measured, 10);
        expect(isQuadratic).toBe(true);
      }
    }
    const [comparison] = await comparePlans(linear, found, { bits: [2], objective: "measured" });
    const { uniform } = comparison!;
    expect(uniform.predicted).toBeCloseTo(uniform.measured, 10);
    // Sums over single tensors lack the cross terms.
    const alone = found.tensors.reduce((sum, { choices }) => sum + choices[0]!.predicted, 0);
    expect(Math.abs(alone - uniform.predicted)).toBeGreaterThan(1e-3);
    await linear.dispose();
  });

  test("goes on from every state to the same bits", async () => {
    const options = { ...settings, matvecs: 10 };
    const whole = await quantizationSensitivity(risk, options);
    const states: QuantizationSensitivityState[] = [];
    for await (const state of quantizationSensitivitySteps(risk, options)) states.push(state);
    expect(states.length).toBeGreaterThan(5);
    for (const state of states) {
      const again = await quantizationSensitivity(risk, { ...options, state: structuredClone(state) });
      expect(again).toEqual(whole);
    }
  });

  test("an abort leaves a state", async () => {
    const controller = new AbortController();
    const options = {
      ...settings,
      signal: controller.signal,
      onProgress: ({ stage, done }: { readonly stage: string; readonly done: number }) => {
        if (stage === "rounding of tensors" && done === 1) controller.abort();
      },
    };
    const error = await quantizationSensitivity(risk, options).then(
      () => undefined,
      (cause: unknown) => cause,
    );
    expect(error).toBeInstanceOf(CurvatureError);
    expect((error as CurvatureError).message).toBe("quantizationSensitivity was aborted after 1 tensors");
    const { state } = error as CurvatureError;
    const again = await quantizationSensitivity(risk, { ...settings, state: state as QuantizationSensitivityState });
    expect(again).toEqual(await quantizationSensitivity(risk, settings));
  });

  test("warns of negative traces, vague traces and predictions outside of the quadratic range", async () => {
    const A = ggn(risk);
    const negated = functionOperator({
      shape: A.shape,
      dtype: A.dtype,
      symmetric: true,
      matvec: async (x) => (await A.matvec(x)).map((entry) => -entry),
    });
    const negative = await quantizationSensitivity(risk, { ...settings, matrix: negated });
    expect(negative.warnings[0]).toMatch(
      /^the matrix has a negative trace on "w1" \(-[\d.]+\), "w2" \(-[\d.]+\): omega then falls with the error and a plan by it rewards coarse rounding; take the Gauss-Newton matrix, or plan by "measured" changes$/,
    );
    const vague = await quantizationSensitivity(risk, { ...settings, matvecs: 1 });
    expect(vague.warnings[0]).toBe(
      'the traces on "w1", "w2" have standard errors above half their size; raise matvecs, or give the diagonal',
    );
    const far = await smallRisk({ theta: smallTheta().map((weight) => 4 * weight) });
    const coarse = await quantizationSensitivity(far, { bits: [2], seed: 0, matvecs: 24 });
    expect(
      coarse.warnings.some((warning) =>
        /^"w\d" lies outside the range of the quadratic model at 2 bits \(-?[\d.e-]+ predicted, -?[\d.e-]+ measured\)$/.test(
          warning,
        ),
      ),
    ).toBe(true);
    const outside = coarse.tensors.filter(({ choices }) => !choices[0]!.isQuadratic);
    const weights = await quantizedWeights(far, uniformPlan({ ...coarse, tensors: outside.slice(0, 1) }, 2));
    expect((await measurePlan(far, { weights })).warnings[0]).toMatch(
      /^the plan lies outside the range of the quadratic model/,
    );
    await far.dispose();
  });

  test("axes by name", async () => {
    const found = await quantizationSensitivity(risk, { ...settings, channels: { w2: 1 } });
    expect(found.tensors.map(({ name, axis, reason }) => [name, axis, reason])).toEqual([
      ["w1", undefined, "one step: as asked"],
      ["w2", 1, "axis 1: as asked"],
    ]);
    const output = await quantizationSensitivity(risk, { ...settings, channels: "output", tensors: ["w1", "b1"] });
    expect(output.tensors.map(({ axis }) => axis)).toEqual([1, undefined]);
    expect(output.tensors[1]!.reason).toMatch(/^one step: /);
  });

  test("refuses what it cannot take", async () => {
    const asked = (options: object) =>
      rejectionOf(quantizationSensitivity(risk, { ...settings, ...options } as QuantizationSensitivityOptions));
    expect(await asked({ bits: [4, 4] })).toBe(
      "argument: quantizationSensitivity expects bits to be a list of different numbers, got 4,4",
    );
    expect(await asked({ bits: [9] })).toBe(
      "argument: quantizationSensitivity expects bits from 2 to 8, or 16 for float16, got 9",
    );
    expect(await asked({ tensors: "x*" })).toBe(
      "argument: quantizationSensitivity finds no tensor to quantize that matches x*; the risk has w1, b1, w2, b2",
    );
    expect(await asked({ channels: "rows" })).toBe(
      'argument: quantizationSensitivity expects channels "tensor", "output" or axes by tensor name, got rows',
    );
    expect(await asked({ channels: { b1: 0 } })).toBe(
      'argument: quantizationSensitivity quantizes no tensor "b1" of channels; it has w1, w2',
    );
    expect(await asked({ channels: { w1: 2 } })).toContain("expects axis from 0 to 1");
    expect(await asked({ matrix: submatrix(ggn(risk), [0, 1]) })).toBe(
      "shape: quantizationSensitivity expects a matrix of 24 rows for the parameters of the risk, got 2",
    );
    expect(await asked({ diagonal: new Float64Array(3) })).toBe(
      "shape: quantizationSensitivity expects a diagonal of 24 entries, as the matrix has, got 3",
    );
    expect(await asked({ seed: undefined })).toContain("expects seed to be a finite number");
    expect(await asked({ state: { method: "cg" } })).toContain(
      "quantizationSensitivity expects the state of a run on 2 tensors, got one of cg",
    );
    const biases = await smallRisk();
    const only = await empiricalRisk({
      model: biases.model,
      loss: crossEntropy(),
      data: biases.data,
      parameters: "b*",
    });
    expect(await rejectionOf(quantizationSensitivity(only, settings))).toBe(
      "argument: quantizationSensitivity finds no tensor to quantize: none has two axes or more; the risk has b1, b2",
    );
    await Promise.all([biases.dispose(), only.dispose()]);
    expect(checkBudget(risk, { budget: { averageBits: 3 }, bits: [2, 4] })).toBe(54);
    expect(messageOf(() => checkBudget(risk, { budget: { bits: 30 }, bits: [2, 4] }))).toContain(
      "quantization expects a budget of at least 36 bits, 2 for each of 18 weights, got 30",
    );
  });
});
