import { describe, expect, test } from "vitest";
import {
  hutchPlusPlus,
  type LinearOperator,
  lanczosQuadratureSteps,
  logDeterminant,
  spectralMass,
  spectralSum,
  xdiagSteps,
  xnysdiagSteps,
  xnystrace,
  xnystraceSteps,
  xtrace,
  xtraceSteps,
} from "../../src/linalg/index.ts";
import { runToEnd } from "../../src/linalg/runs/index.ts";
import { diagonals, matrices, methods } from "./coverageTolerance.ts";
import { describeSequentialCoverage } from "./coverageToleranceSuite.ts";
import { haarMatrix } from "./haar.ts";
import { counted, geometric, length, operatorOf, range, rotated } from "./knownOperators.ts";

// 120 runs are in coverageTolerance.long.ts.
describeSequentialCoverage({ runs: 20, least: 0.8, together: 0.91 });

describe.each(Object.entries(methods))("%s with a tolerance", (name, method) => {
  test("of 0 takes the whole budget and says so", async () => {
    const { status, message, matvecs } = await method.run(matrices.flat.A, { seed: 0, tolerance: 0 });
    expect(status).toBe("budget");
    expect(matvecs).toBeGreaterThan(0.9 * method.budget);
    expect(matvecs).toBeLessThanOrEqual(method.budget);
    expect(message).toMatch(
      /^half the interval is \d\.\S+ of (the estimate|all eigenvalues) after \d+ (probes|leave-one-out estimates)(, few for an interval)?, 0 asked for; raise matvecs or loosen tolerance$/,
    );
  });

  test("asks for more the higher the confidence", async () => {
    const { value, interval, size } = await method.run(matrices.flat.A, { seed: 1, tolerance: 0 });
    const tolerance = (1.5 * (interval.upper - value)) / size;
    const run = async (confidence: number) =>
      (await method.run(matrices.flat.A, { seed: 1, tolerance, confidence })).interval.probes;
    if (name !== "hutchPlusPlus") expect(await run(0.999)).toBeGreaterThan(await run(0.5));
    await expect(method.run(matrices.flat.A, { seed: 0, tolerance: -1 })).rejects.toThrow(
      `${name} expects tolerance to be zero or a positive finite number, got -1`,
    );
  });
});

test("hutchPlusPlus ends its last third early, and covers 90 of 100 runs", async () => {
  const values = range(160, (i) => 0.5 + i / 159);
  const A = operatorOf(haarMatrix(values));
  const truth = values.reduce((so, x) => so + x, 0);
  const [runs, looks] = [60, new Set<number>()];
  let inside = 0;
  for (let seed = 0; seed < runs; seed++) {
    const B = counted(A);
    const { interval, matvecs, status } = await hutchPlusPlus(B, { matvecs: 156, seed, tolerance: 0.02 });
    expect(B.count()).toBe(matvecs);
    looks.add(matvecs - 104);
    if (interval.lower <= truth && truth <= interval.upper) inside++;
    if (status === "converged") expect((interval.upper - interval.lower) / 2).toBeLessThanOrEqual(0.02 * truth * 1.05);
  }
  expect([...looks].sort((x, y) => x - y)).toEqual([32, 48, 52]);
  expect(inside / runs).toBeGreaterThanOrEqual(0.9);
});

describe.each(Object.entries(diagonals))("%s with a tolerance", (_, { method, matvecs }) => {
  test("ends once the error of all entries together is as small, in norm", async () => {
    const { A, dense } = matrices.outlier;
    const truth = range(80, (i) => dense[i * 81]!);
    const tolerance = 0.3;
    for (let seed = 0; seed < 10; seed++) {
      const B = counted(A);
      const result = await method(B, { matvecs, seed, tolerance });
      expect(B.count()).toBe(result.matvecs);
      expect(result.status, result.message).toBe("converged");
      expect(result.matvecs).toBeLessThan(matvecs);
      expect(length(result.values.map((x, i) => x - truth[i]!))).toBeLessThan(tolerance * length(truth));
      const half = result.certainty.quantile * length(result.standardErrors);
      expect(half).toBeLessThanOrEqual(tolerance * length(result.values));
    }
  });
});

describe("a run that looks", () => {
  const A = rotated(geometric(60, 0.9));
  const steps: Readonly<Record<string, (o: object) => AsyncGenerator<unknown, unknown, void>>> = {
    xtrace: (o: object) => xtraceSteps(A, { matvecs: 50, seed: 2, tolerance: 0.02, ...o }),
    xnystrace: (o: object) => xnystraceSteps(A, { matvecs: 50, seed: 2, tolerance: 0.02, ...o }),
    xdiag: (o: object) => xdiagSteps(A, { matvecs: 50, seed: 2, tolerance: 0.2, ...o }),
    xnysdiag: (o: object) => xnysdiagSteps(A, { matvecs: 50, seed: 2, tolerance: 0.2, ...o }),
  };
  test.each(Object.entries(steps))("%s resumes from every state to the same bits", async (_, run) => {
    const states: unknown[] = [];
    const generator = run({});
    let next = await generator.next();
    for (; !next.done; next = await generator.next()) states.push(structuredClone(next.value));
    expect(states.length).toBeGreaterThan(2);
    for (const state of states) expect(await runToEnd(run({ state }))).toEqual(next.value);
  });

  test("over quadratures goes on from a state to the same bits", async () => {
    const options = { steps: 4, probes: 60, seed: 0 };
    const whole = await spectralSum(A, Math.exp, { ...options, tolerance: 0.015 });
    expect(whole.status).toBe("converged");
    expect(whole.matvecs).toBeLessThan(240);
    let count = 0;
    for await (const state of lanczosQuadratureSteps(A, options)) {
      count++;
      if (count % 40 !== 7 || state.matvecs > whole.matvecs) continue;
      const saved = structuredClone(state);
      expect(await spectralSum(A, Math.exp, { ...options, tolerance: 0.015, state: saved })).toEqual(whole);
    }
  });

  test("is not narrowed by looking: its interval is wider than that of a run of the same length", async () => {
    const sequential = await xtrace(A, { matvecs: 50, seed: 2, tolerance: 0.02 });
    const fixed = await xtrace(A, { matvecs: sequential.matvecs, seed: 2 });
    expect(Math.abs(sequential.trace / fixed.trace - 1)).toBeLessThan(1e-12);
    expect(sequential.interval.quantile).toBeGreaterThan(1.2 * fixed.interval.quantile);
  });

  test("has no effect where the budget reaches n, or the steps do", async () => {
    for (const method of [xtrace, xnystrace] as (typeof xtrace)[]) {
      const { matvecs, standardError } = await method(A, { matvecs: 60, seed: 0, tolerance: 0.5 });
      expect([matvecs, standardError]).toEqual([60, 0]);
    }
    const exact = await logDeterminant(A, { steps: 60, probes: 50, seed: 0, damping: 0.1, tolerance: 0.5 });
    expect([exact.matvecs, exact.standardError]).toEqual([60, 0]);
    expect(exact.message).toBe("exact: 60 steps give all eigenvalues");
  });

  test("keeps its best at a product that is not finite, and says that", async () => {
    let count = 0;
    const B: LinearOperator = {
      ...A,
      matvec: async (x) => (++count === 7 ? new Float64Array(60).fill(Number.NaN) : A.matvec(x)),
    };
    const options = { steps: 3, probes: 40, seed: 0, to: 0.5, tolerance: 0.1 };
    const result = await spectralMass(B, options);
    expect(result.status).toBe("nonfinite");
    expect(result.matvecs).toBe(7);
    const { value } = await spectralMass(A, { ...options, probes: 2 });
    expect(result.value).toBe(value);
    expect(result.interval.fewProbes).toBe(true);
  });
});
