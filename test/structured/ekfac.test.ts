import { expect, test } from "vitest";
import { ekfac } from "../../src/structured/ekfac.ts";
import { expectClose } from "../operators/closeness.ts";
import { networkNames, networkRisk, networks } from "./networks.ts";

const LIMIT = 1e-9;

for (const name of networkNames) {
  test.each(["type-2", "empirical"] as const)(`${name}: EKFAC of every layer, %s`, async (kind) => {
    const risk = await networkRisk(name);
    try {
      for (const sharing of ["expand", "reduce"] as const) {
        for (const bias of ["separate", "joint"] as const) {
          const K = await ekfac(risk, { of: kind === "type-2" ? "ggn" : "empiricalFisher", sharing, bias, terms: "exact" });
          for (const [layer, stored] of Object.entries(networks[name].matrices[kind].layers)) {
            const entry = stored.kfac?.find((e) => e.approx === sharing && (e.bias === bias || (e.bias === "none" && bias === "separate")));
            if (entry === undefined || entry.gradient_factor_is_zero) continue;
            const index = risk.parameters.findIndex((p) => p.name === layer);
            const blocks = K.blocks.filter((b) => b.parameters[0] === index).map((b) => b.block) as any[];
            if (blocks[0].kind !== "eigenKronecker") continue;
            const label = `${name} ${kind} ${layer} ${sharing} ${bias}`;
            const E = blocks.flatMap((b) => [...b.E]);
            const trace = E.reduce((a, b) => a + b, 0);
            const squares = E.reduce((a, b) => a + b * b, 0);
            const e = entry.ekfac.settled_basis ?? (entry.ekfac as any);
            if (Math.abs(trace / entry.ekfac.trace - 1) > LIMIT) console.log(label, "trace", trace / entry.ekfac.trace - 1);
            if (Math.abs(squares / e.corrected_eigenvalues_square_sum - 1) > LIMIT) console.log(label, "squares", squares / e.corrected_eigenvalues_square_sum - 1, !!entry.ekfac.settled_basis);
          }
        }
      }
    } finally {
      await risk.dispose();
    }
  });
}
