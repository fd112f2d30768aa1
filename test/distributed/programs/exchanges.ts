// Exchanges of the communicator, checked on every rank. Prints what is wrong, or "exchanges right", and what the communicator says of itself.
import { availableParallelism } from "node:os";
import { gatherRows, onAllRanks, orderedSum } from "../../../src/distributed/index.ts";
import { mpiCommunicator } from "../../../src/distributed/mpi/index.ts";

const print = (text: string) => process.stdout.write(`${text}\n`);

const communicator = await mpiCommunicator({ timeoutMs: 50_000 });
const { rank, size } = communicator;
const wrong: string[] = [];
const expect = (what: string, found: unknown, expected: unknown) => {
  if (JSON.stringify(found) !== JSON.stringify(expected)) wrong.push(`${what}: ${found} instead of ${expected}`);
};
const total = (size * (size + 1)) / 2;

// Longer than a piece, and no multiple of it.
const long = new Float64Array(2 ** 20 * 2 + 5).map((_, i) => (rank + 1) * (i % 97));
await communicator.allReduce(long);
expect(
  "long sum",
  long.every((x, i) => x === total * (i % 97)),
  true,
);
const gathered = await communicator.allGather(
  new Float32Array(2 ** 20 + 3).map((_, i) => rank + (i % 5)),
  new Float32Array(size * (2 ** 20 + 3)),
);
expect(
  "long gather",
  gathered.every((x, i) => x === Math.floor(i / (2 ** 20 + 3)) + ((i % (2 ** 20 + 3)) % 5)),
  true,
);
const sent = await communicator.broadcast(new Float32Array(2 ** 20 + 1).fill(rank), size - 1);
expect(
  "long broadcast",
  sent.every((x) => x === size - 1),
  true,
);
const view = new Float32Array(8).fill(7);
await communicator.allReduce(view.subarray(2, 4).fill(rank), "max");
expect("view", [...view], [7, 7, size - 1, size - 1, 7, 7, 7, 7]);
expect(
  "float32",
  [...(await communicator.allReduce(Float32Array.of(0.1)))],
  [...Float32Array.of(Array.from({ length: size }, () => Math.fround(0.1)).reduce((a, b) => Math.fround(a + b)))],
);
expect("nothing", (await communicator.allReduce(new Float64Array(0))).length, 0);

// Calls that are not awaited keep their order.
const pairs = [];
for (let i = 0; i < 500; i++) {
  pairs.push(
    communicator.allReduce(Float64Array.of(i)),
    communicator.allReduce(Float64Array.of(-i)),
    communicator.broadcast(Float64Array.of(rank * 1000 + i), i % size),
  );
}
const results = await Promise.all(pairs);
for (let i = 0; i < 500; i++) {
  expect(
    "order",
    [results[3 * i]![0], results[3 * i + 1]![0]! + 0, results[3 * i + 2]![0]],
    [size * i, 0 - size * i, (i % size) * 1000 + i],
  );
}
expect(
  "rows",
  [...(await gatherRows(new Float64Array(rank).fill(rank), communicator))],
  Array.from({ length: size }, (_, r) => new Array(r).fill(r)).flat(),
);
// 1 + 2^60 - 2^60 depends on the order.
const parts = [[1], [2 ** 60], [-(2 ** 60)], [3]]
  .filter((_, i) => Math.floor((i * size) / 4) === rank)
  .map((part) => Float64Array.of(...part));
expect("ordered sum", [...(await orderedSum(communicator, parts, { length: 1 }))], [3]);
expect("own work", await onAllRanks(communicator, async () => rank), rank);

// A trap of WebAssembly is an error, not the end of the process.
const trap = new WebAssembly.Module(
  Uint8Array.of(
    0,
    97,
    115,
    109,
    1,
    0,
    0,
    0,
    1,
    5,
    1,
    96,
    0,
    1,
    127,
    3,
    2,
    1,
    0,
    5,
    3,
    1,
    0,
    1,
    7,
    5,
    1,
    1,
    102,
    0,
    0,
    10,
    11,
    1,
    9,
    0,
    65,
    128,
    128,
    8,
    40,
    2,
    0,
    11,
  ),
);
try {
  (new WebAssembly.Instance(trap).exports as { f: () => number }).f();
  wrong.push("no trap");
} catch (error) {
  expect("trap", error instanceof WebAssembly.RuntimeError, true);
}

for (const [name, call] of [
  ["second call", () => mpiCommunicator()],
  ["root", () => communicator.broadcast(new Float64Array(1), size)],
  ["lengths", () => communicator.allGather(new Float64Array(2), new Float64Array(1))],
] as const) {
  await call().then(
    () => wrong.push(name),
    (error: Error) => rank === 0 && print(`${name}: ${error.message}`),
  );
}
await communicator.barrier();
if (wrong.length > 0) print(`rank ${rank}: ${wrong.slice(0, 5).join("; ")}`);
const { library, notices } = communicator;
if (rank === 0) print(JSON.stringify({ wrong: wrong.length, library, notices, processors: availableParallelism() }));
await communicator.close();
await communicator.close();
