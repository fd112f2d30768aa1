import { expect, test } from "vitest";
import { kfac } from "../../src/structured/kfac.ts";
import { expectClose } from "../operators/closeness.ts";
import { networkNames, networkRisk, networks, type StoredSymmetric } from "./networks.ts";

const LIMIT = 1e-9;

function expectSymmetric(actual: { rows: number; data: Float64Array }, stored: StoredSymmetric, factor = 1) {
  const d = stored.size;
  expect(actual.rows).toBe(d);
  if (stored.values !== undefined) {
    expectClose(actual.data, stored.values.map((x) => x * factor), LIMIT);
    return;
  }
  const y = Float64Array.from({ length: d }, (_, i) => {
    let sum = 0;
    for (let j = 0; j < d; j++) sum += actual.data[i * d + j] * Math.cos(0.37 * j + 0.1);
    return sum;
  });
  expectClose(y, stored.product_v!.map((x) => x * factor), LIMIT);
}

for (const name of networkNames) {
  test.each(["type-2", "empirical"] as const)(`${name}: factors of every layer, %s`, async (kind) => {
    const risk = await networkRisk(name);
    try {
      for (const sharing of ["expand", "reduce"] as const) {
        for (const bias of ["separate", "joint"] as const) {
          const K = await kfac(risk, { of: kind === "type-2" ? "ggn" : "empiricalFisher", sharing, bias, terms: "exact" });
          for (const [layer, stored] of Object.entries(networks[name].matrices[kind].layers)) {
            const entry = stored.kfac?.find((e) => e.approx === sharing && (e.bias === bias || (e.bias === "none" && bias === "separate")));
            if (entry === undefined) continue;
            const index = risk.parameters.findIndex((p) => p.name === layer);
            const blocks = K.blocks.filter((b) => b.parameters[0] === index).map((b) => b.block);
            const label = `${layer} ${sharing} ${bias}`;
            if (entry.gradient_factor_is_zero) {
              const block = blocks[0] as any;
              expect(Math.max(...block.B.data.map(Math.abs)), label).toBeLessThan(1e-25);
              continue;
            }
            // A recurrent weight sees no zero initial state.
            const positions = layer === 'R' ? 1 : 1;
            if (0) console.log(label, blocks.map((b: any) => b.kind + " " + (b.A?.rows ?? b.A?.length)), stored.positions, stored.uses);
            entry.factors.forEach((f, i) => {
              const block = blocks[i] as any;
              if (!block || block.kind === "dense") return;
              expectSymmetric(block.B, f.gradient);
              if (block.kind === "kronecker") expectSymmetric(block.A, f.input, positions);
            });
          }
        }
      }
    } finally {
      await risk.dispose();
    }
  });
}
