import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  groupInfluence,
  type Influence,
  type InfluenceOptions,
  type InfluenceState,
  influence,
  influenceSteps,
  leaveOneOut,
  linearDatamodelingScore,
  logit,
  margin,
  recall,
  type SelfInfluenceState,
  selfInfluence,
  selfInfluenceSteps,
} from "../../../src/applications/influence/index.ts";
import { arrays, crossEntropy, ggn, hessian, type Risk, takeRows } from "../../../src/index.ts";
import { dense, functionOperator, identity, scale, toDense } from "../../../src/linalg/index.ts";
import { kfac } from "../../../src/structured/index.ts";
import { rejectionOf } from "../../onnx/messageOf.ts";
import { difference } from "../../operators/closeness.ts";
import { smallRisk } from "../smallRisk.ts";
import { convexRisk, convexRows } from "./convex.ts";

const weightDecay = 0.01;

let risk: Risk;
let queries: Risk;
let A: ReturnType<typeof dense>;
beforeAll(async () => {
  risk = await convexRisk();
  queries = await risk.on(convexRows("test", { only: [3, 0, 12, 40] }));
  A = dense(await toDense(ggn(risk)), { symmetric: true, psd: true });
});
afterAll(() => risk.dispose());

const scoresOf = ({ queries: found }: Influence) => Float64Array.from(found.flatMap(({ scores }) => [...scores!]));

describe("scores", () => {
  test("do not depend on batches, on queries at once, or on the other queries", async () => {
    const options = { matrix: A, damping: 0.01, weightDecay };
    const expected = scoresOf(await influence(risk, queries, options));
    const other = await convexRisk({ data: convexRows("train", { batchSize: 7 }) });
    const again = await other.on(convexRows("test", { only: [3, 0, 12, 40], batchSize: 3 }));
    expect(difference(scoresOf(await influence(other, again, options)), expected)).toBeLessThan(1e-12);
    expect(
      difference(scoresOf(await influence(risk, queries, { ...options, queriesAtOnce: 1 })), expected),
    ).toBeLessThan(1e-12);
    const alone = await risk.on(convexRows("test", { only: [12] }));
    const own = scoresOf(await influence(risk, alone, options));
    expect(difference(own, expected.subarray(2 * 150, 3 * 150))).toBeLessThan(1e-12);
    await other.dispose();
  });

  test("of a query do not depend on the class weights of the others, and are those of its row in training", async () => {
    const loss = crossEntropy({ classWeights: [1, 5, 0.2] });
    const weighted = await convexRisk({ loss });
    const rows = convexRows("train", { only: [4, 9, 30] });
    const options = { matrix: A, damping: 0.1 };
    const together = await influence(weighted, await weighted.on(rows), options);
    const self = await selfInfluence(weighted, { ...options, rows: [4, 9, 30] });
    together.queries.forEach(({ scores, value }, t) => {
      expect(Math.abs(scores![[4, 9, 30][t]!]! / self.scores[t]! - 1)).toBeLessThan(1e-10);
      expect(value).toBeCloseTo(self.losses[t]!, 10);
    });
    await weighted.dispose();
  });

  test("have the mean g_t'A^-1 grad L, and the distance from the minimum has the penalty too", async () => {
    const theta = risk.theta().map((entry, i) => entry + 0.8 * Math.sin(i));
    const moved = risk.at(theta);
    const found = await influence(moved, queries, { matrix: A, damping: 0.02, weightDecay });
    const gradient = await moved.gradient();
    const inverse = A.inverse!({ damping: 0.02 + weightDecay });
    const toLoss = await inverse.matvec(gradient);
    const toObjective = await inverse.matvec(gradient.map((entry, i) => entry + weightDecay * theta[i]!));
    for (const [t, { meanScore, distanceFromMinimum }] of found.queries.entries()) {
      const row = await risk.on(convexRows("test", { only: [[3, 0, 12, 40][t]!] }));
      const g = await row.at(theta).gradient();
      const dot = (x: ArrayLike<number>) => Array.from(g).reduce((sum, entry, i) => sum + entry * x[i]!, 0);
      expect(meanScore).toBeCloseTo(dot(toLoss), 10);
      expect(distanceFromMinimum).toBeCloseTo(dot(toObjective), 10);
    }
    expect(found.warnings.join()).toContain("The weights are no minimum of the training objective");
  });

  test("of float32 risks agree with float64, by each solver of the matrix itself", async () => {
    const options = { damping: 0.01, weightDecay } as const;
    const expected = scoresOf(await influence(risk, queries, { ...options, solver: "dense" }));
    const single = await convexRisk({ dtype: "float32" });
    const own = await single.on(convexRows("test", { only: [3, 0, 12, 40] }));
    const solvers: readonly InfluenceOptions["solver"][] = [
      undefined,
      { method: "cg", tolerance: 1e-5, preconditioner: (await kfac(single)).inverse({ damping: 0.02 }) },
      "minres",
      "dense",
      { method: "lissa", seed: 0, terms: 3000, tolerance: 1e-5 },
      { method: "eigenpairs", rank: 45, seed: 0 },
    ];
    for (const solver of solvers) {
      const found = await influence(single, own, { ...options, ...(solver && { solver }) });
      expect(difference(scoresOf(found), expected)).toBeLessThan(2e-3);
      expect(found.status).toBe("converged");
    }
    await single.dispose();
  });
});

test("the top rows alone, and a value of which more is better", async () => {
  const options = { matrix: A, damping: 0.01 };
  const all = await influence(risk, queries, options);
  const top = await influence(risk, queries, { ...options, keep: "top", top: 4, better: "higher" });
  top.queries.forEach(({ scores, helpful, harmful }, t) => {
    expect(scores).toBeUndefined();
    const sorted = [...all.queries[t]!.scores!].sort((a, b) => a - b);
    expect(helpful.map(({ score }) => score)).toEqual(sorted.slice(0, 4));
    expect(harmful.map(({ score }) => score)).toEqual(sorted.reverse().slice(0, 4));
    for (const { score, ifRemoved, ifUpweighted } of helpful) {
      expect(ifRemoved).toBe(score / 150);
      expect(ifUpweighted).toBe(-score / 150);
    }
  });
  await expect(async () => groupInfluence(top, [[0]])).rejects.toThrow(
    'groupInfluence needs the scores of all rows, but the result has those of the top rows alone; compute it with keep: "all"',
  );
});

test("margin and logit of the label, against the outputs themselves", async () => {
  const rows = convexRows("test", { only: [3, 0, 12, 40] });
  const theta = risk.theta();
  const margins = await influence(risk, await convexRisk({ loss: margin(), data: rows }), { matrix: A, damping: 0.01 });
  const logits = await influence(risk, await convexRisk({ loss: logit(), data: rows }), { matrix: A, damping: 0.01 });
  for await (const { inputs, targets } of rows.batches()) {
    const x = Object.values(inputs)[0]!.data as Float64Array;
    for (let t = 0; t < 4; t++) {
      const f = [0, 1, 2].map(
        (c) =>
          theta[48 + c]! + x.subarray(16 * t, 16 * t + 16).reduce((sum, xi, i) => sum + xi * theta[16 * c + i]!, 0),
      );
      const label = Number(targets!.data[t]);
      const others = f.filter((_, c) => c !== label);
      expect(logits.queries[t]!.value).toBeCloseTo(f[label]!, 10);
      expect(margins.queries[t]!.value).toBeCloseTo(
        f[label]! - Math.log(Math.exp(others[0]!) + Math.exp(others[1]!)),
        10,
      );
    }
  }
  expect(margins.measurement).toBe("margin");
  // The loss is log(1 + e^-margin): the gradients are parallel, with opposite signs.
  const losses = await influence(risk, queries, { matrix: A, damping: 0.01 });
  losses.queries.forEach(({ scores, value }, t) => {
    const slope = -(1 - Math.exp(-value));
    expect(
      difference(
        margins.queries[t]!.scores!.map((score) => slope * score),
        scores!,
      ),
    ).toBeLessThan(1e-9);
  });
});

describe("runs go on from their states bit for bit", () => {
  test("influence", async () => {
    const options = { matrix: A, damping: 0.01, queriesAtOnce: 2 };
    const whole = await influence(risk, queries, options);
    const run = influenceSteps(risk, queries, options);
    const first = await run.next();
    await run.return(undefined as never);
    const resumed = await influence(risk, queries, { ...options, state: first.value as InfluenceState });
    expect(resumed).toEqual(whole);
  });

  test("selfInfluence", async () => {
    const options = { matrix: A, damping: 0.01, rowsAtOnce: 40 };
    const whole = await selfInfluence(risk, options);
    const run = selfInfluenceSteps(risk, options);
    await run.next();
    const second = await run.next();
    await run.return(undefined as never);
    const resumed = await selfInfluence(risk, { ...options, state: second.value as SelfInfluenceState });
    expect(resumed).toEqual(whole);
  });
});

describe("warnings", () => {
  test("a damping that dominates", async () => {
    const { warnings, dampingShare } = await influence(risk, queries, { matrix: A, damping: 1e4 });
    expect(warnings).toEqual([expect.stringContaining("The damping 10000 dominates: it is 100 %")]);
    expect(dampingShare).toBeGreaterThan(0.99);
  });

  test("negative curvature, solved by minres and refused by cg", async () => {
    const negative = scale(A, -1);
    const found = await influence(risk, queries, {
      matrix: { ...negative, symmetric: true, psd: false },
      damping: 0.001,
      solver: "minres",
    });
    expect(found.warnings.join()).toContain("The matrix has negative curvature along the solutions of 4 of 4 queries");
    const self = await selfInfluence(risk, { matrix: negative, damping: 0, rows: [1, 2], solver: "minres" });
    expect(self.warnings.join()).toContain("2 rows have a negative self-influence");
    expect(await rejectionOf(influence(risk, queries, { matrix: negative, damping: 0.001, solver: "cg" }))).toContain(
      "influence found negative curvature at damping 0.001",
    );
  });

  test("a budget that ends early, and a coarse approximation", async () => {
    const found = await influence(risk, queries, { damping: 1e-4, solver: { method: "cg", matvecs: 5 } });
    expect(found.status).toBe("budget");
    expect(found.warnings.join()).toContain("Systems are not solved as asked for (budget)");
    const coarse = await influence(risk, queries, {
      damping: 1e-3,
      solver: { method: "eigenpairs", rank: 2, seed: 0, complement: false },
    });
    expect(coarse.warnings.join()).toMatch(/The solutions by eigenpairs leave \d+ % of a query's gradient unsolved/);
    expect(coarse.residual).toBeGreaterThan(0.1);
  });
});

test("LiSSA reaches the same solution whatever its scale, and refuses one that diverges", async () => {
  const expected = scoresOf(await influence(risk, queries, { matrix: A, damping: 0.05 }));
  for (const factor of [0.8, 1, 3]) {
    const scaled = { method: "lissa", scale: factor, tolerance: 1e-10, terms: 5000 } as const;
    const found = await influence(risk, queries, { matrix: A, damping: 0.05, solver: scaled });
    expect(difference(scoresOf(found), expected)).toBeLessThan(1e-8);
    expect(found.message).toMatch(/the series has a relative residual of .* after \d+ terms/);
  }
  const short = await influence(risk, queries, {
    matrix: A,
    damping: 0.05,
    solver: { method: "lissa", seed: 0, terms: 3 },
  });
  expect(short.status).toBe("budget");
  const small = { method: "lissa", scale: 0.01 } as const;
  expect(await rejectionOf(influence(risk, queries, { matrix: A, damping: 0.05, solver: small }))).toContain(
    "influence: LiSSA diverges at term",
  );
});

test("recall of wanted rows", () => {
  expect(recall([4, 2, 9, 1], { rows: [2, 1], share: 0.5 })).toBe(0.5);
  expect(recall([4, 2, 9, 1], { rows: [4], share: 0.25 })).toBe(1);
  expect(() => recall([1], { rows: [1], share: 0 })).toThrow("recall expects share above 0 and at most 1, got 0");
  expect(() => recall([1], { rows: [], share: 1 })).toThrow("recall expects at least one row to find, got none");
});

test("a linear datamodeling score on random subsets, reproducible by its seed", async () => {
  const rows = takeRows(convexRows("train"), [0, 40]);
  const few = await risk.on(rows);
  const { queries: found } = await influence(few, queries, { damping: 0, weightDecay, solver: "dense" });
  const options = { scores: found.map(({ scores }) => scores!), weightDecay, count: 8, seed: 3 };
  const score = await linearDatamodelingScore(few, queries, options);
  expect(score.subsets).toHaveLength(8);
  for (const subset of score.subsets) expect(new Set(subset).size).toBe(20);
  expect(score.mean).toBeGreaterThan(0.5);
  const again = await linearDatamodelingScore(few, queries, {
    ...options,
    outcomes: score.outcomes,
    subsets: score.subsets,
  });
  expect(again.mean).toBe(score.mean);
  expect(again.interval).toEqual(score.interval);
});

test("messages", async () => {
  const small = await smallRisk();
  const damping = 0.1;
  const plain = functionOperator({ shape: [51, 51], matvec: async (x) => x.slice() });
  const scores = [new Float64Array(150)];
  const one = await risk.on(convexRows("test", { only: [0] }));
  const cases: readonly (readonly [() => Promise<unknown>, string])[] = [
    [() => influence(risk, small, { damping }), "influence expects queries of the same model with the same parameters"],
    [() => influence(risk, queries, {} as never), "influence expects damping to be zero or a positive finite number"],
    [
      () => influence(risk, queries, { damping, matrix: identity(3) }),
      "influence expects a matrix of 51 weights, got one of 3 x 3",
    ],
    [
      () => influence(risk, queries, { damping, solver: "exact" as never }),
      'influence expects solver to be "inverse", "dense"',
    ],
    [
      () => influence(risk, queries, { damping, matrix: plain, solver: "inverse" }),
      'expects a matrix with inverse() for solver "inverse"',
    ],
    [() => influence(risk, queries, { damping, keep: "some" as never }), 'influence expects keep to be "all" or "top"'],
    [() => influence(risk, queries, { damping, top: 0 }), "influence expects top to be a positive integer"],
    [
      () => influence(risk, queries, { damping: 0, solver: { method: "eigenpairs", rank: 3, seed: 0 } }),
      "influence expects a positive damping for eigenpairs with the complement, got 0",
    ],
    [
      () => influence(risk, queries, { damping, solver: { method: "lissa" } }),
      "influence draws random vectors and expects seed",
    ],
    [
      () => influence(risk, queries, { damping, weightDecay: new Float64Array(2) }),
      "influence expects weightDecay as a number or as 51 numbers, got 2",
    ],
    [
      () => influence(risk, queries, { damping, state: { method: "influence", columns: 3, rows: 150 } as never }),
      "influence expects the state of a run of its own with 51 weights and 150 rows",
    ],
    [
      () => selfInfluence(risk, { damping, rows: [150] }),
      "selfInfluence expects different rows, integers from 0 to 149, got 150",
    ],
    [
      () => selfInfluence(risk, { damping, rows: [1, 1] }),
      "selfInfluence expects different rows, integers from 0 to 149, got 1 twice",
    ],
    [() => selfInfluence(risk, { damping, rows: [] }), "selfInfluence expects at least one row, got none"],
    [
      () => selfInfluence(risk, { damping, state: { method: "selfInfluence", columns: 3, rows: 150 } as never }),
      "selfInfluence expects the state of a run of its own with 51 weights and 150 rows",
    ],
    [
      () => leaveOneOut(risk, [200], { queries }),
      "leaveOneOut expects different rows, integers from 0 to 149, got 200",
    ],
    [
      () => leaveOneOut(risk, [Array.from({ length: 150 }, (_, i) => i)], { queries }),
      "leaveOneOut cannot remove all 150 rows",
    ],
    [
      () => leaveOneOut(risk, [1], { queries, method: "newton", matrix: (own) => scale(hessian(own), -1) }),
      "leaveOneOut cannot solve for the step at damping 0",
    ],
    [
      () => leaveOneOut(risk, [1], { queries, method: "exact" as never }),
      'leaveOneOut expects method to be "retrain", "newton" or "firstOrder"',
    ],
    [
      () => linearDatamodelingScore(risk, one, { scores: [], seed: 0 }),
      "linearDatamodelingScore expects scores of 1 queries with 150 rows each, got 0",
    ],
    [
      () => linearDatamodelingScore(risk, one, { scores, seed: 0, count: 3 }),
      "linearDatamodelingScore expects at least 5 subsets, got 3",
    ],
    [
      () => linearDatamodelingScore(risk, one, { scores, seed: 0, share: 1 }),
      "linearDatamodelingScore expects share between 0 and 1, got 1",
    ],
    [
      () => linearDatamodelingScore(risk, one, { scores, seed: 0, confidence: 2 }),
      "linearDatamodelingScore expects confidence between 0 and 1",
    ],
    [
      () => linearDatamodelingScore(risk, one, { scores, subsets: [[0], [1], [2], [3], [4]], outcomes: [] }),
      "linearDatamodelingScore expects outcomes of each of the subsets they were measured on, got 0 for 5 subsets",
    ],
  ];
  for (const [call, message] of cases) {
    expect(await rejectionOf(Promise.resolve().then(call))).toContain(message);
  }
  const data = arrays({
    inputs: { data: new Float64Array(32), dims: [2, 16] },
    targets: { data: Int32Array.of(0, 1), dims: [2] },
  });
  const part = await risk.on(data, { shard: { ...risk.shard, firstRow: 0 } });
  expect(await rejectionOf(influence(part, queries, { damping }))).toContain(
    "influence needs all training rows on the ranks together, but this risk has 2 of 150",
  );
  await small.dispose();
});

test("an abort ends a run", async () => {
  const controller = new AbortController();
  controller.abort();
  const ended = influence(risk, queries, { damping: 0.1, signal: controller.signal });
  await expect(ended).rejects.toMatchObject({ code: "aborted" });
});
