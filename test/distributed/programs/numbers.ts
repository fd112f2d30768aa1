// Every quantity of small objectives on the ranks, against the same quantity of all rows in one process. Prints, as JSON, the largest error of each
// quantity, and those that have other bits on another rank; a line for each argument `cases;cut;reduction`.
import { createHash } from "node:crypto";
import { accuracy } from "../../../src/applications/index.ts";
import { arrays, type Data } from "../../../src/data/index.ts";
import { gatherBasis, gatherRows, shardOf } from "../../../src/distributed/index.ts";
import { mpiCommunicator } from "../../../src/distributed/mpi/index.ts";
import { cg, damped, eigsh, hutchinsonTrace, lanczos, spectralDensity, toDense } from "../../../src/linalg/index.ts";
import { empiricalRisk, ggn, hessian, jacobian, type Risk } from "../../../src/operators/index.ts";
import { blockDiagonal, diagonal, ekfac, kfac } from "../../../src/structured/index.ts";
import type { Tensor, Vector } from "../../../src/tensors/index.ts";
import { allMatrices, withLikelihood } from "../../operators/allMatrices.ts";
import { dataOf, type RiskCase, randomTensor, riskCases } from "../../operators/riskCases.ts";

const print = (text: string) => process.stdout.write(`${text}\n`);

const communicator = await mpiCommunicator({ timeoutMs: 50_000 });
const { rank, size } = communicator;

/** What an argument says: a pattern of cases, how their rows are cut, and how sums are taken. */
interface Request {
  readonly pattern: string;
  readonly cut: string;
  readonly reduction: "tree" | "ordered";
}

function requestOf(argument: string): Request {
  const [pattern = ".", cut = "even", reduction = "tree"] = argument.split(";");
  return { pattern, cut, reduction: reduction as Request["reduction"] };
}

/** Matrices that are computed in ways of their own. */
const DISTINCT = /^hessian|sampled|Covariance/;

/** Rows of each rank, if the cut is not `shardOf`'s. */
const CUTS: { readonly [name: string]: (rows: number) => readonly number[] } = {
  uneven: (rows) => [rows - size + 1, ...new Array(size - 1).fill(1)],
  // Rank 1 has none.
  hole: (rows) => [2, 0, rows - 2, ...new Array(size - 3).fill(0)],
  // All tokens of rows 4 and 5 are ignored.
  ignored: (rows) => [4, 2, rows - 6],
  last: (rows) => [...new Array(size - 1).fill(0), rows],
};

function part(tensor: Tensor, from: number, to: number): Tensor {
  const length = tensor.data.length / tensor.dims[0]!;
  return { data: tensor.data.slice(from * length, to * length), dims: [to - from, ...tensor.dims.slice(1)] } as Tensor;
}

function shard(riskCase: RiskCase, whole: Data, { cut, reduction }: Request): Data {
  if (reduction === "ordered") return shardOf(whole, communicator, { shards: 4 });
  const counts = CUTS[cut]?.(whole.rows);
  if (counts === undefined) return shardOf(whole, communicator);
  const from = counts.slice(0, rank).reduce((sum, count) => sum + count, 0);
  const to = from + counts[rank]!;
  if (from === to) return { ...whole, rows: 0, async *batches() {} };
  const { inputs, targets, weights } = riskCase;
  return arrays({
    inputs: Object.fromEntries(Object.entries(inputs).map(([name, x]) => [name, part(x, from, to)])),
    targets: part(targets, from, to),
    ...(weights && { weights: weights.slice(from, to) }),
    batchSize: 2,
  });
}

async function quantities(risk: Risk, { cut, reduction }: Request, gather: (rows: Vector) => Promise<Vector>) {
  const found: Record<string, Vector> = {};
  const v = randomTensor([risk.size], 1).data;
  const X = { rows: risk.size, columns: 6, data: randomTensor([risk.size * 6], 2).data };
  found.loss = Float64Array.of(await risk.loss());
  found.gradient = await risk.gradient();
  for (const [name, make] of Object.entries(withLikelihood(risk) ? allMatrices : { hessian })) {
    if (reduction === "ordered" && !DISTINCT.test(name)) continue;
    const A = make(risk);
    found[name] = await A.matvec(v);
    if (DISTINCT.test(name)) found[`${name}, columns`] = (await A.matmat!(X)).data;
    found[`${name}, forms`] = await A.quadraticForms!(X);
  }
  found.rows = await gather(await jacobian(risk).matvec(v));
  found.accuracy = Float64Array.of((await accuracy(risk)) ?? 0);
  const of = risk.lossFunction.convex ? "ggn" : "empiricalFisher";
  for (const [name, make] of Object.entries({ kfac, ekfac, diagonal, blockDiagonal })) {
    if (name !== "kfac" && reduction === "ordered") continue;
    const K = await make(risk, { of, terms: "exact" });
    found[name] = await K.matvec(v);
    await K.dispose();
  }
  if (cut === "even") {
    const G = ggn(risk);
    found.dense = (await toDense(G)).data;
    const trace = await hutchinsonTrace(G, { matvecs: 20, seed: 1 });
    found.trace = Float64Array.of(trace.trace, trace.standardError);
    const moved = risk.at(risk.theta().map((x) => 0.9 * x));
    found.moved = await hessian(moved).matvec(v);
    found.eigenvalues = (
      await eigsh(hessian(risk), { k: 2, which: "largest", seed: 2, tolerance: 1e-12, matvecs: 400 })
    ).values;
    found.solution = (await cg(damped(G, 1), found.gradient, { tolerance: 1e-13, matvecs: 200 })).x;
    const density = await spectralDensity(hessian(risk), { steps: 8, probes: 2, seed: 3 });
    found.density = Float64Array.from(density.density);
    const { alpha, beta, basis } = await lanczos(G, { steps: 5, start: found.gradient });
    found.tridiagonal = Float64Array.of(...alpha, ...beta);
    found.basis = (await gatherBasis(basis, communicator))!.data;
    // Of its basis, a rank holds its own rows.
    const isOwn = risk.settings.basis === undefined || basis.rows === Math.ceil(risk.size / size) || rank === size - 1;
    found.ownRows = Float64Array.of(Number(isOwn));
  }
  return found;
}

function difference(found: Vector, expected: Vector): number {
  if (found.length !== expected.length) return Number.POSITIVE_INFINITY;
  let [most, scale] = [0, 0];
  for (let i = 0; i < found.length; i++) {
    most = Math.max(most, Math.abs(found[i]! - expected[i]!));
    scale = Math.max(scale, Math.abs(expected[i]!));
  }
  return scale === 0 ? most : most / scale;
}

const bits = (x: Vector) => new Uint8Array(x.buffer, x.byteOffset, x.byteLength);
for (const request of process.argv.slice(2).map(requestOf)) {
  const { pattern, cut, reduction } = request;
  const worst: Record<string, number> = {};
  const differing: string[] = [];
  const digest = createHash("sha256");
  const settings: unknown[] = [];
  for (const [name, riskCase] of Object.entries(riskCases).filter(([each]) => new RegExp(pattern).test(each))) {
    const { model, loss } = riskCase;
    const all = dataOf(riskCase, 2);
    const whole = await empiricalRisk({ model, loss, data: all, dtype: "float64", threads: 1 });
    const risk = await empiricalRisk({
      model,
      loss,
      data: shard(riskCase, all, request),
      dtype: "float64",
      threads: 1,
      communicator,
      reduction,
      ...(cut === "even" && reduction === "tree" && { splitBasis: true }),
    });
    settings.push(risk.settings);
    const expected = await quantities(whole, request, async (rows) => rows);
    const found = await quantities(risk, request, (rows) => gatherRows(rows, communicator));
    for (const [quantity, value] of Object.entries(found)) {
      const error = difference(value, expected[quantity]!);
      worst[quantity] = Math.max(worst[quantity] ?? 0, error);
      const first = await communicator.broadcast(value.slice());
      const same = Buffer.compare(bits(value), bits(first)) === 0 ? 0 : 1;
      const [others] = await communicator.allReduce(Float64Array.of(same));
      if (others! > 0) differing.push(`${quantity} of ${name}`);
      digest.update(bits(value));
    }
    await risk.dispose();
    await whole.dispose();
  }
  if (rank === 0) print(JSON.stringify({ size, worst, differing, digest: digest.digest("hex"), settings }));
}
await communicator.close();
