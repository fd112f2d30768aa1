import fc from "fast-check";
import type * as linalg from "../../src/linalg/index.ts";
import {
  add,
  adjoint,
  cgInverse,
  compose,
  damped,
  dense,
  diagonal,
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
} from "../../src/linalg/index.ts";
import { type Stream, stream } from "../../src/random/index.ts";
import type { Matrix } from "../../src/tensors/index.ts";
import { diagonalMatrix, product, randomMatrix, randomSpd, randomSymmetric, transposed } from "./randomMatrices.ts";

// Random expressions of operators against the same expressions of dense matrices, evaluated by plain loops.

export interface Expression {
  readonly A: LinearOperator;
  readonly M: Matrix & { data: Float64Array };
  readonly text: string;
}
export interface Place {
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

export const frobenius = (M: Matrix) => Math.hypot(...M.data);
const seedOf = (draws: Stream) => draws.integer(1e6);
export const zip = (X: Matrix, Y: Matrix, f: (x: number, y: number) => number) => ({
  rows: X.rows,
  columns: X.columns,
  data: Float64Array.from(X.data, (x, i) => f(x, Y.data[i]!)),
});
export const matrixFunction = (M: Matrix) => (x: ArrayLike<number>) =>
  product(M, { rows: x.length, columns: 1, data: Float64Array.from(x) }).data;
export const hasAdjoint = (A: LinearOperator) => A.symmetric || A.adjoint !== undefined;
export const multipleOfIdentity = (n: number, factor: number) => diagonalMatrix(new Array(n).fill(factor));
const random = ({ rows, columns, draws }: Pick<Place, "rows" | "columns" | "draws">) =>
  randomMatrix(rows, columns, seedOf(draws));

/** Inverse of a positive definite matrix, by elimination without pivots. */
export function inverseOf(M: Matrix): Matrix & { data: Float64Array } {
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

export const rules: Readonly<Record<Algebra, readonly Row[]>> = {
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

export function build(place: Place): Expression {
  const square = place.rows === place.columns;
  const allowed = table.filter((row) => place.depth <= 0 === (row.leaf ?? false) && (square || !row.square));
  const favoured = square ? allowed.filter((row) => row.favoured) : [];
  const choice = [...allowed, ...favoured, ...favoured];
  const { name, rule } = choice[place.draws.integer(choice.length)]!;
  const made = rule(place);
  return made ? { A: made.A, M: made.M, text: `${name}(${(made.of ?? []).join(", ")})` } : build(deeper(place));
}

export const expressions = (square: boolean) =>
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
