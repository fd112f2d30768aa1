import fc from "fast-check";
import { expect, test } from "vitest";
import {
  add,
  adjoint,
  compose,
  damped,
  dense,
  diagonal,
  eigh,
  functionOperator,
  identity,
  type LinearOperator,
  lowRank,
  scale,
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
type Rule = (place: Place) => Expression;

const seedOf = (draws: Stream) => draws.integer(1e6);
const zip = (X: Matrix, Y: Matrix, f: (x: number, y: number) => number) => ({
  rows: X.rows,
  columns: X.columns,
  data: Float64Array.from(X.data, (x, i) => f(x, Y.data[i]!)),
});
const matrixFunction = (M: Matrix) => (x: ArrayLike<number>) =>
  product(M, { rows: x.length, columns: 1, data: Float64Array.from(x) }).data;
const hasAdjoint = (A: LinearOperator) => A.symmetric || A.adjoint !== undefined;

const anyLeaves: Rule[] = [
  ({ rows, columns, draws }) => {
    const M = randomMatrix(rows, columns, seedOf(draws));
    return { A: dense(M), M, text: "dense" };
  },
  ({ rows, columns, draws }) => {
    const M = randomMatrix(rows, columns, seedOf(draws));
    const A = functionOperator({
      shape: [rows, columns],
      matvec: matrixFunction(M),
      adjoint: matrixFunction(transposed(M)),
    });
    return { A, M, text: "function" };
  },
  ({ rows, columns, draws }) => {
    const M = randomMatrix(rows, columns, seedOf(draws));
    return { A: functionOperator({ shape: [rows, columns], matvec: matrixFunction(M) }), M, text: "oneWayFunction" };
  },
  ({ rows, columns, draws }) => {
    const rank = 1 + draws.integer(3);
    const [U, V, s] = [
      randomMatrix(rows, rank, seedOf(draws)),
      randomMatrix(columns, rank, seedOf(draws)),
      randomMatrix(rank, 1, seedOf(draws)),
    ];
    return {
      A: lowRank(U, s.data, { V }),
      M: product(product(U, diagonalMatrix(s.data)), transposed(V)),
      text: "lowRankUV",
    };
  },
];

const squareLeaves: Rule[] = [
  ({ rows }) => ({ A: identity(rows), M: diagonalMatrix(new Array(rows).fill(1)), text: "identity" }),
  ({ rows, draws }) => {
    const d = randomMatrix(rows, 1, seedOf(draws)).data;
    const entries = draws.sign() > 0 ? d : d.map(Math.abs);
    return { A: diagonal(entries), M: diagonalMatrix(entries), text: "diagonal" };
  },
  ({ rows, draws }) => {
    const M = randomSymmetric(rows, seedOf(draws));
    return { A: dense(M), M, text: "symmetric" };
  },
  ({ rows, draws }) => {
    const M = randomSpd(rows, seedOf(draws));
    return { A: dense(M, { psd: true }), M, text: "spd" };
  },
  ({ rows, draws }) => {
    const rank = 1 + draws.integer(rows + 1);
    const [U, s] = [randomMatrix(rows, rank, seedOf(draws)), randomMatrix(rank, 1, seedOf(draws))];
    const weights = draws.sign() > 0 ? s.data : s.data.map(Math.abs);
    return {
      A: lowRank(U, weights),
      M: product(product(U, diagonalMatrix(weights)), transposed(U)),
      text: "lowRankUU",
    };
  },
];

const anyNodes: Rule[] = [
  (place) => {
    const [a, b] = [build(deeper(place)), build(deeper(place))];
    return { A: add(a.A, b.A), M: zip(a.M, b.M, (x, y) => x + y), text: `add(${a.text}, ${b.text})` };
  },
  (place) => {
    const [a, b] = [build(deeper(place)), build(deeper(place))];
    return { A: subtract(a.A, b.A), M: zip(a.M, b.M, (x, y) => x - y), text: `subtract(${a.text}, ${b.text})` };
  },
  (place) => {
    const a = build(deeper(place));
    const factor = [0, 1.5, 0.25, -2][place.draws.integer(4)]!;
    return { A: scale(a.A, factor), M: zip(a.M, a.M, (x) => factor * x), text: `scale(${a.text}, ${factor})` };
  },
  (place) => {
    const inner = 1 + place.draws.integer(6);
    const [a, b] = [build({ ...deeper(place), columns: inner }), build({ ...deeper(place), rows: inner })];
    return { A: compose(a.A, b.A), M: product(a.M, b.M), text: `compose(${a.text}, ${b.text})` };
  },
  (place) => {
    const a = build({ ...deeper(place), rows: place.columns, columns: place.rows });
    if (!hasAdjoint(a.A)) return build(deeper(place));
    return { A: adjoint(a.A), M: transposed(a.M), text: `adjoint(${a.text})` };
  },
  (place) => {
    const { rows, columns, draws } = place;
    const a = build({ ...deeper(place), rows: rows + draws.integer(3), columns: columns + draws.integer(3) });
    const list = (count: number, bound: number) => Array.from({ length: count }, () => draws.integer(bound));
    const lists = { rows: list(rows, a.M.rows), columns: list(columns, a.M.columns) };
    return {
      A: submatrix(a.A, lists),
      M: entriesAt(a.M, lists),
      text: `submatrix(${a.text}, ${JSON.stringify(lists)})`,
    };
  },
];

const squareNodes: Rule[] = [
  (place) => {
    const a = build(deeper(place));
    const damping = [0, 0.5, -1][place.draws.integer(3)]!;
    const M = zip(a.M, diagonalMatrix(new Array(place.rows).fill(damping)), (x, y) => x + y);
    return { A: damped(a.A, damping), M, text: `damped(${a.text}, ${damping})` };
  },
  (place) => {
    const J = build({ ...deeper(place), rows: 1 + place.draws.integer(6) });
    if (!hasAdjoint(J.A)) return build(deeper(place));
    return { A: compose(adjoint(J.A), J.A, { psd: true }), M: product(transposed(J.M), J.M), text: `gram(${J.text})` };
  },
  (place) => {
    const n = place.rows + place.draws.integer(3);
    const a = build({ ...deeper(place), rows: n, columns: n });
    const list = Array.from({ length: place.rows }, () => place.draws.integer(n));
    const lists = { rows: list, columns: list };
    return { A: submatrix(a.A, list), M: entriesAt(a.M, lists), text: `principal(${a.text}, ${list})` };
  },
];

const deeper = (place: Place): Place => ({ ...place, depth: place.depth - 1 });

function entriesAt(M: Matrix, { rows, columns }: { rows: number[]; columns: number[] }) {
  const data = Float64Array.from(columns.flatMap((j) => rows.map((i) => M.data[j * M.rows + i]!)));
  return { rows: rows.length, columns: columns.length, data };
}

function build(place: Place): Expression {
  const square = place.rows === place.columns;
  const rules =
    place.depth <= 0 ? [...anyLeaves, ...(square ? squareLeaves : [])] : [...anyNodes, ...(square ? squareNodes : [])];
  // Twice as often, the rules that keep a square expression symmetric: otherwise nearly none is.
  const favoured = square ? (place.depth <= 0 ? squareLeaves : [...squareNodes, anyNodes[0]!, anyNodes[2]!]) : [];
  const choice = [...rules, ...favoured, ...favoured];
  return choice[place.draws.integer(choice.length)]!(place);
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

const frobenius = (M: Matrix) => Math.hypot(...M.data);
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
  if (A.diagonal) close(await A.diagonal(), diagonalEntries, size);
  if (A.trace) close([await A.trace()], [diagonalEntries.reduce((x, y) => x + y, 0)], size);
}

test("what is claimed of an operator holds for its matrix", () =>
  fc.assert(fc.asyncProperty(expressions(true), checkStructure), { numRuns: 500 }));

test("inverse and logdet are those of the damped dense matrix, and claim nothing wrong", () =>
  fc.assert(
    fc.asyncProperty(expressions(true), fc.constantFrom(1, 100), async ({ A, M }, factor) => {
      const n = M.rows;
      const damping = factor * (1 + 2 * frobenius(M));
      const D = zip(M, diagonalMatrix(new Array(n).fill(damping)), (x, y) => x + y);
      if (A.inverse) {
        const inverse = A.inverse({ damping });
        const N = await toDense(inverse);
        expect(relativeDifference(product(D, N).data, diagonalMatrix(new Array(n).fill(1)).data)).toBeLessThan(1e-10);
        await checkStructure({ A: inverse, M: { ...N, data: Float64Array.from(N.data) }, text: "" });
      }
      if (A.logdet) {
        const reference = (await eigh(D)).values.reduce((total, value) => total + Math.log(value), 0);
        expect(Math.abs((await A.logdet({ damping })) - reference)).toBeLessThan(1e-10 * (n + Math.abs(reference)));
      }
    }),
    { numRuns: 300 },
  ));

test("random expressions cover every rule and many of them are symmetric", () => {
  const draws = stream(0, "coverage");
  const all = Array.from({ length: 500 }, () => build({ rows: 4, columns: 4, depth: 2, draws }));
  const text = all.map((expression) => expression.text).join(" ");
  for (const name of [
    "add",
    "subtract",
    "scale",
    "compose",
    "adjoint",
    "submatrix",
    "principal",
    "damped",
    "gram",
    "lowRankUU",
  ]) {
    expect(text).toContain(name);
  }
  expect(all.filter(({ A }) => A.symmetric).length).toBeGreaterThan(100);
  expect(all.filter(({ A }) => A.psd).length).toBeGreaterThan(30);
  expect(all.filter(({ A }) => A.inverse).length).toBeGreaterThan(30);
});
