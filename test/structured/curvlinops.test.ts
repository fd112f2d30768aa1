import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { ekfac, type KroneckerOptions, kfac, type StructuredApproximation } from "../../src/structured/index.ts";
import type { Vector } from "../../src/tensors/index.ts";
import { expectVector, type LossName, readFixture, type StoredVector } from "../operators/fixture.ts";
import { sampled } from "../sampled.ts";

// KFAC and EKFAC by curvlinops in float64, of models whose layers it takes.

interface StoredInverse {
  readonly product_v: StoredVector;
  readonly logdet_of_damped_matrix: number;
}

interface StoredFactors {
  readonly fisher_type: "type-2" | "empirical";
  readonly kfac_approx: "expand" | "reduce";
  readonly separate_weight_and_bias: boolean;
  readonly product_v?: StoredVector;
  readonly trace: number;
  readonly frobenius: number;
  readonly basis_sensitivity?: number;
  readonly inverse?: {
    readonly per_factor: StoredInverse;
    readonly exact: StoredInverse;
    readonly heuristic: StoredInverse;
  };
  readonly inverse_exact?: StoredInverse;
}

interface StoredKind {
  readonly params: readonly { readonly name: string }[];
  readonly reduction: "mean" | "sum";
  readonly kfac: readonly StoredFactors[];
  readonly ekfac: readonly StoredFactors[];
}

const DAMPING = 0.01;
const LIMIT = 1e-9;
const cosines = (size: number) => Float64Array.from({ length: size }, (_, i) => Math.cos(0.37 * i + 0.1));

/** Averages of inputs over groups, as curvlinops has them, are not compared. */
const models: { readonly [model: string]: readonly (readonly [string, LossName, string])[] } = {
  digits_mlp_op13: [
    ["train", "cross_entropy", "kfac"],
    ["train", "cross_entropy", "kfac_sum_reduction"],
    ["train", "mse", "kfac"],
    ["train", "bce_with_logits", "kfac"],
  ],
  mnist_mlp_op13: [["test64", "cross_entropy", "kfac"]],
  mnist_cnn_bn_op13: [["test64", "cross_entropy", "kfac_without_grouped_convolution"]],
  mnist_vit_op17: [["test64", "cross_entropy", "kfac"]],
};

const sines = (size: number) => Float64Array.from({ length: size }, (_, i) => Math.sin((0.11 * i * i) % 100));
const expectSummary = (actual: Vector, stored: StoredVector) => {
  const n = actual.length;
  expectVector(actual, stored, { v: cosines(n), w: sines(n) });
};
const near = (actual: number, expected: number) => expect(Math.abs(actual / expected - 1)).toBeLessThan(LIMIT);

async function expectInverse(
  K: StructuredApproximation,
  kind: "exact" | "factors" | "heuristic",
  stored: StoredInverse,
) {
  const options = { damping: DAMPING, kind };
  expectSummary(await K.inverse(options).matvec(cosines(K.shape[0])), stored.product_v);
  near(await K.logdet(options), stored.logdet_of_damped_matrix);
}

async function expectFactors(K: StructuredApproximation, stored: StoredFactors) {
  near(await K.trace(), stored.trace);
  if (stored.product_v === undefined) return;
  expectSummary(await K.matvec(cosines(K.shape[0])), stored.product_v);
  near(await K.frobeniusNorm(), stored.frobenius);
  if (stored.inverse !== undefined) {
    await expectInverse(K, "exact", stored.inverse.exact);
    // curvlinops damps the block of a separate bias by the square root of a factor's damping, too.
    if (!stored.separate_weight_and_bias) {
      await expectInverse(K, "factors", stored.inverse.per_factor);
      await expectInverse(K, "heuristic", stored.inverse.heuristic);
    }
  }
  if (stored.inverse_exact !== undefined) await expectInverse(K, "exact", stored.inverse_exact);
}

for (const [model, cases] of sampled(Object.entries(models), 2)) {
  describe.each(sampled(cases, 2))(`${model} %s %s %s`, (caseName, loss, key) => {
    test("products, traces, norms, inverses and determinants", async () => {
      const file = JSON.parse(await readFile(new URL(`../fixtures/${model}.json`, import.meta.url), "utf8"));
      const stored = file.cases[caseName][loss][key] as StoredKind;
      const fixture = await readFixture(model);
      const parameters = stored.params.map(({ name }) => name);
      await using risk = await fixture.open({ caseName, loss, reduction: stored.reduction, parameters });
      const optionsOf = (entry: StoredFactors): KroneckerOptions => ({
        of: entry.fisher_type === "type-2" ? "ggn" : "empiricalFisher",
        sharing: entry.kfac_approx,
        bias: entry.separate_weight_and_bias ? "factor" : "joint",
      });
      for (const entry of stored.kfac) {
        await using K = await kfac(risk, optionsOf(entry));
        await expectFactors(K, entry);
      }
      for (const entry of stored.ekfac) {
        if ((entry.basis_sensitivity ?? 0) > 1e-8) continue;
        await using K = await ekfac(risk, optionsOf(entry));
        await expectFactors(K, entry);
      }
    });
  });
}
