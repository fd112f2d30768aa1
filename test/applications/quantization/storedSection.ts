import { expect } from "vitest";
import { bitPlan, type QuantizationSensitivity } from "../../../src/applications/quantization/index.ts";
import { relative } from "../digits.ts";

interface StoredGrouping {
  readonly squared_perturbation: readonly (readonly number[])[];
  readonly loss_with_only_this_tensor_quantized: readonly (readonly number[])[];
  readonly omega: { readonly [kind: string]: readonly (readonly number[])[] };
  readonly half_quadratic_form: { readonly [kind: string]: readonly (readonly number[])[] };
  readonly all_tensors_at: { readonly [bits: string]: number };
  readonly plans: {
    readonly [kind: string]: readonly {
      readonly average_bits: number;
      readonly budget_bits: number;
      readonly bits: readonly number[];
      readonly total_omega: number;
      readonly used_bits: number;
      readonly loss: number;
    }[];
  };
}

/** A network's numbers in quantization.json. */
export interface StoredSection {
  readonly loss: number;
  readonly tensors: readonly string[];
  readonly sizes: readonly number[];
  readonly trace: { readonly [kind: string]: readonly number[] };
  readonly largest_eigenvalue_of_block: { readonly [kind: string]: readonly number[] };
  readonly per_tensor: StoredGrouping;
  readonly per_channel: StoredGrouping;
}

interface Which {
  readonly kind: string;
  readonly grouping: "per_tensor" | "per_channel";
}

/** Expects sensitivities to be the stored ones to 1e-9. */
export function expectSensitivity(
  found: QuantizationSensitivity,
  stored: StoredSection,
  { kind, grouping }: Which,
): void {
  const expected = stored[grouping];
  const close = (actual: number, wanted: number) => expect(relative(actual, wanted)).toBeLessThan(1e-9);
  close(found.loss, stored.loss);
  expect(found.tensors.map(({ name }) => name)).toEqual(stored.tensors);
  found.tensors.forEach(({ size, trace, largestEigenvalue, hawq, choices }, i) => {
    expect(size).toBe(stored.sizes[i]);
    close(trace.value, stored.trace[kind]![i]!);
    expect(trace.standardError).toBe(0);
    if (largestEigenvalue !== undefined) {
      close(largestEigenvalue.value, stored.largest_eigenvalue_of_block[kind]![i]!);
      close(hawq!, stored.largest_eigenvalue_of_block[kind]![i]! / size);
    }
    choices.forEach(({ squaredError, omega, halfQuadratic, measured }, b) => {
      close(squaredError, expected.squared_perturbation[i]![b]!);
      close(omega.value, expected.omega[kind]![i]![b]!);
      close(halfQuadratic, expected.half_quadratic_form[kind]![i]![b]!);
      close(found.loss + measured, expected.loss_with_only_this_tensor_quantized[i]![b]!);
    });
  });
}

/** Expects the plans of the stored budgets. */
export function expectPlans(found: QuantizationSensitivity, stored: StoredSection, { kind, grouping }: Which): void {
  for (const plan of stored[grouping].plans[kind]!) {
    const made = bitPlan(found, { budget: { averageBits: plan.average_bits } });
    expect(made.budgetBits).toBe(plan.budget_bits);
    expect(made.tensors.map(({ bits }) => bits)).toEqual(plan.bits);
    expect(made.usedBits).toBe(plan.used_bits);
    expect(relative(made.total, plan.total_omega)).toBeLessThan(1e-9);
    expect(made.stability.message).toBe("traces are exact");
  }
}
