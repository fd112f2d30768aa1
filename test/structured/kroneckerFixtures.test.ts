import { describe, expect, test } from "vitest";
import type { Risk } from "../../src/index.ts";
import type { DenseMatrix } from "../../src/linalg/index.ts";
import {
  bestKronecker,
  blockDiagonal,
  type EigenKroneckerBlock,
  ekfac,
  type KroneckerBlock,
  type KroneckerOptions,
  kfac,
  type PlacedBlock,
  type StructuredOperator,
  structuredOperator,
} from "../../src/structured/index.ts";
import { expectClose } from "../operators/closeness.ts";
import { sampled } from "../sampled.ts";
import {
  DAMPING,
  networkNames,
  networkRisk,
  networks,
  type StoredKfac,
  type StoredLayer,
  type StoredSymmetric,
} from "./networks.ts";

const LIMIT = 1e-9;
const ROUNDING = 1e-4;
const cosines = (size: number) => Float64Array.from({ length: size }, (_, i) => Math.cos(0.37 * i + 0.1));

/** A stored factor: its entries, or its product with cosines. */
function expectFactor(actual: DenseMatrix, stored: StoredSymmetric, limit: number): void {
  const d = stored.size;
  expect(actual.rows).toBe(d);
  if (stored.values !== undefined) {
    expectClose(actual.data, stored.values, limit);
    return;
  }
  const v = cosines(d);
  const product = v.map((_, i) => v.reduce((sum, x, j) => sum + actual.data[i * d + j] * x, 0));
  expectClose(product, stored.product_v!, limit);
}

/** The blocks of a layer, on vectors in the layout [out, in] of each group, as the fixture has them. */
function ofLayer(blocks: readonly PlacedBlock[]): StructuredOperator {
  let offset = 0;
  const placed = blocks.map((own): PlacedBlock => {
    const sizes = matrixSizes(own);
    const place = { offset, transposed: sizes };
    offset += own.block.size;
    return { ...own, place };
  });
  return structuredOperator({ size: offset, blocks: placed, dtype: "float64" });
}

function matrixSizes({ block }: PlacedBlock): readonly [number, number] {
  const { arrays, size } = block;
  const n = (arrays.B ?? arrays.QB).dims[0];
  return [size / n, n];
}

interface Case {
  readonly layer: StoredLayer;
  readonly entry: StoredKfac;
  readonly blocks: readonly PlacedBlock[];
}

/** The stored approximations of these options, with the blocks of each layer. */
function casesOf(
  risk: Risk,
  name: string,
  kind: "type-2" | "empirical",
  K: StructuredOperator,
  options: KroneckerOptions,
): Case[] {
  return Object.entries(networks[name].matrices[kind].layers).flatMap(([weight, layer]): Case[] => {
    const bias = options.bias === "joint" ? ["joint"] : ["separate", "none"];
    const entry = layer.kfac?.find((each) => each.approx === options.sharing && bias.includes(each.bias));
    const index = risk.parameters.findIndex((parameter) => parameter.name === weight);
    const blocks = K.blocks.filter(({ parameters }) => parameters[0] === index);
    // A bias of its own (LSTM, transposed convolution) has its exact block.
    return entry === undefined || blocks[0].block.kind === "dense" ? [] : [{ layer, entry, blocks }];
  });
}

async function expectSpectral(
  blocks: readonly PlacedBlock[],
  stored: {
    readonly product_v?: readonly number[];
    readonly inverse_exact_damping?: { readonly product_v: readonly number[]; readonly logdet: number };
  },
): Promise<void> {
  if (stored.product_v === undefined || stored.inverse_exact_damping === undefined) return;
  await using own = ofLayer(blocks);
  const v = cosines(own.shape[0]);
  expectClose(await own.matvec(v), stored.product_v, LIMIT);
  const { product_v: solved, logdet } = stored.inverse_exact_damping;
  expectClose(await own.inverse({ damping: DAMPING }).matvec(v), solved, LIMIT);
  expect(Math.abs((await own.logdet({ damping: DAMPING })) / logdet - 1)).toBeLessThan(LIMIT);
}

async function expectKfac({ entry, blocks }: Case): Promise<void> {
  if (entry.gradient_factor_is_zero === true) {
    for (const { block } of blocks)
      expect(Math.max(...(block as KroneckerBlock).B.data.map(Math.abs))).toBeLessThan(1e-25);
    return;
  }
  expect(blocks.length).toBe(entry.factors.length);
  entry.factors.forEach(({ input, gradient }, group) => {
    const block = blocks[group].block as KroneckerBlock;
    expectFactor(block.B, gradient, LIMIT);
    if (block.kind === "kronecker") expectFactor(block.A, input, LIMIT);
  });
  await expectSpectral(blocks, entry);
  await using own = ofLayer(blocks);
  expect(Math.abs((await own.trace()) / entry.trace - 1)).toBeLessThan(LIMIT);
  expect(Math.abs((await own.frobeniusNorm()) / entry.frobenius - 1)).toBeLessThan(LIMIT);
  const heuristic = { damping: DAMPING, kind: "heuristic" } as const;
  expectClose(
    await own.inverse(heuristic).matvec(cosines(own.shape[0])),
    entry.inverse_heuristic_damping.product_v,
    LIMIT,
  );
  expect(Math.abs((await own.logdet(heuristic)) / entry.inverse_heuristic_damping.logdet - 1)).toBeLessThan(LIMIT);
}

async function expectEkfac({ entry, blocks }: Case): Promise<void> {
  if (entry.gradient_factor_is_zero === true) return;
  const E = blocks.flatMap(({ block }) => [...(block as EigenKroneckerBlock).E]);
  const { trace, settled_basis } = entry.ekfac;
  const stored = settled_basis ?? entry.ekfac;
  expect(Math.abs(E.reduce((sum, x) => sum + x, 0) / trace - 1)).toBeLessThan(LIMIT);
  const squares = E.reduce((sum, x) => sum + x * x, 0);
  expect(Math.abs(squares / stored.corrected_eigenvalues_square_sum! - 1)).toBeLessThan(LIMIT);
  await expectSpectral(blocks, stored);
}

describe.each(sampled(networkNames, 6))("%s against the definitions in NumPy", (name) => {
  test.each(["type-2", "empirical"] as const)(
    "factors, functions and corrected eigenvalues of every layer, %s",
    async (kind) => {
      await using risk = await networkRisk(name);
      let compared = 0;
      for (const sharing of ["expand", "reduce"] as const) {
        for (const bias of ["separate", "joint"] as const) {
          const options = {
            of: kind === "type-2" ? ("ggn" as const) : ("empiricalFisher" as const),
            sharing,
            bias,
            terms: "exact" as const,
          };
          await using plain = await kfac(risk, options);
          await using corrected = await ekfac(risk, options);
          for (const own of casesOf(risk, name, kind, plain, options)) {
            await expectKfac(own);
            compared++;
          }
          for (const own of casesOf(risk, name, kind, corrected, options)) await expectEkfac(own);
        }
      }
      expect(compared).toBeGreaterThan(1);
    },
  );

  test("two-sided factors of every layer", async () => {
    await using risk = await networkRisk(name);
    await using K = await kfac(risk, { sharing: "twoSided", terms: "exact" });
    for (const [weight, layer] of Object.entries(networks[name].matrices["type-2"].layers)) {
      if (layer.two_sided === undefined) continue;
      const index = risk.parameters.findIndex((parameter) => parameter.name === weight);
      const [{ block, place }, ...others] = K.blocks.filter(({ parameters }) => parameters[0] === index);
      if (others.length > 0 || block.kind === "dense") continue;
      const { left, right, product_v } = layer.two_sided;
      // The fixture's left factor belongs to [out, in] or, for a tied weight, to the layout of the file.
      const [A, B] = layer.tied === undefined ? [right, left] : [left, right];
      await using own = structuredOperator({
        size: block.size,
        blocks: [{ block, name: weight, parameters: [0], reason: "", place: { offset: 0 } }],
        dtype: "float64",
      });
      expect(Math.abs((await own.trace()) / layer.two_sided.trace - 1)).toBeLessThan(LIMIT);
      if (block.kind === "kronecker") {
        expectFactor((block as KroneckerBlock).A, A, LIMIT);
        const trace = (block as KroneckerBlock).A.data.reduce((sum, x, k) => sum + (k % (A.size + 1) === 0 ? x : 0), 0);
        const scaled = { ...(block as KroneckerBlock).B, data: (block as KroneckerBlock).B.data.map((x) => x * trace) };
        expectFactor(scaled, B, LIMIT);
      }
      if (product_v !== undefined) expectClose(await own.matvec(cosines(block.size)), product_v, LIMIT);
      expect(place).toBeDefined();
    }
  });
});

test("float32 keeps four digits", async () => {
  await using risk = await networkRisk("grouped_conv", { dtype: "float32" });
  const options = { sharing: "expand", bias: "separate" } as const;
  await using K = await kfac(risk, options);
  for (const { entry, blocks } of casesOf(risk, "grouped_conv", "type-2", K, options)) {
    entry.factors.forEach(({ input, gradient }, group) => {
      const block = blocks[group].block as KroneckerBlock;
      expectFactor(block.A, input, ROUNDING);
      expectFactor(block.B, gradient, ROUNDING);
    });
  }
});

test.each(["conv1d", "token_classifier", "reused_linear", "language_model"])(
  "%s: errors of the best single products",
  async (name) => {
    await using risk = await networkRisk(name);
    await using best = await bestKronecker(risk, { terms: "exact", tolerance: 1e-12, passes: 400 });
    await using exact = await blockDiagonal(risk, { terms: "exact", by: "parameter" });
    for (const [weight, layer] of Object.entries(networks[name].matrices["type-2"].layers)) {
      // A table's left factor is kept diagonal, so that it is no better than the fixture's.
      const index = risk.parameters.findIndex((parameter) => parameter.name === weight);
      const [{ block }] = best.blocks.filter(({ parameters }) => parameters[0] === index);
      if (block.kind !== "kronecker") continue;
      const truth = exact.blocks.find(({ parameters }) => parameters[0] === index)!.block;
      const squares = (values: Float64Array) => values.reduce((sum, x) => sum + x * x, 0);
      const whole = squares(truth.arrays.matrix.data as Float64Array);
      const own = squares((block as KroneckerBlock).A.data) * squares((block as KroneckerBlock).B.data);
      expect(Math.abs(Math.sqrt(1 - own / whole) - layer.best_single_kronecker_relative_error!)).toBeLessThan(1e-6);
    }
  },
);
