import fc from "fast-check";
import { expect, test } from "vitest";
import { CurvatureError } from "../../src/errors/index.ts";
import * as linalg from "../../src/linalg/index.ts";
import {
  add,
  adjoint,
  cgInverse,
  compose,
  damped,
  dense,
  diagonal,
  eigh,
  functionOperator,
  identity,
  type LinearOperator,
  lowRank,
  neumannInverse,
  preconditioner,
  scale,
  solverInverse,
  submatrix,
  subtract,
  toDense,
} from "../../src/linalg/index.ts";
import { type Stream, stream } from "../../src/random/index.ts";
import type { Matrix } from "../../src/tensors/index.ts";
import {
  diagonalMatrix,
  product,
  randomMatrix,
  randomSpd,
  randomSymmetric,
  relativeDifference,
  transposed,
} from "./randomMatrices.ts";

fc.configureGlobal({ seed: 1 });

// Random expressions of operators against the same expressions of dense matrices, evaluated by plain loops.

interface Expression {
  readonly A: LinearOperator;
  readonly M: Matrix & { data: Float64Array };
  readonly text: string;
}
interface Place {
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  readonly draws: Stream;
}
/** The operator and its matrix, with the expressions and numbers that they are made of; or nothing where the drawn operands do not allow it. */
type Rule = (place: Place) => (Omit<Expression, "text"> & { readonly of?: readonly unknown[] }) | undefined;

/** One way to use a function of the algebra. */
interface Row {
  readonly rule: Rule;
  /** Whether it stands at the end of a branch. */
  readonly leaf?: true;
  /** Whether it makes square operators only. */
  readonly square?: true;
  /** Whether it is drawn three times as often among square ones, since it keeps expressions symmetric. */
  readonly favoured?: true;
}

/** Every exported function that makes an operator at once: a new one fails to compile here until it has a row. */
type Algebra = {
  [Name in keyof typeof linalg]: (typeof linalg)[Name] extends (...input: never) => infer Result
    ? Result extends LinearOperator
      ? Name
      : never
    : never;
}[keyof typeof linalg];

const frobenius = (M: Matrix) => Math.hypot(...M.data);
const seedOf = (draws: Stream) => draws.integer(1e6);
const zip = (X: Matrix, Y: Matrix, f: (x: number, y: number) => number) => ({
  rows: X.rows,
  columns: X.columns,
  data: Float64Array.from(X.data, (x, i) => f(x, Y.data[i]!)),
});
const matrixFunction = (M: Matrix) => (x: ArrayLike<number>) =>
  product(M, { rows: x.length, columns: 1, data: Float64Array.from(x) }).data;
const hasAdjoint = (A: LinearOperator) => A.symmetric || A.adjoint !== undefined;
const multipleOfIdentity = (n: number, factor: number) => diagonalMatrix(new Array(n).fill(factor));
const random = ({ rows, columns, draws }: Pick<Place, "rows" | "columns" | "draws">) =>
  randomMatrix(rows, columns, seedOf(draws));

/** Inverse of a positive definite matrix, by elimination without pivots. */
function inverseOf(M: Matrix): Matrix & { data: Float64Array } {
  const n = M.rows;
  const W = Float64Array.from(M.data);
  const N = multipleOfIdentity(n, 1);
  for (let k = 0; k < n; k++) {
    const pivot = W[k * n + k]!;
    for (const X of [W, N.data]) for (let j = 0; j < n; j++) X[j * n + k] = X[j * n + k]! / pivot;
    for (let i = 0; i < n; i++) {
      const factor = W[k * n + i]!;
      if (i === k) continue;
      for (const X of [W, N.data]) for (let j = 0; j < n; j++) X[j * n + i] = X[j * n + i]! - factor * X[j * n + k]!;
    }
  }
  return N;
}

/** `J' J + shift I` of a drawn J, with a condition of at most 2, and its inverse: what iterative inverses are made from. */
function wellConditioned(place: Place) {
  const J = build({ ...deeper(place), rows: 1 + place.draws.integer(4) });
  if (!hasAdjoint(J.A)) return undefined;
  const shift = 1 + frobenius(J.M) ** 2;
  const gram = product(transposed(J.M), J.M);
  const M = zip(gram, multipleOfIdentity(place.columns, shift), (x, y) => x + y);
  const A = damped(compose(adjoint(J.A), J.A, { psd: true }), shift);
  return { A, M: inverseOf(M), shift, of: [J.text] };
}

const rules: Readonly<Record<Algebra, readonly Row[]>> = {
  dense: [
    {
      leaf: true,
      rule(place) {
        const M = random(place);
        return { A: dense(M), M };
      },
    },
    {
      leaf: true,
      square: true,
      favoured: true,
      rule({ rows, draws }) {
        const M = randomSymmetric(rows, seedOf(draws));
        return { A: dense(M), M, of: ["symmetric"] };
      },
    },
    {
      leaf: true,
      square: true,
      favoured: true,
      rule({ rows, draws }) {
        const M = randomSpd(rows, seedOf(draws));
        return { A: dense(M, { psd: true }), M, of: ["psd"] };
      },
    },
  ],
  functionOperator: [
    {
      leaf: true,
      rule(place) {
        const M = random(place);
        const adjointProduct = matrixFunction(transposed(M));
        const shape = [place.rows, place.columns] as const;
        return { A: functionOperator({ shape, matvec: matrixFunction(M), adjoint: adjointProduct }), M };
      },
    },
    {
      leaf: true,
      rule(place) {
        const M = random(place);
        const shape = [place.rows, place.columns] as const;
        return { A: functionOperator({ shape, matvec: matrixFunction(M) }), M, of: ["oneWay"] };
      },
    },
    {
      leaf: true,
      square: true,
      rule(place) {
        const M = random(place);
        const [matvec, adjointProduct] = [matrixFunction(M), matrixFunction(transposed(M))];
        const quadraticForm = (x: ArrayLike<number>) => matvec(x).reduce((so, y, i) => so + y * x[i]!, 0);
        const shape = [place.rows, place.columns] as const;
        return { A: functionOperator({ shape, matvec, adjoint: adjointProduct, quadraticForm }), M, of: ["forms"] };
      },
    },
  ],
  lowRank: [
    {
      leaf: true,
      rule({ rows, columns, draws }) {
        const rank = 1 + draws.integer(3);
        const U = randomMatrix(rows, rank, seedOf(draws));
        const V = randomMatrix(columns, rank, seedOf(draws));
        const s = randomMatrix(rank, 1, seedOf(draws)).data;
        return { A: lowRank(U, s, { V }), M: product(product(U, diagonalMatrix(s)), transposed(V)), of: ["U", "V"] };
      },
    },
    {
      leaf: true,
      square: true,
      favoured: true,
      rule({ rows, draws }) {
        const rank = 1 + draws.integer(rows + 1);
        const U = randomMatrix(rows, rank, seedOf(draws));
        const s = randomMatrix(rank, 1, seedOf(draws)).data;
        const weights = draws.sign() > 0 ? s : s.map(Math.abs);
        return { A: lowRank(U, weights), M: product(product(U, diagonalMatrix(weights)), transposed(U)), of: ["U"] };
      },
    },
  ],
  identity: [
    {
      leaf: true,
      square: true,
      favoured: true,
      rule: ({ rows }) => ({ A: identity(rows), M: multipleOfIdentity(rows, 1) }),
    },
  ],
  diagonal: [
    {
      leaf: true,
      square: true,
      favoured: true,
      rule({ rows, draws }) {
        const d = randomMatrix(rows, 1, seedOf(draws)).data;
        const entries = draws.sign() > 0 ? d : d.map(Math.abs);
        return { A: diagonal(entries), M: diagonalMatrix(entries) };
      },
    },
  ],
  add: [
    {
      favoured: true,
      rule(place) {
        const [a, b] = [build(deeper(place)), build(deeper(place))];
        return { A: add(a.A, b.A), M: zip(a.M, b.M, (x, y) => x + y), of: [a.text, b.text] };
      },
    },
  ],
  subtract: [
    {
      rule(place) {
        const [a, b] = [build(deeper(place)), build(deeper(place))];
        return { A: subtract(a.A, b.A), M: zip(a.M, b.M, (x, y) => x - y), of: [a.text, b.text] };
      },
    },
  ],
  scale: [
    {
      favoured: true,
      rule(place) {
        const a = build(deeper(place));
        const factor = [0, 1.5, 0.25, -2][place.draws.integer(4)]!;
        return { A: scale(a.A, factor), M: zip(a.M, a.M, (x) => factor * x), of: [a.text, factor] };
      },
    },
  ],
  compose: [
    {
      rule(place) {
        const inner = 1 + place.draws.integer(6);
        const [a, b] = [build({ ...deeper(place), columns: inner }), build({ ...deeper(place), rows: inner })];
        return { A: compose(a.A, b.A), M: product(a.M, b.M), of: [a.text, b.text] };
      },
    },
    {
      square: true,
      favoured: true,
      rule(place) {
        const J = build({ ...deeper(place), rows: 1 + place.draws.integer(6) });
        if (!hasAdjoint(J.A)) return undefined;
        const M = product(transposed(J.M), J.M);
        return { A: compose(adjoint(J.A), J.A, { psd: true }), M, of: ["gram", J.text] };
      },
    },
  ],
  adjoint: [
    {
      rule(place) {
        const a = build({ ...deeper(place), rows: place.columns, columns: place.rows });
        return hasAdjoint(a.A) ? { A: adjoint(a.A), M: transposed(a.M), of: [a.text] } : undefined;
      },
    },
  ],
  submatrix: [
    {
      rule(place) {
        const { rows, columns, draws } = place;
        const a = build({ ...deeper(place), rows: rows + draws.integer(3), columns: columns + draws.integer(3) });
        const list = (count: number, bound: number) => Array.from({ length: count }, () => draws.integer(bound));
        const lists = { rows: list(rows, a.M.rows), columns: list(columns, a.M.columns) };
        return { A: submatrix(a.A, lists), M: entriesAt(a.M, lists), of: [a.text, JSON.stringify(lists)] };
      },
    },
    {
      square: true,
      favoured: true,
      rule(place) {
        const n = place.rows + place.draws.integer(3);
        const a = build({ ...deeper(place), rows: n, columns: n });
        const list = Array.from({ length: place.rows }, () => place.draws.integer(n));
        const M = entriesAt(a.M, { rows: list, columns: list });
        return { A: submatrix(a.A, list), M, of: ["principal", a.text, list] };
      },
    },
  ],
  damped: [
    {
      square: true,
      favoured: true,
      rule(place) {
        const a = build(deeper(place));
        const damping = [0, 0.5, -1][place.draws.integer(3)]!;
        const M = zip(a.M, multipleOfIdentity(place.rows, damping), (x, y) => x + y);
        return { A: damped(a.A, damping), M, of: [a.text, damping] };
      },
    },
  ],
  preconditioner: [
    {
      leaf: true,
      square: true,
      rule({ rows, draws }) {
        const P = randomSpd(rows, seedOf(draws), 1);
        const damping = draws.integer(2);
        const M = inverseOf(zip(P, multipleOfIdentity(rows, damping), (x, y) => x + y));
        return { A: preconditioner(dense(P, { psd: true }), { damping }), M, of: [damping] };
      },
    },
  ],
  cgInverse: [
    {
      square: true,
      rule(place) {
        const found = wellConditioned(place);
        return found && { ...found, A: cgInverse(found.A, { tolerance: 1e-13 }) };
      },
    },
  ],
  solverInverse: [
    {
      square: true,
      rule(place) {
        const found = wellConditioned(place);
        const method = (["cg", "minres", "gmres"] as const)[place.draws.integer(3)]!;
        return found && { ...found, A: solverInverse(found.A, { method, tolerance: 1e-13 }), of: [method, found.of] };
      },
    },
  ],
  neumannInverse: [
    {
      square: true,
      rule(place) {
        const found = wellConditioned(place);
        return found && { ...found, A: neumannInverse(found.A, { terms: 60, scale: 1 / (2 * found.shift) }) };
      },
    },
  ],
};

const deeper = (place: Place): Place => ({ ...place, depth: place.depth - 1 });

function entriesAt(M: Matrix, { rows, columns }: { rows: number[]; columns: number[] }) {
  const data = Float64Array.from(columns.flatMap((j) => rows.map((i) => M.data[j * M.rows + i]!)));
  return { rows: rows.length, columns: columns.length, data };
}

const table = Object.entries(rules).flatMap(([name, rows]) => rows.map((row) => ({ ...row, name })));

function build(place: Place): Expression {
  const square = place.rows === place.columns;
  const allowed = table.filter((row) => place.depth <= 0 === (row.leaf ?? false) && (square || !row.square));
  const favoured = square ? allowed.filter((row) => row.favoured) : [];
  const choice = [...allowed, ...favoured, ...favoured];
  const { name, rule } = choice[place.draws.integer(choice.length)]!;
  const made = rule(place);
  return made ? { A: made.A, M: made.M, text: `${name}(${(made.of ?? []).join(", ")})` } : build(deeper(place));
}

const expressions = (square: boolean) =>
  fc
    .record({
      rows: fc.integer({ min: 1, max: 6 }),
      columns: fc.integer({ min: 1, max: 6 }),
      depth: fc.integer({ min: 0, max: 3 }),
      seed: fc.nat(),
    })
    .map(({ rows, columns, depth, seed }) =>
      build({ rows, columns: square ? rows : columns, depth, draws: stream(seed, "expression") }),
    );

/** Largest difference, relative to what rounding in a sum of such products can be. */
const close = (a: ArrayLike<number>, b: ArrayLike<number>, size: number) => {
  expect(a.length).toBe(b.length);
  for (let i = 0; i < b.length; i++) expect(Math.abs(a[i]! - b[i]!)).toBeLessThanOrEqual(1e-11 * (1 + size));
};

test("products, one or several at once, are those of the dense matrix", () =>
  fc.assert(
    fc.asyncProperty(expressions(false), fc.nat(), async ({ A, M }, seed) => {
      expect(A.shape).toEqual([M.rows, M.columns]);
      close((await toDense(A)).data, M.data, frobenius(M));
      close((await toDense(A, { columnsAtOnce: 2 })).data, M.data, frobenius(M));
      const x = randomMatrix(M.columns, 1, seed).data;
      const before = x.slice();
      const y = await A.matvec(x);
      expect(y).toBeInstanceOf(Float64Array);
      close(y, matrixFunction(M)(x), frobenius(M) * 10);
      expect(x).toEqual(before);
      y.fill(Number.NaN);
      close(await A.matvec(Float32Array.from(x)), matrixFunction(M)(Float32Array.from(x)), frobenius(M) * 10);
    }),
    { numRuns: 300 },
  ));

test("the adjoint's products are those of the transpose", () =>
  fc.assert(
    fc.asyncProperty(expressions(false), async ({ A, M }) => {
      if (!hasAdjoint(A)) {
        expect(() => adjoint(A)).toThrow(/symmetric or has adjoint/);
        return;
      }
      const At = adjoint(A);
      expect(At.shape).toEqual([M.columns, M.rows]);
      close((await toDense(At)).data, transposed(M).data, frobenius(M));
      close((await toDense(adjoint(At))).data, M.data, frobenius(M));
      if (A.adjoint) close((await toDense(A.adjoint())).data, transposed(M).data, frobenius(M));
    }),
    { numRuns: 200 },
  ));

async function checkStructure({ A, M }: Expression): Promise<void> {
  const n = M.rows;
  const size = frobenius(M);
  if (A.psd) expect(A.symmetric).toBe(true);
  if (A.symmetric) close(M.data, transposed(M).data, size);
  if (A.psd) expect((await eigh(M)).values[0]).toBeGreaterThan(-1e-10 * (1 + size));
  const diagonalEntries = Array.from({ length: Math.min(n, M.columns) }, (_, i) => M.data[i * n + i]!);
  if (A.quadraticForms) {
    const X = randomMatrix(n, 2, 3);
    const forms = product(transposed(X), product(M, X)).data;
    close(await A.quadraticForms(X), [forms[0]!, forms[3]!], 100 * size);
  }
  if (A.diagonal) close(await A.diagonal(), diagonalEntries, size);
  if (A.trace) close([await A.trace()], [diagonalEntries.reduce((x, y) => x + y, 0)], size);
}

test("what is claimed of an operator holds for its matrix", () =>
  fc.assert(fc.asyncProperty(expressions(true), checkStructure), { numRuns: 500 }));

/** What an operator knows; undefined where it says that it does not know it for this damping. */
async function known<T>(work: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof CurvatureError && error.code === "unsupported") return undefined;
    throw error;
  }
}

test("inverse and logdet are those of the damped dense matrix, and claim nothing wrong", async () => {
  let exact = 0;
  await fc.assert(
    fc.asyncProperty(expressions(true), fc.constantFrom(0, 1, 100), async ({ A, M }, factor) => {
      const n = M.rows;
      // Without damping only of a matrix that is far from singular.
      const { values } = A.psd ? await eigh(M) : { values: [0] };
      const definite = values[0]! > 1e-2 * values[values.length - 1]!;
      const damping = factor === 0 && definite ? 0 : (factor || 1) * (1 + 2 * frobenius(M));
      const D = zip(M, multipleOfIdentity(n, damping), (x, y) => x + y);
      const inverse = A.inverse && (await known(() => A.inverse!({ damping })));
      if (inverse) {
        const N = await toDense(inverse);
        expect(relativeDifference(product(D, N).data, multipleOfIdentity(n, 1).data)).toBeLessThan(1e-9);
        await checkStructure({ A: inverse, M: { ...N, data: Float64Array.from(N.data) }, text: "" });
      }
      const logdet = A.logdet && (await known(() => A.logdet!({ damping })));
      if (logdet !== undefined) {
        const reference = (await eigh(D)).values.reduce((total, value) => total + Math.log(value), 0);
        expect(Math.abs(logdet - reference)).toBeLessThan(1e-9 * (n + Math.abs(reference)));
        if (damping === 0) exact++;
      }
    }),
    { numRuns: 300 },
  );
  expect(exact).toBeGreaterThan(5);
});

const solved = { tolerance: 1e-11, matvecs: 5000 };

test("solvers and eigensolvers agree with the dense matrix of any symmetric expression", () =>
  fc.assert(
    fc.asyncProperty(expressions(true), fc.nat(), async ({ A, M }, seed) => {
      fc.pre(A.symmetric && frobenius(M) > 1e-3);
      const n = M.rows;
      const size = frobenius(M);
      const b = randomMatrix(n, 1, seed).data;
      const { values } = await eigh(M);
      const top = await linalg.eigsh(A, { k: 1, seed, tolerance: 1e-10 });
      expect(top.status, top.message).toBe("converged");
      close(top.values, values.slice(n - 1), size);
      const largest = Math.max(...values.map(Math.abs));
      const { norm, upperBound } = await linalg.spectralNorm(A, { seed, tolerance: 1e-9 });
      expect(norm).toBeLessThanOrEqual(largest * (1 + 1e-9) + 1e-12);
      expect(upperBound).toBeGreaterThanOrEqual(largest * (1 - 1e-9));
      // Positive definite by damping, and indefinite but far from singular by a shift between eigenvalues.
      const positive = 0.5 * size - Math.min(values[0]!, 0);
      const definite = zip(M, multipleOfIdentity(n, positive), (x, y) => x + y);
      const truth = matrixFunction(inverseOf(definite))(b);
      for (const method of ["cg", "minres", "minresQlp", "gmres", "bicgstab", "lsmr", "cgls"] as const) {
        const { x, status, message } = await linalg.solve(damped(A, positive), b, { method, ...solved });
        expect(status, `${method}: ${message}`).toBe("converged");
        expect(relativeDifference(x, truth)).toBeLessThan(1e-7);
      }
    }),
    { numRuns: 150 },
  ));

test("least squares and singular values agree with the dense matrix of any expression", () =>
  fc.assert(
    fc.asyncProperty(expressions(false), fc.constantFrom(0.3, 2), fc.nat(), async ({ A, M }, damping, seed) => {
      const size = frobenius(M);
      fc.pre(hasAdjoint(A) && size > 1e-3);
      const b = randomMatrix(M.rows, 1, seed).data;
      const shift = damping * size * size;
      const normal = zip(product(transposed(M), M), multipleOfIdentity(M.columns, shift), (x, y) => x + y);
      const truth = matrixFunction(inverseOf(normal))(matrixFunction(transposed(M))(b));
      for (const method of [linalg.lsmr, linalg.cgls]) {
        const { x, status, message } = await method(A, b, { damping: shift, ...solved });
        expect(status, message).toBe("converged");
        close(x, truth, 1e3 * (1 + frobenius({ rows: x.length, columns: 1, data: truth })));
      }
      const { values, status, message } = await linalg.svds(A, { k: 1, seed, tolerance: 1e-9 });
      expect(status, message).toBe("converged");
      const squares = (await eigh(product(transposed(M), M))).values;
      expect(Math.abs(values[0]! ** 2 - squares[squares.length - 1]!)).toBeLessThan(1e-8 * size * size);
    }),
    { numRuns: 150 },
  ));

test("random expressions cover every rule and many of them are symmetric", () => {
  const draws = stream(0, "coverage");
  const all = Array.from({ length: 500 }, () => build({ rows: 4, columns: 4, depth: 2, draws }));
  const text = all.map((expression) => expression.text).join(" ");
  for (const name of Object.keys(rules)) expect(text).toContain(`${name}(`);
  expect(all.filter(({ A }) => A.symmetric).length).toBeGreaterThan(100);
  expect(all.filter(({ A }) => A.psd).length).toBeGreaterThan(30);
  expect(all.filter(({ A }) => A.inverse).length).toBeGreaterThan(30);
  expect(all.filter(({ A }) => A.quadraticForms).length).toBeGreaterThan(50);
});
