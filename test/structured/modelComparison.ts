import { expect } from "vitest";
import { ggn, type Risk } from "../../src/index.ts";
import { stream } from "../../src/random/index.ts";
import { diagonal, ekfac, indicesOf, kfac, type StructuredOperator } from "../../src/structured/index.ts";

/** Passes up to which the terms of a row are kept apart. */
const EXACT_PASSES = 600;

/** Entries of the diagonal that are compared with products. */
const ENTRIES = 6;

/**
 * Builds KFAC, EKFAC and the exact diagonal of a model with any layers, and compares: every entry is covered once; EKFAC's trace is that of the
 * diagonal, unless terms have random signs; entries of the diagonal are those of the Gauss-Newton matrix.
 */
export async function compareStructured(
  risk: Risk,
): Promise<{ readonly treatment: string; readonly difference: number }> {
  const G = ggn(risk);
  const passes = risk.layout.positions * risk.layout.outputs;
  const options = { terms: passes <= EXACT_PASSES ? "exact" : "signs", seed: 1 } as const;
  await using D = await diagonal(risk, options);
  await using K = await kfac(risk, { ...options, denseLimit: 300 });
  await using E = await ekfac(risk, { ...options, denseLimit: 300 });
  for (const operator of [D, K, E]) expectCovered(risk, operator);
  const [trace, corrected] = [await D.trace(), await E.trace()];
  expect(Math.abs(corrected - trace)).toBeLessThanOrEqual(1e-9 * trace);
  if (D.terms === "signs") return { treatment: D.terms, difference: 0 };
  const entries = await D.diagonal();
  const random = stream(7, "entries");
  const largest = Array.from(entries).reduce((most, x) => Math.max(most, x), 0);
  let difference = 0;
  for (let k = 0; k < ENTRIES; k++) {
    const entry = Math.floor(random.uniform() * risk.size);
    const unit = new Float64Array(risk.size);
    unit[entry] = 1;
    difference = Math.max(difference, Math.abs((await G.matvec(unit))[entry] - entries[entry]) / (largest || 1));
  }
  return { treatment: D.terms, difference };
}

function expectCovered(risk: Risk, operator: StructuredOperator): void {
  const counts = new Uint8Array(risk.size);
  for (const placed of operator.blocks) for (const entry of indicesOf(placed)) counts[entry]++;
  expect(counts.every((count) => count === 1)).toBe(true);
}
