import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cholesky, choleskySolve, eigh, toDense } from "../../src/linalg/index.ts";
import { type Stream, stream } from "../../src/random/index.ts";
import {
  type Block,
  type BlockKind,
  type DampingKind,
  denseBlock,
  diagonalBlock,
  diagonalKronecker,
  eigenKronecker,
  indicesOf,
  kronecker,
  lowRankPlusDiagonalBlock,
  type Place,
  type PlacedBlock,
  structuredOperator,
} from "../../src/structured/index.ts";
import type { Precision } from "../../src/tensors/index.ts";
import { difference, expectClose } from "../operators/closeness.ts";
import {
  type DenseTruth,
  eye,
  identityPlus,
  kron,
  normals,
  orthogonal,
  positive,
  psdMatrix,
  square,
  times,
  transposed,
} from "./denseTruth.ts";

/** A block and the same matrix, made by explicit loops. */
interface Sample {
  readonly block: Block;
  readonly truth: DenseTruth;
}

/** A block of each kind for matrices [m, n], whose factors have the given rank at most. */
const samples: { readonly [kind in BlockKind]: (r: Stream, m: number, n: number, rank?: number) => Sample } = {
  kronecker(r, m, n, rank) {
    const [A, B] = [psdMatrix(r, m, rank), psdMatrix(r, n, rank)];
    return { block: kronecker({ A, B }), truth: kron(A, B) };
  },
  eigenKronecker(r, m, n, rank) {
    const [QA, QB] = [orthogonal(r, m), orthogonal(r, n)];
    const E = Float64Array.from({ length: m * n }, (_, k) => (rank !== undefined && k >= rank ? 0 : r.normal() ** 2));
    const Q = kron(QA, QB);
    return { block: eigenKronecker({ QA, QB, E }), truth: times(times(Q, diagonalMatrix(E)), transposed(Q)) };
  },
  diagonalKronecker(r, m, n, rank) {
    const A = positive(r, m).map((x, i) => (rank !== undefined && i >= rank ? 0 : x));
    const B = psdMatrix(r, n, rank);
    return { block: diagonalKronecker({ A, B }), truth: kron(diagonalMatrix(A), B) };
  },
  dense(r, m, n, rank) {
    const M = psdMatrix(r, m * n, rank);
    return { block: denseBlock(M), truth: M };
  },
  diagonal(r, m, n, rank) {
    const entries = positive(r, m * n).map((x, i) => (rank !== undefined && i >= rank ? 0 : x));
    return { block: diagonalBlock(entries), truth: diagonalMatrix(entries) };
  },
  lowRankPlusDiagonal(r, m, n, rank) {
    const [size, columns] = [m * n, Math.min(3, m * n)];
    const vectors = { rows: size, columns, data: normals(r, size * columns) };
    const values = positive(r, columns);
    const own = rank === undefined ? positive(r, size) : new Float64Array(size);
    const data = times(times(vectors, diagonalMatrix(values)), transposed(vectors)).data;
    for (let i = 0; i < size; i++) data[i * size + i] += own[i];
    return { block: lowRankPlusDiagonalBlock({ vectors, values, diagonal: own }), truth: square(size, data) };
  },
};
const kinds = Object.keys(samples) as BlockKind[];
const spectralKinds = kinds.filter((kind) => kind !== "lowRankPlusDiagonal");
const sizes = [
  [3, 4],
  [1, 5],
  [6, 1],
  [1, 1],
  [5, 5],
] as const;

function diagonalMatrix(x: Float64Array): DenseTruth {
  return identityPlus(square(x.length), x);
}

function placed(block: Block, place: Place = { offset: 0 }, name = "w"): PlacedBlock {
  return { block, name, parameters: [0], place, reason: "a test" };
}

function alone(block: Block, dtype: Precision = "float64") {
  return structuredOperator({ size: block.size, blocks: [placed(block)], dtype });
}

/** f(M) by the eigenvectors of the dense matrix. */
async function functionOf(M: DenseTruth, f: (x: number) => number): Promise<DenseTruth> {
  const { values, vectors } = await eigh(M);
  return times(times(vectors, diagonalMatrix(values.map(f))), transposed(vectors));
}

async function solved(M: DenseTruth, x: Float64Array): Promise<Float64Array> {
  return (await choleskySolve(await cholesky(M), { rows: x.length, columns: 1, data: x })).data as Float64Array;
}

function diagonalEntries({ rows, data }: DenseTruth): Float64Array {
  return Float64Array.from({ length: rows }, (_, i) => data[i * rows + i]);
}

const traceOf = (M: DenseTruth) => diagonalEntries(M).reduce((a, b) => a + b, 0);
const norm = (M: DenseTruth) => Math.sqrt(M.data.reduce((a, x) => a + x * x, 0));

async function logDeterminant(M: DenseTruth): Promise<number> {
  return 2 * diagonalEntries((await cholesky(M)) as DenseTruth).reduce((sum, x) => sum + Math.log(x), 0);
}

function close(actual: number, expected: number, limit = 1e-10): void {
  expect(Math.abs(actual - expected) / Math.max(1, Math.abs(expected))).toBeLessThan(limit);
}

describe.each(kinds)("%s", (kind) => {
  test.each(sizes)("of matrices %i x %i: product, inverse, root, diagonal, determinant and norms", async (m, n) => {
    const { block, truth } = samples[kind](stream(1, `${kind} ${m} ${n}`), m, n);
    await using K = alone(block);
    const size = m * n;
    const d = 0.3;
    const damped = identityPlus(truth, d);
    const x = normals(stream(2, "x"), size);
    expect(block.kind).toBe(kind);
    expectClose((await toDense(K)).data, truth.data, 1e-12);
    expectClose((await toDense(K.withDamping(d))).data, damped.data, 1e-12);
    expectClose(await K.inverse({ damping: d }).matvec(x), await solved(damped, x), 1e-10);
    const inverse = await functionOf(damped, (y) => 1 / y);
    expectClose((await toDense(K.inverse({ damping: d }))).data, inverse.data, 1e-10);
    expectClose(await K.diagonal(), diagonalEntries(truth), 1e-12);
    expectClose(await K.inverse({ damping: d }).diagonal(), diagonalEntries(inverse), 1e-10);
    const S = K.inverseRoot({ damping: d });
    const [root, adjoint] = [(await toDense(S)) as DenseTruth, (await toDense(S.adjoint!())) as DenseTruth];
    expectClose(adjoint.data, transposed(root).data, 1e-12);
    expectClose(times(root, transposed(root)).data, inverse.data, 1e-10);
    expect(S.symmetric).toBe(kind !== "lowRankPlusDiagonal");
    if (S.symmetric) expectClose(root.data, adjoint.data, 1e-12);
    close(await K.trace(), traceOf(truth));
    close(await K.inverse({ damping: d }).trace(), traceOf(inverse));
    close(await K.withDamping(d).trace(), traceOf(damped));
    close(await K.logdet({ damping: d }), await logDeterminant(damped));
    close(await K.withDamping(d).inverse().logdet(), -(await logDeterminant(damped)));
    close(await K.frobeniusNorm(), norm(truth));
    close(await K.inverse({ damping: d }).frobeniusNorm(), norm(inverse));
    close(await K.effectiveDimension({ damping: d }), traceOf(times(truth, inverse)));
    expect(K.psd && K.inverse({ damping: d }).psd).toBe(true);
  });

  test("float32 runs the same products in single precision", async () => {
    const { block, truth } = samples[kind](stream(3, kind), 4, 3);
    await using K = alone(block, "float32");
    const x = normals(stream(2, "x"), 12);
    const y = await K.matvec(x);
    expect(y).toBeInstanceOf(Float32Array);
    expectClose(y, times(truth, { rows: 12, columns: 1, data: x }).data, 1e-5);
    expectClose(await K.inverse({ damping: 1 }).matvec(x), await solved(identityPlus(truth, 1), x), 1e-5);
    expect(await K.diagonal()).toBeInstanceOf(Float32Array);
    expect(await K.matvec(Float32Array.from(x))).toEqual(y);
  });

  test("several columns at once, read before the call returns", async () => {
    const { block, truth } = samples[kind](stream(4, kind), 3, 2);
    await using K = alone(block);
    const X = { rows: 6, columns: 3, data: normals(stream(2, "x"), 18) };
    const expected = times(truth, X);
    const promise = K.matmat(X);
    X.data.fill(Number.NaN);
    expectClose((await promise).data, expected.data, 1e-12);
    const x = expected.data.slice(0, 6);
    const product = K.matvec(x);
    x.fill(Number.NaN);
    expectClose(await product, times(truth, { rows: 6, columns: 1, data: expected.data.slice(0, 6) }).data, 1e-12);
  });

  test("a singular block has functions with damping, and says that it has none without", async () => {
    const { block, truth } = samples[kind](stream(5, kind), 3, 4, 2);
    await using K = alone(block);
    const d = 1e-3;
    const x = normals(stream(2, "x"), 12);
    expectClose(await K.inverse({ damping: d }).matvec(x), await solved(identityPlus(truth, d), x), 1e-7);
    const said =
      kind === "lowRankPlusDiagonal"
        ? /^w: the lowRankPlusDiagonal block has no inverse in closed form where its diagonal is 0 \(entry 0\); give a positive damping$/
        : new RegExp(
            `^w: the ${kind} block is singular, so it has no inverse without damping; give a positive damping$`,
          );
    await expect(K.inverse().matvec(x)).rejects.toMatchObject({
      code: "argument",
      message: expect.stringMatching(said),
    });
    await expect(K.inverseRoot().matvec(x)).rejects.toThrow(said);
    await expect(K.inverse().diagonal()).rejects.toThrow(said);
    await expect(K.logdet()).rejects.toThrow(/^w: the .* give a positive damping$/);
  });
});

describe.each(spectralKinds)("%s by its eigenvalues", (kind) => {
  test("any power, eigenvalues and condition", async () => {
    const { block, truth } = samples[kind](stream(6, kind), 3, 4);
    await using K = alone(block);
    const d = 0.1;
    for (const q of [2, 0.5, -0.5, -2, 0, 1 / 3]) {
      const expected = await functionOf(truth, (x) => (x + d) ** q);
      expectClose((await toDense(K.power(q, { damping: d }))).data, expected.data, 1e-9);
      close(await K.power(q, { damping: d }).trace(), traceOf(expected), 1e-9);
    }
    const half = K.power(0.5, { damping: d }).power(2);
    expectClose((await toDense(half)).data, identityPlus(truth, d).data, 1e-10);
    const { values } = await eigh(truth);
    expectClose((await K.eigenvalues()).sort(), values, 1e-10);
    const damped = values.map((x) => x + d);
    close(await K.withDamping(d).conditionNumber(), damped[11] / damped[0], 1e-8);
    const singular = alone(samples[kind](stream(7, kind), 3, 4, 1).block);
    expect(await singular.conditionNumber()).toBe(Number.POSITIVE_INFINITY);
    await singular.dispose();
  });

  test("a zero block: d I with damping", async () => {
    const { block } = samples[kind](stream(7, kind), 3, 2, 0);
    await using K = alone(block);
    expect(await K.matvec(Float64Array.of(1, 2, 3, 4, 5, 6))).toEqual(new Float64Array(6));
    expectClose((await toDense(K.inverse({ damping: 0.5 }))).data, identityPlus(square(6), 2).data, 1e-12);
    for (const damping of ["exact", "heuristic"] as const) {
      close(await K.logdet({ damping: 0.5, kind: damping }), 6 * Math.log(0.5), 1e-12);
    }
    expect(await K.effectiveDimension({ damping: 0 })).toBe(0);
    expect(await block.clipped()).toBe(0);
  });
});

describe("repeated eigenvalues", () => {
  test("functions do not depend on the basis of an eigenspace", async () => {
    const Q = orthogonal(stream(1, "repeated"), 4);
    const A = times(times(Q, diagonalMatrix(Float64Array.of(2, 2, 2, 0))), transposed(Q));
    const B = identityPlus(square(3), 1);
    await using K = alone(kronecker({ A, B }));
    const expected = await functionOf(identityPlus(kron(A, B), 0.1), (x) => x ** -0.5);
    expectClose((await toDense(K.inverseRoot({ damping: 0.1 }))).data, expected.data, 1e-10);
  });
});

describe("damping", () => {
  const r = stream(1, "dampings");
  const [A, B] = [psdMatrix(r, 3), psdMatrix(r, 5)];

  test.each(["heuristic", "factors"] satisfies DampingKind[])("%s enters the factors", async (kind) => {
    const d = 0.4;
    const root = Math.sqrt(traceOf(A) / 3 / (traceOf(B) / 5));
    const [a, b] = kind === "factors" ? [d, d] : [Math.sqrt(d) * root, Math.sqrt(d) / root];
    const expected = kron(identityPlus(A, a), identityPlus(B, b));
    await using K = alone(kronecker({ A, B }));
    expectClose((await toDense(K.withDamping(d, { kind }))).data, expected.data, 1e-11);
    const x = normals(r, 15);
    expectClose(await K.inverse({ damping: d, kind }).matvec(x), await solved(expected, x), 1e-10);
    close(await K.logdet({ damping: d, kind }), await logDeterminant(expected));
    await using D = alone(diagonalKronecker({ A: diagonalEntries(A), B }));
    expectClose(
      (await toDense(D.withDamping(d, { kind }))).data,
      kron(identityPlus(diagonalMatrix(diagonalEntries(A)), a), identityPlus(B, b)).data,
      1e-11,
    );
    await using other = alone(denseBlock(A));
    expectClose((await toDense(other.withDamping(d, { kind }))).data, identityPlus(A, d).data, 1e-12);
  });

  test("one for each block, as an array or a function; exact ones add up and never act on the matrix they came from", async () => {
    const blocks = [
      placed(denseBlock(A), { offset: 0 }, "first"),
      placed(diagonalBlock(Float64Array.of(1, 2)), { offset: 3 }, "second"),
    ];
    await using K = structuredOperator({ size: 5, blocks, dtype: "float64" });
    const expected = [...diagonalEntries(A).map((x) => x + 0.5), 1.25, 2.25];
    expectClose(await K.withDamping([0.5, 0.25]).diagonal(), expected, 1e-12);
    expectClose(await K.withDamping(({ name }) => (name === "first" ? 0.5 : 0.25)).diagonal(), expected, 1e-12);
    const twice = K.withDamping(0.25).withDamping([0.25, 0]);
    expectClose(await twice.diagonal(), expected, 1e-12);
    expectClose(await twice.diagonal(), expected, 1e-12);
    expectClose(await K.diagonal(), [...diagonalEntries(A), 1, 2], 1e-12);
  });

  test("refuses dampings that are none, and sums that have no closed form", async () => {
    await using K = alone(kronecker({ A, B }));
    expect(() => K.withDamping(-1)).toThrow(
      "withDamping: damping must be a finite number that is not negative, got -1 for w",
    );
    expect(() => K.inverse({ damping: Number.NaN })).toThrow(
      "inverse: damping must be a finite number that is not negative, got NaN for w",
    );
    expect(() => K.inverse({ damping: [1, 2] })).toThrow(
      "inverse: damping must be one number or one for each of the 1 blocks, got 2",
    );
    expect(() => K.inverse({ damping: 1, kind: "pi" as never })).toThrow(
      'inverse: kind must be "exact", "heuristic" or "factors", got "pi"',
    );
    expect(() => K.inverse({ dampng: 1 } as never)).toThrow(
      "inverse got the unknown option `dampng`; did you mean `damping`?",
    );
    expect(() => K.power(Number.NaN)).toThrow("power: q must be a finite number, got NaN");
    expect(() => K.inverse().withDamping(1)).toThrow(
      "a structured matrix to the power -1 has no damped form; damp it before the power is taken, as in K.power(q, { damping })",
    );
    expect(() => K.withDamping(1, { kind: "factors" }).withDamping(1)).toThrow(
      'a damping of kind "exact" cannot be added to one of kind "factors"; only exact ones add up, give one damping',
    );
  });
});

describe("low rank plus diagonal", () => {
  const r = stream(1, "low rank");

  test("a negative value is taken where the damped sum is positive definite", async () => {
    const v = orthogonal(r, 4).data.slice(0, 8);
    const vectors = { rows: 4, columns: 2, data: v };
    const values = Float64Array.of(2, -0.5);
    const block = lowRankPlusDiagonalBlock({ vectors, values, diagonal: new Float64Array(4) });
    const truth = square(4, times(times(vectors, diagonalMatrix(values)), transposed(vectors)).data);
    await using K = alone(block);
    expect(K.psd).toBe(false);
    expectClose((await toDense(K)).data, truth.data, 1e-12);
    const x = normals(r, 4);
    expectClose(await K.inverse({ damping: 0.6 }).matvec(x), await solved(identityPlus(truth, 0.6), x), 1e-10);
    await expect(K.inverse({ damping: 0.4 }).matvec(x)).rejects.toThrow(
      /^w: the lowRankPlusDiagonal block is not positive definite with damping 0.4 \(least relative eigenvalue -0.25\d*\); give a larger damping$/,
    );
    expectClose((await K.eigenvalues()).sort(), [-0.5, 0, 0, 2], 1e-12);
    const uneven = lowRankPlusDiagonalBlock({ vectors, values, diagonal: Float64Array.of(0, 1, 0, 0) });
    await using other = alone(uneven);
    await expect(other.eigenvalues()).rejects.toMatchObject({
      code: "unsupported",
      message: expect.stringContaining("use eigsh, or logdet and trace"),
    });
    await expect(K.power(0.5).matvec(x)).rejects.toThrow(
      "w: a low-rank matrix plus a diagonal has the powers 1 and -1 in closed form, not 0.5",
    );
  });

  test("a tiny damping, dependent vectors and rank 0", async () => {
    const column = normals(r, 3);
    const vectors = { rows: 3, columns: 2, data: Float64Array.of(...column, ...column) };
    await using K = alone(
      lowRankPlusDiagonalBlock({ vectors, values: Float64Array.of(1, 2), diagonal: new Float64Array(3) }),
    );
    const squared = column.reduce((sum, x) => sum + x * x, 0);
    const y = await K.inverse({ damping: 1e-10 }).matvec(column);
    // The vector is an eigenvector; the rest of the product is rounding of entries of 1e10.
    expect(
      difference(
        y,
        column.map((x) => x / (3 * squared + 1e-10)),
      ),
    ).toBeLessThan(1e-4);
    close(await K.logdet({ damping: 1e-10 }), 2 * Math.log(1e-10) + Math.log(3 * squared), 1e-9);
    const none = { rows: 3, columns: 0, data: new Float64Array() };
    await using D = alone(
      lowRankPlusDiagonalBlock({ vectors: none, values: new Float64Array(), diagonal: Float64Array.of(1, 2, 4) }),
    );
    expect(await D.inverse().matvec(Float64Array.of(1, 1, 1))).toEqual(Float64Array.of(1, 0.5, 0.25));
    expectClose(await D.inverseRoot().matvec(Float64Array.of(1, 1, 1)), [1, Math.SQRT1_2, 0.5], 1e-12);
  });
});

describe("places", () => {
  test("any list of blocks of any kinds at permuted entries is the dense matrix with these entries", async () => {
    const list = fc.array(
      fc.record({
        kind: fc.constantFrom(...kinds),
        m: fc.integer({ min: 1, max: 4 }),
        n: fc.integer({ min: 1, max: 4 }),
        how: fc.constantFrom("range", "transposed", "indices"),
      }),
      { minLength: 1, maxLength: 4 },
    );
    await fc.assert(
      fc.asyncProperty(list, fc.integer({ min: 0, max: 1000 }), async (parts, seed) => {
        const r = stream(seed, "places");
        const size = parts.reduce((sum, { m, n }) => sum + m * n, 0);
        const [blocks, truths]: [PlacedBlock[], DenseTruth[]] = [[], []];
        let offset = 0;
        // Ranges first; the others share what is left, shuffled.
        const ordered = [...parts].sort((a, b) => Number(a.how === "indices") - Number(b.how === "indices"));
        const inRanges = ordered.reduce((sum, { m, n, how }) => sum + (how === "indices" ? 0 : m * n), 0);
        const rest = shuffled(
          r,
          Array.from({ length: size - inRanges }, (_, k) => inRanges + k),
        );
        for (const { kind, m, n, how } of ordered) {
          const { block, truth } = samples[kind](r, m, n);
          const place: Place =
            how === "indices"
              ? { indices: Int32Array.from(rest.splice(0, m * n)) }
              : { offset, ...(how === "transposed" && { transposed: [m, n] as const }) };
          if (how !== "indices") offset += m * n;
          blocks.push(placed(block, place, `${kind} ${blocks.length}`));
          truths.push(truth);
        }
        const expected = square(size);
        blocks.forEach(({ place, block }, k) => {
          const at = flatIndices(place, block.size);
          expect([...indicesOf(blocks[k])]).toEqual(at);
          for (let j = 0; j < at.length; j++) {
            for (let i = 0; i < at.length; i++) {
              expected.data[at[j] * size + at[i]] = truths[k].data[j * block.size + i];
            }
          }
        });
        const K = structuredOperator({ size, blocks, dtype: "float64" });
        try {
          expectClose((await toDense(K)).data, expected.data, 1e-11);
          const x = normals(r, size);
          expectClose(await K.inverse({ damping: 0.5 }).matvec(x), await solved(identityPlus(expected, 0.5), x), 1e-9);
          expectClose(await K.diagonal(), diagonalEntries(expected), 1e-11);
        } finally {
          await K.dispose();
        }
      }),
      { numRuns: 25, seed: 1 },
    );
  });

  /** The entry (row, column) of a block stored transposed lies at column * rows + row. */
  function flatIndices(place: Place, size: number): readonly number[] {
    if ("indices" in place) return [...place.indices];
    const { offset, transposed: dims } = place;
    if (dims === undefined) return Array.from({ length: size }, (_, k) => offset + k);
    const at: number[] = [];
    for (let row = 0; row < dims[0]; row++)
      for (let column = 0; column < dims[1]; column++) at.push(offset + column * dims[0] + row);
    return at;
  }

  function shuffled(r: Stream, items: number[]): number[] {
    return items
      .map((item) => ({ item, key: r.normal() }))
      .sort((a, b) => a.key - b.key)
      .map(({ item }) => item);
  }

  test("weight and bias joined are one Kronecker block over two ranges", async () => {
    const r = stream(1, "joint");
    const [A, B] = [psdMatrix(r, 3), psdMatrix(r, 2)];
    // The flat vector holds the bias [2] first, then the weight [2, 2]; the bias is the last row of V [3, 2].
    const indices = Int32Array.of(2, 3, 4, 5, 0, 1);
    await using K = structuredOperator({
      size: 6,
      blocks: [placed(kronecker({ A, B }), { indices })],
      dtype: "float64",
    });
    const joint = kron(A, B);
    const M = await toDense(K);
    const own = Float64Array.from({ length: 36 }, (_, k) => M.data[indices[Math.floor(k / 6)] * 6 + indices[k % 6]]);
    expectClose(own, joint.data, 1e-12);
  });

  test("refuses blocks that overlap, leave entries out, lie outside or do not fit their place", () => {
    const two = diagonalBlock(Float64Array.of(1, 2));
    const make =
      (places: readonly Place[], size = 4) =>
      () =>
        structuredOperator({ size, blocks: places.map((place, k) => placed(two, place, `b${k}`)) });
    expect(make([{ offset: 0 }, { offset: 1 }])).toThrow("blocks b0 and b1 both have entry 1");
    expect(make([{ offset: 0 }])).toThrow("no block has entry 2; give it a diagonal block, of zeros if need be");
    expect(make([{ offset: 0 }, { offset: 3 }])).toThrow("block b1 has entry 4, outside of a vector of 4");
    expect(make([{ offset: 0.5 }])).toThrow("block b0 has the offset 0.5; give an integer");
    expect(make([{ indices: Int32Array.of(1) }])).toThrow("block b0 has 2 entries and a place for 1");
    expect(make([{ offset: 0, transposed: [2, 2] }])).toThrow("block b0 has 2 entries and a transposed place [2, 2]");
    expect(make([], 0)).toThrow("structuredOperator: size must be a positive integer, got 0");
    expect(() => structuredOperator({ size: 2, blocks: [placed(two)], dtype: "f16" as never })).toThrow(
      'structuredOperator: dtype must be "float32" or "float64", got f16',
    );
    expect(() => structuredOperator({ size: 2, block: [] } as never)).toThrow(
      "structuredOperator got the unknown option `block`; did you mean `blocks`?",
    );
  });
});

describe("entries of blocks", () => {
  const I = eye(2);

  test("refuses entries that are not finite, factors that are not square or symmetric, and parts that do not fit", () => {
    expect(() => diagonalBlock(Float64Array.of(1, Number.NaN))).toThrow(
      "diagonalBlock: entries must be finite, got NaN at 1",
    );
    expect(() => denseBlock({ rows: 2, columns: 1, data: Float64Array.of(1, 2) })).toThrow(
      "denseBlock: a factor must be square, got 2 x 1 with 2 entries",
    );
    expect(() => kronecker({ A: I, B: { rows: 2, columns: 2, data: Float64Array.of(1, 0.5, 0, 1) } })).toThrow(
      "kronecker: a factor must be symmetric, but its entries 0, 1 and 1, 0 differ by 0.500",
    );
    expect(() => eigenKronecker({ QA: I, QB: I, E: new Float64Array(3) })).toThrow(
      "eigenKronecker: bases must be square and E [m, n], got 2 x 2, 2 x 2 and 3 eigenvalues",
    );
    expect(() =>
      eigenKronecker({ QB: { rows: 2, columns: 2, data: Float64Array.of(1, 1, 0, 1) }, E: new Float64Array(4) }),
    ).toThrow(
      /^eigenKronecker: a basis must be an orthogonal matrix, got one for which Q Q' x differs from x by [\d.]+; take the eigenvectors of a factor$/,
    );
    expect(() =>
      lowRankPlusDiagonalBlock({ vectors: I, values: Float64Array.of(1), diagonal: new Float64Array(2) }),
    ).toThrow(
      "lowRankPlusDiagonal: vectors must be [size, rank] for a diagonal [size] and values [rank], got 2 x 2, 2 and 1",
    );
    expect(() =>
      lowRankPlusDiagonalBlock({ vectors: I, values: Float64Array.of(1, 1), diagonal: Float64Array.of(0, -1) }),
    ).toThrow("lowRankPlusDiagonal: the diagonal must not be negative, got -1 at 1");
  });

  test("takes negative eigenvalues of the size of rounding errors as 0, says how large, and refuses others", async () => {
    const slight = diagonalBlock(Float64Array.of(1, -1e-6));
    expect(await slight.clipped()).toBe(-1e-6);
    await using K = alone(slight);
    expect(await K.matvec(Float64Array.of(1, 1))).toEqual(Float64Array.of(1, 0));
    const factor = times(
      times(orthogonal(stream(1, "clip"), 2), diagonalMatrix(Float64Array.of(2, -1e-6))),
      transposed(orthogonal(stream(1, "clip"), 2)),
    );
    const block = kronecker({ A: I, B: square(2, symmetric(factor.data)) });
    expect(await block.clipped()).toBeCloseTo(-5e-7, 12);
    const eigenvalues = (await block.eigenvalues({ damping: { value: 0, kind: "exact" }, power: 1 })).sort();
    expect([...eigenvalues.subarray(0, 2)]).toEqual([0, 0]);
    expectClose(eigenvalues, [0, 0, 2, 2], 1e-12);
    const said =
      "block must be positive semidefinite, got an eigenvalue -1.00 beside a largest of 1.00; take a positive semidefinite matrix, such as ggn or fisher";
    expect(() => diagonalBlock(Float64Array.of(1, -1))).toThrow(`the diagonal ${said}`);
    expect(() => eigenKronecker({ QB: I, E: Float64Array.of(1, -1) })).toThrow(`the eigenKronecker ${said}`);
    expect(() => diagonalKronecker({ A: Float64Array.of(1, -1), B: I })).toThrow(`the diagonalKronecker ${said}`);
    await using bad = alone(denseBlock(diagonalMatrix(Float64Array.of(1, -1))));
    await expect(bad.inverse({ damping: 2 }).matvec(Float64Array.of(1, 1))).rejects.toThrow(`w: the dense ${said}`);
  });

  function symmetric(data: Float64Array): Float64Array {
    return Float64Array.of(data[0], data[1], data[1], data[3]);
  }

  test("a block does not see later changes of the arrays it was made of", async () => {
    const A = psdMatrix(stream(1, "copies"), 2);
    const block = kronecker({ A, B: I });
    await using K = alone(block);
    const before = await K.diagonal();
    A.data.fill(7);
    expect(await K.diagonal()).toEqual(before);
  });
});

describe("products", () => {
  test("the product itself takes no eigendecomposition, and dampings and powers share one", async () => {
    const r = stream(1, "counting");
    const { block } = samples.kronecker(r, 3, 4);
    // The spectrum's vectors are one array for all functions: those of another decomposition would be another.
    const plain = await block.product({ damping: { value: 0, kind: "exact" }, power: 1 });
    expect(Object.keys(plain.arrays)).toEqual(["A", "B"]);
    const [one, other] = await Promise.all([
      block.product({ damping: { value: 1, kind: "exact" }, power: -1 }),
      block.product({ damping: { value: 2, kind: "heuristic" }, power: 0.5 }),
    ]);
    expect(one.form).toBe(other.form);
    expect(one.arrays.left.data).toBe(other.arrays.left.data);
    expect(one.arrays.right.data).toBe(other.arrays.right.data);
    expect(one.arrays.scale.data).not.toEqual(other.arrays.scale.data);
  });

  test("an indefinite matrix has its own product, which no eigendecomposition refuses", async () => {
    const M = diagonalMatrix(Float64Array.of(1, -1));
    await using K = alone(denseBlock(M));
    expect(await K.matvec(Float64Array.of(1, 2))).toEqual(Float64Array.of(1, -2));
    expect(await K.frobeniusNorm()).toBeCloseTo(Math.SQRT2, 12);
    expect(await K.trace()).toBe(0);
  });

  test("refuses vectors of another length, stops at a signal, and says that it was disposed of", async () => {
    const K = alone(diagonalBlock(Float64Array.of(1, 2)));
    await expect(K.matvec(new Float64Array(3))).rejects.toMatchObject({
      code: "shape",
      message:
        "matvec of a structured matrix [2, 2] expects a Float32Array or Float64Array of 2 entries, got 3 entries in a Float64Array",
    });
    await expect(K.matmat({ rows: 3, columns: 1, data: new Float64Array(3) })).rejects.toThrow(
      "matmat of a structured matrix [2, 2] expects a matrix of 2 rows",
    );
    const signal = AbortSignal.abort();
    await expect(K.matvec(new Float64Array(2), { signal })).rejects.toMatchObject({
      code: "aborted",
      message: "matvec was aborted after 0 of 1 products",
    });
    const inverse = K.inverse();
    expect(await inverse.matvec(Float64Array.of(1, 1))).toEqual(Float64Array.of(1, 0.5));
    await K.dispose();
    await K.dispose();
    for (const used of [K, inverse]) {
      await expect(used.matvec(new Float64Array(2))).rejects.toThrow(
        "this structured matrix has been disposed of; make or load it again",
      );
    }
  });
});
