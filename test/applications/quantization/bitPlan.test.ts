import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  bitPlan,
  type PlanObjective,
  type QuantizationSensitivity,
  uniformPlan,
} from "../../../src/applications/quantization/index.ts";
import { messageOf } from "../../onnx/messageOf.ts";

interface Sketch {
  readonly size: number;
  readonly values: readonly number[];
  readonly trace?: number;
  readonly standardError?: number;
}

/** A sensitivity whose omega, prediction and measurement are given numbers. */
function sensitivityOf(tensors: readonly Sketch[], bits: readonly number[]): QuantizationSensitivity {
  return {
    loss: 1,
    bits,
    scheme: "symmetric",
    scale: "max",
    warnings: [],
    losses: 0,
    gradients: 0,
    matvecs: 0,
    tensors: tensors.map(({ size, values, trace = size, standardError = 0 }, i) => ({
      name: `w${i}`,
      dims: [size],
      size,
      reason: "",
      trace: { value: trace, standardError },
      choices: bits.map((each, b) => ({
        bits: each,
        squaredError: values[b]!,
        omega: { value: (trace / size) * values[b]!, standardError: (standardError / size) * values[b]! },
        linear: 0,
        halfQuadratic: values[b]!,
        predicted: values[b]!,
        measured: values[b]!,
        isQuadratic: true,
      })),
    })),
  };
}

interface BruteForce {
  readonly value: number;
  readonly bits: readonly number[];
}

/** The best of all plans, tried one after the other; of equal ones that with more bits in earlier tensors. */
function bruteForce(sensitivity: QuantizationSensitivity, budget: number): BruteForce {
  const { tensors, bits } = sensitivity;
  const all = tensors.reduce<readonly (readonly number[])[]>(
    (plans) => plans.flatMap((plan) => bits.map((_, choice) => [...plan, choice])),
    [[]],
  );
  let best: BruteForce | undefined;
  for (const plan of all) {
    const size = plan.reduce((sum, choice, i) => sum + tensors[i]!.size * bits[choice]!, 0);
    if (size > budget) continue;
    const value = plan.reduce((sum, choice, i) => sum + tensors[i]!.choices[choice]!.omega.value, 0);
    // Plans come in rising order of their choices, earlier tensors first.
    if (best === undefined || value <= best.value) best = { value, bits: plan.map((choice) => bits[choice]!) };
  }
  return best!;
}

const bits = [2, 3, 4, 8];

/** Values are small whole numbers, so that plans tie often and sums are exact. */
const sketches = fc.array(
  fc.record({
    size: fc.integer({ min: 1, max: 12 }),
    values: fc.array(fc.integer({ min: 0, max: 6 }), { minLength: bits.length, maxLength: bits.length }),
  }),
  { minLength: 1, maxLength: 5 },
);

describe("bitPlan", () => {
  test("is the best of all plans, ties towards more bits in earlier tensors", () => {
    fc.assert(
      fc.property(sketches, fc.double({ min: 2, max: 8.5, noNaN: true }), (tensors, averageBits) => {
        const sensitivity = sensitivityOf(
          tensors.map(({ size, values }) => ({ size, values, trace: size })),
          bits,
        );
        const plan = bitPlan(sensitivity, { budget: { averageBits } });
        const expected = bruteForce(sensitivity, plan.budgetBits);
        expect(plan.total).toBe(expected.value);
        expect(plan.tensors.map((tensor) => tensor.bits)).toEqual(expected.bits);
        expect(plan.usedBits).toBe(plan.tensors.reduce((sum, tensor) => sum + tensor.size * tensor.bits, 0));
        expect(plan.usedBits).toBeLessThanOrEqual(plan.budgetBits);
      }),
      { numRuns: 300 },
    );
  });

  test("a larger budget never has a larger objective, and the front holds the plan of every budget", () => {
    fc.assert(
      fc.property(sketches, (tensors) => {
        const sensitivity = sensitivityOf(tensors, bits);
        const weights = tensors.reduce((sum, { size }) => sum + size, 0);
        let before = Number.POSITIVE_INFINITY;
        for (let budget = 2 * weights; budget <= 8 * weights; budget++) {
          const { total, front, frontSize } = bitPlan(sensitivity, { budget: { bits: budget }, frontPoints: 10_000 });
          expect(total).toBeLessThanOrEqual(before);
          expect(front).toHaveLength(frontSize);
          expect(front.filter(({ usedBits }) => usedBits <= budget).at(-1)!.total).toBe(total);
          before = total;
        }
        const { front } = bitPlan(sensitivity, { budget: { bits: 8 * weights }, frontPoints: 10_000 });
        for (const [i, point] of front.slice(1).entries()) {
          expect(point.usedBits).toBeGreaterThan(front[i]!.usedBits);
          expect(point.total).toBeLessThan(front[i]!.total);
        }
      }),
      { numRuns: 40 },
    );
  });

  test("budgets in average bits, bits and bytes are the same; objectives are those asked for", () => {
    const sensitivity = sensitivityOf(
      [
        { size: 10, values: [8, 4, 2, 1] },
        { size: 30, values: [9, 3, 2, 0] },
      ],
      bits,
    );
    const wanted = bitPlan(sensitivity, { budget: { averageBits: 4 } });
    expect(bitPlan(sensitivity, { budget: { bits: 160 } })).toEqual(wanted);
    expect(bitPlan(sensitivity, { budget: { bytes: 20 } })).toEqual(wanted);
    for (const objective of ["predicted", "measured"] satisfies PlanObjective[]) {
      const plan = bitPlan(sensitivity, { budget: { bits: 160 }, objective });
      expect(plan.total).toBe(plan.separate[objective]);
      expect(plan.stability.message).toBe(`the objective "${objective}" has no sampling error`);
    }
    expect(
      bitPlan(sensitivity, { budget: { bits: 160 }, frontPoints: 2 }).front.map((point) => point.averageBits),
    ).toEqual([2, 8]);
    expect(uniformPlan(sensitivity, 5).tensors.map((tensor) => tensor.bits)).toEqual([5, 5]);
  });

  test("names tensors whose bits change within the errors of the traces", () => {
    // At 3 bits on average one of two equal tensors has 4: which one hangs on traces that are equal within their errors. The third is cheap.
    const values = [8, 6, 1, 0];
    const twins = [
      { size: 10, values, trace: 10, standardError: 3 },
      { size: 10, values, trace: 10.1, standardError: 3 },
      { size: 1, values: [0, 0, 0, 0], trace: 1, standardError: 0.1 },
    ];
    const settings = { budget: { bits: 10 * 4 + 10 * 2 + 2 }, resamples: 200, seed: 1 } as const;
    const { stability, tensors } = bitPlan(sensitivityOf(twins, bits), settings);
    expect(tensors.map((tensor) => tensor.bits)).toEqual([2, 4, 2]);
    expect(stability.unstable).toEqual(["w0", "w1"]);
    expect(stability.message).toBe("the bits of w0, w1 depend on the errors of the traces; raise matvecs");
    // The difference of two traces with standard error 3 each has 3 sqrt(2): its sign changes in half of the draws.
    expect(Math.abs(stability.tensors[0]!.changed - 0.49)).toBeLessThan(4 * Math.sqrt(0.25 / 200));
    const certain = twins.map((tensor, i) => ({ ...tensor, trace: i === 0 ? 30 : 10 }));
    const calm = bitPlan(sensitivityOf(certain, bits), settings);
    expect(calm.stability.unstable).toEqual([]);
    expect(calm.stability.message).toContain("the plan stays in 200 draws");
    expect(bitPlan(sensitivityOf(twins, bits), { ...settings, resamples: 0 }).stability.message).toContain(
      "not asked for",
    );
  });

  test("many tensors of different sizes take a moment", () => {
    const many = Array.from({ length: 40 }, (_, i) => ({
      size: 1000 + 37 * ((i * i) % 101),
      values: bits.map((each) => (1 + ((i * 7) % 13)) * 4 ** -each * (1000 + i)),
    }));
    const plan = bitPlan(sensitivityOf(many, bits), { budget: { averageBits: 3.7 } });
    expect(plan.frontSize).toBeGreaterThan(100);
    expect(plan.front).toHaveLength(200);
    expect(plan.averageBits).toBeGreaterThan(3.69);
  });

  test("refuses what it cannot take, in one line", () => {
    const sensitivity = sensitivityOf([{ size: 10, values: [3, 2, 1, 0], standardError: 1 }], bits);
    const asked = (options: object) => messageOf(() => bitPlan(sensitivity, options as never));
    expect(asked({ budget: { averageBits: 1.9 } })).toBe(
      "argument: bitPlan expects a budget of at least 20 bits, 2 for each of 10 weights, got 19 (1.90 a weight); raise it, or offer fewer bits a weight",
    );
    expect(asked({ budget: { megabytes: 2 } })).toBe(
      'argument: bitPlan expects budget as { averageBits }, { bits } or { bytes }, a positive number, got {"megabytes":2}',
    );
    expect(asked({ budget: { bits: 40 } })).toBe(
      "argument: bitPlan draws random vectors and expects seed to be a finite number, got undefined; pass for example seed: 0",
    );
    expect(asked({ budget: { bits: 40 }, resamples: -1 })).toBe(
      "argument: bitPlan expects resamples to be a whole number of at least 0, got -1",
    );
    expect(asked({ budget: { bits: 40 }, frontPoints: 1 })).toContain("frontPoints to be a whole number of at least 2");
    expect(asked({ budget: { bits: 40 }, objective: "trace" })).toBe(
      'argument: bitPlan: objective must be "omega", "predicted" or "measured", got "trace"',
    );
    expect(asked({ budget: { bits: 40 }, sizes: 3 })).toContain("bitPlan got the unknown option `sizes`");
    expect(messageOf(() => uniformPlan(sensitivity, 9))).toBe(
      "argument: uniformPlan expects bits from 2 to 8, or 16 for float16, got 9",
    );
  });
});
