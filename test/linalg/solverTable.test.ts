import { describe, expect, test } from "vitest";
import { svd } from "../../src/linalg/dense/index.ts";
import { dense, type LinearOperator } from "../../src/linalg/index.ts";
import { runToEnd } from "../../src/linalg/runs/index.ts";
import { type Matrix, toPrecision, type Vector } from "../../src/tensors/index.ts";
import {
  counted,
  distance,
  geometric,
  length,
  randomVector,
  range,
  rotated,
  rotatedMatrix,
  trueResidual,
} from "./knownOperators.ts";
import { product, randomMatrix, transposed } from "./randomMatrices.ts";
import { firstResidualNorm, firstSolution, type Structure, solverRows, stepsMade } from "./solverRows.ts";

// Solver x operator x structure: every solver on every system, with the status that it has to end in and the dense answer.

interface System {
  readonly structure: Structure;
  readonly M: Matrix & { readonly data: Float64Array };
  readonly b: Float64Array;
}

const symmetricMatrix = (values: Float64Array) => ({
  rows: values.length,
  columns: values.length,
  data: rotatedMatrix(values),
});
const onRange = (M: Matrix, seed: number) =>
  product(M, { rows: M.columns, columns: 1, data: randomVector(M.columns, seed) }).data;

/** A symmetric matrix with these eigenvalues, scaled so that the largest in absolute value is 1 where Richardson is to converge. */
function symmetricSystem(structure: Structure, values: Float64Array): System {
  const M = symmetricMatrix(values);
  const inside = structure === "singular, b in the range";
  return { structure, M, b: inside ? onRange(M, 2) : randomVector(values.length, 2) };
}

const shifted = (M: Matrix & { data: Float64Array }, shift: number) => {
  const data = M.data.map((value, at) => value + (at % (M.rows + 1) === 0 ? shift : 0));
  return { ...M, data };
};
const filled = (n: number, f: (i: number, j: number) => number) => ({
  rows: n,
  columns: n,
  data: range(n * n, (at) => f(at % n, Math.floor(at / n))),
});

const systems: Readonly<Record<string, System>> = {
  flat: symmetricSystem(
    "definite",
    range(40, (i) => 1 + i / 40),
  ),
  "the identity": symmetricSystem(
    "definite",
    range(20, () => 1),
  ),
  geometric: symmetricSystem("definite", geometric(30, 0.9)),
  step: symmetricSystem(
    "definite",
    range(40, (i) => (i < 5 ? 3 : 0.3)),
  ),
  repeated: symmetricSystem(
    "definite",
    range(45, (i) => [2, 1, 0.5][i % 3]!),
  ),
  clustered: symmetricSystem(
    "definite",
    range(50, (i) => 1 + 1e-6 * i),
  ),
  "size 1": symmetricSystem("definite", Float64Array.of(3)),
  "size 2": symmetricSystem("definite", Float64Array.of(3, 0.5)),
  "one outlier": symmetricSystem(
    "ill-conditioned",
    range(60, (i) => (i === 0 ? 3.9 : 1e-3 * (1 + i / 60))),
  ),
  "nearly singular": symmetricSystem(
    "ill-conditioned",
    range(40, (i) => (i === 0 ? 1e-5 : 1 + i / 40)),
  ),
  "steeply geometric": symmetricSystem("ill-conditioned", geometric(40, 0.75)),
  indefinite: symmetricSystem(
    "indefinite",
    range(40, (i) => (i % 2 === 0 ? 1 : -1) * (1 + i / 10)),
  ),
  "negative definite": symmetricSystem(
    "indefinite",
    range(30, (i) => -1 - i / 30),
  ),
  "one negative eigenvalue": symmetricSystem(
    "indefinite",
    range(30, (i) => (i === 7 ? -2 : 1 + i / 30)),
  ),
  "size 1, negative": symmetricSystem("indefinite", Float64Array.of(-3)),
  "size 2, indefinite": symmetricSystem("indefinite", Float64Array.of(2, -1)),
  "half of the space": symmetricSystem(
    "singular, b in the range",
    range(40, (i) => (i < 20 ? 1 + i / 20 : 0)),
  ),
  "rank one": symmetricSystem(
    "singular, b in the range",
    range(25, (i) => (i === 3 ? 2 : 0)),
  ),
  "one null vector": symmetricSystem(
    "singular, b in the range",
    range(30, (i) => (i === 0 ? 0 : 1 + i / 30)),
  ),
  "half of the space, b anywhere": symmetricSystem(
    "singular, b outside of the range",
    range(40, (i) => (i < 20 ? 1 + i / 20 : 0)),
  ),
  "rank one, b anywhere": symmetricSystem(
    "singular, b outside of the range",
    range(25, (i) => (i === 3 ? 2 : 0)),
  ),
  "size 2, singular": symmetricSystem("singular, b outside of the range", Float64Array.of(1, 0)),
  zero: symmetricSystem("zero", new Float64Array(12)),
  "size 1, zero": symmetricSystem("zero", new Float64Array(1)),
  "random, dominant diagonal": {
    structure: "not symmetric",
    M: shifted(randomMatrix(40, 40, 6), 20),
    b: randomVector(40, 7),
  },
  "skew plus identity": {
    structure: "not symmetric",
    M: filled(30, (i, j) => (i === j ? 1 : Math.abs(i - j) === 1 ? (i - j) / 3 : 0)),
    b: randomVector(30, 7),
  },
  "triangular, far from normal": {
    structure: "not symmetric",
    M: filled(20, (i, j) => (i === j ? 2 : j > i ? 0.5 : 0)),
    b: randomVector(20, 7),
  },
  "size 2, not symmetric": {
    structure: "not symmetric",
    M: filled(2, (i, j) => [2, 1, 0, 3][2 * i + j]!),
    b: randomVector(2, 7),
  },
  nilpotent: {
    structure: "not symmetric, singular",
    M: filled(9, (i, j) => (j === i + 1 ? 1 : 0)),
    b: randomVector(9, 7),
  },
  "one zero row": {
    structure: "not symmetric, singular",
    M: filled(12, (i, j) => (i === 4 ? 0 : i === j ? 3 : (i * j) / 144)),
    b: randomVector(12, 7),
  },
};

/** Shortest minimizer of `||b - A x||` and the residual that it leaves, by the singular values. */
async function leastSquares({ M, b }: System) {
  const { U, values, V } = await svd(M);
  const shares = product(transposed(U), { rows: b.length, columns: 1, data: b }).data;
  const c = shares.map((share, i) => (values[i]! > 1e-12 * values[0]! ? share / values[i]! : 0));
  const x = product(V, { rows: c.length, columns: 1, data: c }).data;
  const Ax = product(M, { rows: x.length, columns: 1, data: x }).data;
  const positive = values.filter((value) => value > 1e-12 * values[0]!);
  const condition = positive.length === 0 ? 1 : values[0]! / positive[positive.length - 1]!;
  return { x, residual: length(b.map((value, i) => value - Ax[i]!)), condition };
}

/** Dense operator that declares what is true of it. */
function operatorFor({ M, structure }: System): LinearOperator {
  return { ...dense(M), symmetric: !structure.startsWith("not symmetric"), adjoint: () => dense(transposed(M)) };
}

describe.each(Object.keys(solverRows))("%s", (name) => {
  const { steps, endings, cost, leastSquares: isLeast, rectangular } = solverRows[name]!;
  const solve = (A: LinearOperator, b: Vector, options: object) => runToEnd(steps(A, b, options));

  test.each(Object.entries(systems))("%s", async (_, system) => {
    const { structure, b } = system;
    const [A, truth] = [operatorFor(system), await leastSquares(system)];
    if (endings[structure].includes("refused")) {
      await expect(solve(A, b, {})).rejects.toThrow(
        /expects a symmetric operator, got one that declares symmetric: false/,
      );
      return;
    }
    // The budget goes far beyond n.
    const result = await solve(A, b, { tolerance: 1e-10, matvecs: 2000 });
    expect(endings[structure], result.message).toContain(result.status);
    expect(result.matvecs).toBeLessThanOrEqual(2000);
    const x = firstSolution(result);
    expect(x.every(Number.isFinite)).toBe(true);
    if ("reached" in result && result.reached !== "interior") {
      expect(Math.abs(length(x) - 1e9)).toBeLessThan(1);
      return;
    }
    const residual = await trueResidual(A, x, b);
    expect(Math.abs(firstResidualNorm(result) - residual)).toBeLessThan(1e-9 * length(b));
    expect(residual).toBeGreaterThan(truth.residual - 1e-9 * length(b) - 1e-14 * length(x));
    if (result.status !== "converged") return;
    // A residual of zero, or the smallest one there is.
    const slack = isLeast ? 1e-8 * length(b) : 1.001e-10 * length(b);
    expect(residual).toBeLessThanOrEqual(truth.residual + slack);
    const singular = structure.includes("singular") || structure === "zero";
    if (singular && !isLeast) return;
    const allowed = 1e-10 * truth.condition * (residual > 1.001e-10 * length(b) ? truth.condition : 1);
    expect(distance(x, truth.x)).toBeLessThanOrEqual(4 * allowed * Math.max(length(truth.x), length(b)) + 1e-12);
  });

  test("as many products a step, at the start and at the end as documented", async () => {
    const system = systems.geometric!;
    const At = counted(dense(transposed(system.M)));
    // Least squares only multiply by the transpose.
    const A = counted(
      { ...operatorFor(system), symmetric: isLeast !== true || !rectangular, adjoint: () => At },
      { matmat: true },
    );
    const run = steps(A, system.b, { tolerance: 1e-6 });
    let [made, n] = [0, 0];
    let next = await run.next();
    for (; !next.done; next = await run.next()) made = stepsMade(next.value, ++n);
    const { step, start = 0, end, onTheWay = () => 0 } = cost;
    expect(next.value.status, next.value.message).toBe("converged");
    expect(made).toBeGreaterThan(10);
    // A residual that was due at the last step is the final one.
    const final = onTheWay(made) > onTheWay(made - 1) ? 0 : end;
    expect(next.value.matvecs).toBe(start + step * made + onTheWay(made) + final);
    expect(A.count() + At.count()).toBe(next.value.matvecs);
    expect(At.count()).toBe(rectangular ? start + made + end / 2 : 0);
  });

  test("a budget that is too small, and a tolerance that is met at the start", async () => {
    const system = systems.geometric!;
    for (const matvecs of [6, 9]) {
      const A = counted(operatorFor(system));
      const result = await solve(A, system.b, { tolerance: 1e-10, matvecs });
      expect(result.status).toBe("budget");
      expect(result.matvecs).toBeLessThanOrEqual(matvecs);
    }
    const done = await solve(operatorFor(system), new Float64Array(30), { tolerance: 1e-10 });
    expect(done.status, done.message).toBe("converged");
    expect(length(firstSolution(done))).toBe(0);
  });

  test("float32 products: what is well within rounding converges, what is far beyond does not", async () => {
    const values = range(40, (i) => 1 + i / 40);
    const A = rotated(values, { dtype: "float32" });
    const b = toPrecision(randomVector(40, 3), "float32");
    const within = await solve(A, b, { tolerance: 1e-5 });
    expect(within.status, within.message).toBe("converged");
    expect(await trueResidual(rotated(values), firstSolution(within), b)).toBeLessThan(3e-5 * length(b));
    const beyond = await solve(A, b, { tolerance: 1e-12 });
    expect(["stagnated", "budget", "breakdown"], beyond.message).toContain(beyond.status);
    expect(await trueResidual(rotated(values), firstSolution(beyond), b)).toBeLessThan(1e-5 * length(b));
  });

  test("what it attains with a tolerance out of reach, it attains ten times of with a tolerance of that", async () => {
    for (const dtype of ["float32", "float64"] as const) {
      const values = range(30, (i) => 0.1 + (1.9 * i) / 29);
      const A = rotated(values, { dtype });
      for (let seed = 0; seed < 5; seed++) {
        const b = toPrecision(randomVector(30, seed), dtype);
        const beyond = await solve(A, b, { tolerance: 0 });
        const attained = (await trueResidual(A, firstSolution(beyond), b)) / length(b);
        expect(attained).toBeLessThan(dtype === "float32" ? 1e-5 : 1e-13);
        const within = await solve(A, b, { tolerance: 10 * Math.max(attained, dtype === "float32" ? 1e-7 : 1e-16) });
        expect(within.status, within.message).toBe("converged");
      }
    }
  });
});

describe.each(Object.keys(solverRows).filter((name) => solverRows[name]!.rectangular))("%s", (name) => {
  const shapes: Readonly<Record<string, Matrix & { data: Float64Array }>> = {
    tall: randomMatrix(40, 12, 1),
    wide: randomMatrix(12, 40, 1),
    "tall, rank deficient": product(randomMatrix(40, 5, 1), randomMatrix(5, 12, 2)),
    "wide, rank deficient": product(randomMatrix(12, 5, 1), randomMatrix(5, 40, 2)),
    "one column": randomMatrix(9, 1, 1),
    "one row": randomMatrix(1, 9, 1),
    zero: { rows: 5, columns: 3, data: new Float64Array(15) },
    "2 x 1": randomMatrix(2, 1, 1),
  };
  test.each(Object.entries(shapes))("%s: the shortest minimizer", async (_, M) => {
    const b = randomVector(M.rows, 3);
    const truth = await leastSquares({ M, b, structure: "definite" });
    const result = await runToEnd(solverRows[name]!.steps(dense(M), b, { tolerance: 1e-11, matvecs: 2000 }));
    expect(result.status, result.message).toBe("converged");
    expect(distance(firstSolution(result), truth.x)).toBeLessThan(1e-7);
    expect(Math.abs(firstResidualNorm(result) - truth.residual)).toBeLessThan(1e-9);
  });
});
