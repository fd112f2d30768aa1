import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { arrays, type Data, rebatch, takeRows } from "../../src/data/index.ts";
import { type Communicator, gatherRows, onAllRanks, selfCommunicator, shardOf } from "../../src/distributed/index.ts";
import { crossEntropy } from "../../src/losses/index.ts";
import { empiricalRisk, ggn } from "../../src/operators/index.ts";
import { dataOf, randomTensor, riskCases } from "../operators/riskCases.ts";

/** A communicator that only says who it is. */
const named = (rank: number, size: number): Communicator => ({ ...selfCommunicator(), rank, size });

/** Data whose rows are 0, 1, 2, ... */
function counted(rows: number, batchSize: number): Data {
  const x = { data: Float64Array.from({ length: rows }, (_, i) => i), dims: [rows, 1] };
  return arrays({ inputs: x, batchSize });
}

async function rowsOf(data: Data): Promise<number[]> {
  const rows: number[] = [];
  for await (const batch of data.batches()) rows.push(...(batch.inputs[""]!.data as Float64Array));
  expect(rows).toHaveLength(data.rows);
  return rows;
}

describe("shards", () => {
  test("of all ranks are the rows in order, in sizes that differ by one at most", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 1, max: 7 }),
        fc.integer({ min: 1, max: 12 }),
        async (rows, batchSize, size) => {
          const parts = Array.from({ length: size }, (_, rank) => shardOf(counted(rows, batchSize), named(rank, size)));
          const found = (await Promise.all(parts.map(rowsOf))).flat();
          expect(found).toEqual(Array.from({ length: rows }, (_, i) => i));
          const counts = parts.map((part) => part.rows);
          expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
        },
      ),
    );
  });

  test("in a fixed number are the same parts for any number of ranks, also in other batches", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 9 }),
        fc.boolean(),
        async (rows, size, shards, rebatched) => {
          const partsOn = async (ranks: number) => {
            const all = Array.from({ length: ranks }, (_, rank) =>
              shardOf(counted(rows, 4), named(rank, ranks), { shards }),
            );
            const own = all.map((data) => (rebatched ? rebatch(data, 3) : data));
            for (const data of own)
              expect((await Promise.all(data.shards!.map(rowsOf))).flat()).toEqual(await rowsOf(data));
            const parts = own.flatMap((data) => data.shards!);
            return Promise.all(parts.map(async (part) => ({ rows: await rowsOf(part), batchSize: part.batchSize })));
          };
          expect(await partsOn(size)).toEqual(await partsOn(1));
        },
      ),
    );
  });

  test("are not those of a part of the rows", () => {
    expect(takeRows(shardOf(counted(9, 2), named(0, 1), { shards: 3 }), [0, 4]).shards).toBeUndefined();
  });

  test("are refused in other numbers, of other things and with other options", () => {
    const data = counted(3, 1);
    expect(() => shardOf(data, named(0, 1), { shards: 0 })).toThrow("shardOf expects shards to be 1, 2, 3, ..., got 0");
    expect(() => shardOf(data, named(0, 1), { parts: 2 } as never)).toThrow("shardOf got the unknown option `parts`");
    expect(() => shardOf({} as never, named(0, 1))).toThrow("shardOf expects data made by arrays");
    expect(() => shardOf(data, 4 as never)).toThrow("shardOf expects a communicator, got the number 4");
  });
});

describe("a single process", () => {
  test("exchanges with itself", async () => {
    const self = selfCommunicator();
    const values = Float64Array.of(1, 2);
    expect(await self.allReduce(values)).toBe(values);
    expect(await self.broadcast(values)).toBe(values);
    expect(await self.allGather(values, new Float64Array(2))).toEqual(values);
    expect(await gatherRows(values, self)).toEqual(values);
    expect(await onAllRanks(self, async () => 3)).toBe(3);
    await self.barrier();
    await self.close();
    expect(() => self.abort(3, "a reason")).toThrow("rank 0 of 1 aborted with code 3: a reason");
  });

  test("has the bits of a risk without ranks, and its errors", async () => {
    const riskCase = riskCases["cross-entropy"]!;
    const options = {
      model: riskCase.model,
      loss: crossEntropy(),
      data: dataOf(riskCase, 4),
      dtype: "float64",
    } as const;
    const alone = await empiricalRisk(options);
    const ranked = await empiricalRisk({ ...options, communicator: selfCommunicator() });
    const v = randomTensor([alone.size], 3).data;
    expect(await ggn(ranked).matvec(v)).toEqual(await ggn(alone).matvec(v));
    expect(await ranked.loss()).toBe(await alone.loss());
    expect(ranked.settings).toEqual(alone.settings);
    await ranked.dispose();
    await alone.dispose();
    await expect(empiricalRisk({ ...options, communicator: {} as never })).rejects.toThrow(
      "empiricalRisk expects a communicator, as that of mpiCommunicator(), got an object without rank",
    );
  });
});
