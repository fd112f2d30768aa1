import { expect, test } from "vitest";
import { takeRows } from "../../src/index.ts";
import { blockDiagonal, diagonal, ekfac, kfac, mergeStructured } from "../../src/structured/index.ts";
import { expectClose } from "../operators/closeness.ts";
import { networkRisk } from "./networks.ts";

const makers = {
  expand: (risk: Parameters<typeof kfac>[0]) => kfac(risk, { terms: "exact" }),
  reduce: (risk: Parameters<typeof kfac>[0]) => kfac(risk, { sharing: "reduce", bias: "joint", terms: "exact" }),
  twoSided: (risk: Parameters<typeof kfac>[0]) => kfac(risk, { sharing: "twoSided", terms: "exact" }),
  inputs: (risk: Parameters<typeof kfac>[0]) => kfac(risk, { of: "inputs" }),
  diagonal: (risk: Parameters<typeof kfac>[0]) => diagonal(risk, { terms: "exact" }),
  blocks: (risk: Parameters<typeof kfac>[0]) => blockDiagonal(risk, { terms: "exact", denseLimit: 60 }),
};
const cosines = (size: number) => Float64Array.from({ length: size }, (_, i) => Math.cos(0.37 * i + 0.1));

test.each(["conv1d", "language_model", "lstm"])(
  "%s: two matrices of parts of the rows make that of all",
  async (name) => {
    await using risk = await networkRisk(name);
    const cut = Math.floor(risk.rows / 3);
    const parts = [takeRows(risk.data, [0, cut]), takeRows(risk.data, [cut, risk.rows])];
    const shard = risk.shard;
    for (const isShard of [false, true]) {
      await using a = await risk.on(parts[0], isShard ? { shard } : {});
      await using b = await risk.on(parts[1], isShard ? { shard: { ...shard, firstRow: cut } } : {});
      for (const make of Object.values(makers)) {
        await using whole = await make(risk);
        await using K = await mergeStructured(await make(a), await make(b));
        const v = cosines(risk.size);
        expectClose(await K.matvec(v), Array.from(await whole.matvec(v)), 1e-12);
        expect(K.build!.rows).toBe(risk.rows);
      }
      const options = { terms: "exact" } as const;
      await using whole = await ekfac(risk, options);
      await using E = await mergeStructured(await ekfac(a, options), await ekfac(b, options));
      expect(Math.abs((await E.trace()) / (await whole.trace()) - 1)).toBeLessThan(1e-12);
    }
  },
);

test("matrices that were not made alike are refused", async () => {
  await using risk = await networkRisk("conv1d");
  await using K = await kfac(risk);
  await expect(mergeStructured(K, await ekfac(risk))).rejects.toThrow("the same method");
  await expect(mergeStructured(K, await kfac(risk, { bias: "joint" }))).rejects.toThrow("the same options");
  const moved = risk.at(risk.theta().map((x) => 2 * x));
  await expect(mergeStructured(K, await kfac(moved))).rejects.toThrow("the same weights");
  const { build: _, ...loaded } = K;
  await expect(mergeStructured(loaded, K)).rejects.toThrow("mergeStructured expects matrices that kfac");
  const first = await risk.on(takeRows(risk.data, [0, 2]), { shard: risk.shard });
  const again = await kfac(first);
  await expect(mergeStructured(again, again)).rejects.toThrow("expects different rows");
});
