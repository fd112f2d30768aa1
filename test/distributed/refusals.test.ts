import { expect } from "vitest";
import { runRanks, testWith } from "./mpiRun.ts";

interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly shared: boolean;
}

type Messages = { readonly [name: string]: Refusal | "nothing" | readonly string[] };

/** Beginning of the message on both ranks, with its code. */
const expected: { readonly [name: string]: readonly [code: string, message: RegExp] } = {
  label: ["data", /^rank 1 of 2: rows: the label at row 2 is 9, expected 0 to 2/],
  number: ["data", /^rank 1 of 2: rows: .*NaN/],
  weights: [
    "argument",
    /^expected the same model, loss and options on all ranks, but rank 1 has other weights than rank 0;/,
  ],
  graph: ["argument", /but rank 1 has other model or loss than rank 0;/],
  loss: ["argument", /but rank 1 has other model or loss than rank 0;/],
  parameters: ["argument", /but rank 1 has other options than rank 0;/],
  precision: ["argument", /but rank 1 has other options than rank 0;/],
  argument: ["argument", /^rank 1 of 2: cache must be a number of bytes, not negative; got -1/],
  ignored: [
    "data",
    /^rows: on all ranks, the terms of the loss have a total weight of 0, so their mean is not defined;/,
  ],
  "no rows": ["data", /^rows: no rank has rows; a loss needs at least one/],
  coupled: ["argument", /^with coupledRows .* so they cannot be on 2 ranks; give them to one rank/],
  "without shards": [
    "argument",
    /^rank 0 of 2: the reduction "ordered" .* pass data of shardOf\(data, communicator, \{ shards \}\)/,
  ],
  "shard and ranks": ["argument", /^rank 0 of 2: expected either a shard or ranks, got both; .*leave shard out/],
  reduction: ["argument", /^rank 0 of 2: reduction must be "tree" or "ordered", got "mean"/],
  "split basis": ["argument", /but rank 1 has other options than rank 0;/],
  "own work": ["file", /^rank 1 of 2: a file of rank 1 is missing/],
  "other calls": [
    "argument",
    /^expected the same calls in the same order on all ranks, got total on rank 0 and sum of \d+ entries on rank 1/,
  ],
  signal: ["aborted", /^rank 1 of 2: .*signal/],
  "not finite": ["numeric", /^rank \d of 2: .*not finite|overflow/],
  "other shapes": [
    "shape",
    /^outputs have one shape on one rank or shard and another shape on another, so they have no total;/,
  ],
  "other states": ["file", /^rank 1 loaded another state than rank 0; put the file where all ranks see it/],
  "signal while labels are drawn": ["aborted", /^rank 1 of 2: .*signal/],
};

testWith("openMpi")("what one rank cannot take, all ranks refuse with its message, and they stay in step", async () => {
  const { code, stdout, stderr } = await runRanks("refusals", { ranks: 2 });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const [first, second] = stdout
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as { messages: Messages }).messages);
  expect(second).toEqual(first);
  const seen = (name: string) => ({ name, ...(first![name] as Refusal) });
  for (const [name, [errorCode, message]] of Object.entries(expected)) {
    expect(seen(name)).toEqual({
      name,
      code: errorCode,
      message: expect.stringMatching(message),
      shared: true,
    });
  }
  expect(first!.sums).toHaveLength(4);
});
