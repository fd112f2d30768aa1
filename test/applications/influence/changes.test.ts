import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  influence,
  influenceByDamping,
  inputInfluence,
  replacementInfluence,
} from "../../../src/applications/influence/index.ts";
import { newtonCg } from "../../../src/applications/training/index.ts";
import { arrays, type Data, ggn, hessian, inputTangentGradient, type Risk } from "../../../src/index.ts";
import { dense, functionOperator, toDense } from "../../../src/linalg/index.ts";
import { rowLosses } from "../../../src/operators/index.ts";
import { diagonal } from "../../../src/structured/index.ts";
import { rejectionOf } from "../../onnx/messageOf.ts";
import { difference } from "../../operators/closeness.ts";
import { convexRisk, convexRows } from "./convex.ts";

const weightDecay = 0.01;
const QUERIES = [3, 0, 12];

let risk: Risk;
let queries: Risk;
beforeAll(async () => {
  const start = await convexRisk({ data: convexRows("train", { batchSize: 150 }) });
  risk = start.at((await newtonCg(start, { weightDecay, steps: 60, tolerance: 1e-12 })).theta);
  queries = await risk.on(convexRows("test", { only: QUERIES }));
});
afterAll(() => risk.dispose());

/** The training rows with the input of one moved along one feature, or with another label. */
async function changedRows(change: { row: number; feature?: number; by?: number; label?: number }): Promise<Data> {
  for await (const { inputs, targets } of risk.data.batches()) {
    const x = Float64Array.from(Object.values(inputs)[0]!.data as Float64Array);
    const y = Int32Array.from(targets!.data as Int32Array);
    if (change.feature !== undefined) x[change.row * 16 + change.feature]! += change.by!;
    if (change.label !== undefined) y[change.row] = change.label;
    return arrays({ inputs: { data: x, dims: [150, 16] }, targets: { data: y, dims: [150] }, batchSize: 150 });
  }
  throw new Error("no rows");
}

/** Losses of the queries after training on other rows. */
async function retrained(data: Data): Promise<Float64Array> {
  const own = await risk.on(data);
  const { theta } = await newtonCg(own, { weightDecay, steps: 60, tolerance: 1e-12 });
  const moved = queries.at(theta);
  const losses = Float64Array.from(await rowLosses(moved));
  await moved.dispose();
  await own.dispose();
  return losses;
}

describe("scores at several dampings", () => {
  const dampings = [0.01, 0.1, 1];

  test("are those of one damping each, for fewer products than these take", async () => {
    const found = await influenceByDamping(risk, queries, { dampings, weightDecay, tolerance: 1e-11 });
    expect(found).toMatchObject({ method: "multiShiftCg", status: "converged" });
    let products = 0;
    for (const [d, damping] of dampings.entries()) {
      const solver = { method: "cg", tolerance: 1e-11 } as const;
      const own = await influence(risk, queries, { matrix: ggn(risk), damping, weightDecay, solver });
      products += own.matvecs;
      const { scores, residual, dampingShare } = found.dampings[d]!;
      for (const [t, query] of own.queries.entries()) {
        expect(difference(scores[t]!, query.scores!)).toBeLessThan(1e-8);
      }
      expect(residual).toBeLessThan(1e-10);
      expect(Math.abs(dampingShare / own.dampingShare - 1)).toBeLessThan(1e-6);
    }
    expect(found.matvecs).toBeLessThan(products);
    expect(found.rankCorrelations).toHaveLength(2);
    for (const correlation of found.rankCorrelations) expect(correlation).toBeGreaterThan(0.5);
  });

  test("take the inverse that a matrix has", async () => {
    const matrix = await diagonal(risk);
    const found = await influenceByDamping(risk, queries, { matrix, dampings });
    expect(found).toMatchObject({ method: "inverse", status: "converged" });
    const { queries: own } = await influence(risk, queries, { matrix, damping: 0.1 });
    own.forEach(({ scores }, t) => {
      expect(difference(found.dampings[1]!.scores[t]!, scores!)).toBeLessThan(1e-10);
    });
    expect(found.dampings[2]!.residual).toBeLessThan(1e-10);
    await matrix.dispose();
  });

  test("are refused in another order, below zero, and where curvature is negative", async () => {
    const refused = (options: object) => rejectionOf(influenceByDamping(risk, queries, options as never));
    expect(await refused({ dampings: [1, 0.1] })).toBe(
      "argument: influenceByDamping expects dampings in rising order, got 1, 0.1",
    );
    expect(await refused({ dampings: [-1] })).toMatch(/influenceByDamping expects dampings .*got -1/);
    const negative = functionOperator({
      shape: [risk.size, risk.size],
      matvec: (x) => x.map((entry) => -entry),
      symmetric: true,
    });
    expect(await refused({ matrix: negative, dampings: [0.1] })).toMatch(
      /^numeric: influenceByDamping found negative curvature at damping 0\.1/,
    );
  });
});

describe("changes of rows", () => {
  const row = 17;

  test("of an input move the queries as training again on them does", async () => {
    const { effects, residual } = await inputInfluence(risk, queries, {
      matrix: hessian(risk),
      damping: 0,
      weightDecay,
      solver: "dense",
    });
    expect(residual).toBeLessThan(1e-8);
    const h = 0.02;
    for (const feature of [0, 7]) {
      const [up, down] = [
        await retrained(await changedRows({ row, feature, by: h })),
        await retrained(await changedRows({ row, feature, by: -h })),
      ];
      QUERIES.forEach((_, t) => {
        const slope = (up[t]! - down[t]!) / (2 * h);
        expect(effects[t]!.dims).toEqual([150, 16]);
        expect(Math.abs(Number(effects[t]!.data[row * 16 + feature]) - slope)).toBeLessThan(
          0.01 * Math.abs(slope) + 1e-7,
        );
      });
    }
  });

  test("of a label move them so to first order", async () => {
    const { effects } = await replacementInfluence(risk, queries, {
      matrix: hessian(risk),
      damping: 0,
      weightDecay,
      solver: "dense",
      rows: [row],
      replacement: await relabelled(),
    });
    const before = await retrained(await changedRows({ row }));
    const after = await retrained(await changedRows({ row, label: await otherLabel() }));
    const [predicted, true_] = [
      Float64Array.from(effects, ([effect]) => effect!),
      after.map((value, t) => value - before[t]!),
    ];
    expect(difference(predicted, true_)).toBeLessThan(0.25);
    expect(predicted.every((value, t) => Math.sign(value) === Math.sign(true_[t]!))).toBe(true);
  });

  async function otherLabel(): Promise<number> {
    for await (const { targets } of risk.data.batches()) return (Number(targets!.data[row]) + 1) % 3;
    return 0;
  }

  async function relabelled(): Promise<Data> {
    const label = await otherLabel();
    for await (const { inputs } of risk.data.batches()) {
      const x = (Object.values(inputs)[0]!.data as Float64Array).slice(row * 16, (row + 1) * 16);
      return arrays({ inputs: { data: x, dims: [1, 16] }, targets: { data: Int32Array.of(label), dims: [1] } });
    }
    throw new Error("no rows");
  }

  test("are refused in other numbers", async () => {
    const replacement = convexRows("test", { only: [1, 2] });
    expect(await rejectionOf(replacementInfluence(risk, queries, { damping: 1, rows: [0], replacement }))).toBe(
      "shape: replacementInfluence expects as many replacements as rows, got 2 for 1",
    );
    expect(await rejectionOf(inputTangentGradient(risk, new Float64Array(3)))).toContain("51 parameter entries");
  });
});

describe("LiSSA on random batches", () => {
  const options = { damping: 1, weightDecay };
  const solver = { method: "lissa", batchRows: 50, terms: 80, repeats: 6, seed: 1 } as const;

  test("is the solution within its standard error, and depends on the seed alone", async () => {
    const A = dense(await toDense(ggn(risk)), { symmetric: true, psd: true });
    const exact = await influence(risk, queries, { ...options, matrix: A, solver: "dense" });
    const found = await influence(risk, queries, { ...options, solver });
    const error = Number(/standard error ([\d.e-]+)/.exec(found.message)?.[1] ?? Number.NaN);
    expect(error).toBeGreaterThan(0);
    expect(error).toBeLessThan(0.1);
    found.queries.forEach(({ scores }, t) => {
      expect(difference(scores!, exact.queries[t]!.scores!)).toBeLessThan(4 * error);
    });
    const short = { ...solver, terms: 5, repeats: 2 };
    const [one, two] = [
      await influence(risk, queries, { ...options, solver: short }),
      await influence(risk, queries, { ...options, solver: short }),
    ];
    expect(one.queries.map(({ scores }) => scores)).toEqual(two.queries.map(({ scores }) => scores));
  });

  test("is refused with more rows than there are, without a seed, and where it diverges", async () => {
    const refused = (changed: object) =>
      rejectionOf(influence(risk, queries, { ...options, solver: { ...solver, ...changed } }));
    expect(await refused({ batchRows: 151 })).toBe(
      "argument: influence expects batchRows up to the 150 rows of one process, got 151 of 150",
    );
    expect(await refused({ seed: undefined })).toMatch(/seed/);
    expect(await refused({ scale: 0.01 })).toMatch(
      /^numeric: influence: LiSSA on batches of 50 rows diverges at term \d+/,
    );
  });

  test("needs all queries on each rank", async () => {
    const part = { ...queries, summedRows: 9 };
    expect(await rejectionOf(influence(risk, part, options))).toBe(
      "unsupported: influence expects all queries on each rank, got 3 of 9; make their risk by empiricalRisk without the communicator",
    );
  });
});
