import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cholesky, choleskySolve, eigh } from "../../src/linalg/index.ts";
import { empiricalFisher, ggn, jacobian, type Risk } from "../../src/operators/index.ts";
import type { Matrix, Vector } from "../../src/tensors/index.ts";
import { sampled } from "../sampled.ts";
import { expectClose } from "./closeness.ts";
import {
  expectDiagonal,
  expectEigenvalues,
  expectNear,
  expectVector,
  type Fixture,
  LIMIT,
  type LossName,
  norm,
  readFixture,
  type StoredMatrix,
} from "./fixture.ts";
import {
  diagonalOf,
  type Factored,
  fromFactor,
  innerProducts,
  type JacobianRows,
  jacobianRows,
  squareRoot,
  toFactor,
} from "./jacobianRows.ts";
import { coinTerms, labelTerms, squaredTerms, type TermReference } from "./termReferences.ts";

// The 640 rows of the Jacobian of 64 images make G = U U' and the empirical Fisher matrix small: spectra from U' U, damped quantities by
// Woodbury's identity.

const ROWS = 64;
const CLASSES = 10;
const models: Readonly<Record<string, readonly LossName[]>> = {
  mnist_mlp_op13: ["cross_entropy", "mse", "bce_with_logits"],
  mnist_cnn_bn_op13: ["cross_entropy"],
  mnist_vit_op17: ["cross_entropy"],
};

function referenceOf(loss: LossName, classes: Int32Array): TermReference {
  if (loss === "cross_entropy") return labelTerms({ data: classes, dims: [ROWS] });
  const oneHot = Float64Array.from({ length: ROWS * CLASSES }, (_, i) =>
    classes[Math.floor(i / CLASSES)] === i % CLASSES ? 1 : 0,
  );
  const targets = { data: oneHot, dims: [ROWS, CLASSES] };
  return loss === "mse" ? squaredTerms(targets) : coinTerms(targets, new Array(CLASSES).fill(1));
}

describe.each(sampled(Object.entries(models), 1))("%s", (name, losses) => {
  let fixture: Fixture;
  let rows: JacobianRows;
  let outputs: Float64Array;
  beforeAll(async () => {
    fixture = await readFixture(name);
    const risk = await fixture.open({ caseName: "test64", loss: "cross_entropy", batchSize: 1 });
    try {
      rows = await jacobianRows(risk);
      outputs = await termOutputs(risk);
    } finally {
      await risk.dispose();
    }
  });

  test("the Jacobian of all rows at once is made of these rows", async () => {
    const risk = await fixture.open({ caseName: "test64", loss: "cross_entropy" });
    try {
      const identity = { jacobian: rows, blocks: blocksOf(() => [...units]) };
      expectClose(await jacobian(risk).matvec(fixture.v), toFactor(identity, fixture.v), 1e-12);
    } finally {
      await risk.dispose();
    }
  });

  describe.each(sampled(losses, 1))("%s", (loss) => {
    let risk: Risk;
    beforeAll(async () => {
      risk = await fixture.open({ caseName: "test64", loss });
    });
    afterAll(() => risk.dispose());

    const terms = () => {
      const reference = referenceOf(loss, fixture.classes);
      return Array.from({ length: ROWS }, (_, n) =>
        reference(Array.from(outputs.subarray(n * CLASSES, (n + 1) * CLASSES)), n),
      );
    };

    test("ggn", async () => {
      const scale = Math.sqrt(risk.scale);
      const roots = await Promise.all(terms().map(({ hessian }) => squareRoot(hessian)));
      const factored = { jacobian: rows, blocks: roots.map((S) => ({ ...S, data: S.data.map((x) => scale * x) })) };
      const expected = fixture.stored("test64", loss).ggn;
      expectClose(await ggn(risk).matvec(fixture.w), fromFactor(factored, toFactor(factored, fixture.w)), 1e-11);
      const small = innerProducts(factored);
      await expectMatrix(factored, { small, expected });
      await expectDamped(factored, { small, expected: expected.damped!, gradient: await risk.gradient() });
    });

    test("empirical Fisher", async () => {
      const scale = Math.sqrt(risk.scale);
      const blocks = terms().map(({ gradient }) => ({
        rows: CLASSES,
        columns: 1,
        data: Float64Array.from(gradient, (x) => scale * x),
      }));
      const factored = { jacobian: rows, blocks };
      expectClose(
        await empiricalFisher(risk).matvec(fixture.w),
        fromFactor(factored, toFactor(factored, fixture.w)),
        1e-11,
      );
      const expected = fixture.stored("test64", loss).empirical_fisher;
      await expectMatrix(factored, { small: innerProducts(factored), expected });
    });
  });

  async function expectMatrix(
    factored: Factored,
    { small, expected }: { readonly small: Matrix; readonly expected: StoredMatrix },
  ): Promise<void> {
    const frobenius = norm(small.data);
    expectNear(frobenius, expected.frobenius!, frobenius * LIMIT);
    const { values } = await eigh(small);
    const scale = values[values.length - 1];
    expectEigenvalues([...values].reverse(), { stored: expected.eigenvalues_top20!, scale });
    expectNear(
      values.reduce((sum, x) => sum + x, 0),
      expected.trace,
      frobenius * LIMIT,
    );
    expectDiagonal(diagonalOf(factored), expected.diagonal);
    // The matrix has far more columns than the factor, so that its smallest eigenvalues are 0.
    for (const x of expected.eigenvalues_bottom10 ?? []) expectNear(x, 0, scale * LIMIT);
  }

  async function expectDamped(
    factored: Factored,
    facts: {
      readonly small: Matrix;
      readonly expected: NonNullable<StoredMatrix["damped"]>;
      readonly gradient: Vector;
    },
  ): Promise<void> {
    const { small, expected, gradient } = facts;
    const { damping } = expected;
    const n = small.rows;
    const inner = { ...small, data: small.data.map((x, i) => (i % (n + 1) === 0 ? x + damping : x)) };
    const L = await cholesky(inner);
    let logdet = (gradient.length - n) * Math.log(damping);
    for (let i = 0; i < n; i++) logdet += 2 * Math.log(L.data[i * (n + 1)]);
    expectNear(logdet, expected.logdet, Math.abs(expected.logdet) * LIMIT);
    const y = await choleskySolve(L, { rows: n, columns: 1, data: toFactor(factored, gradient) });
    const inside = fromFactor(factored, y.data);
    const solution = inside.map((x, i) => (gradient[i] - x) / damping);
    expectVector(solution, expected.solution_for_mean_gradient, fixture);
  }
});

const units = Float64Array.from({ length: CLASSES ** 2 }, (_, i) => (i % (CLASSES + 1) === 0 ? 1 : 0));

function blocksOf(make: (row: number) => readonly number[]): Matrix[] {
  return Array.from({ length: ROWS }, (_, n) => ({
    rows: CLASSES,
    columns: CLASSES,
    data: Float64Array.from(make(n)),
  }));
}

/** The outputs of all terms, row-major. */
async function termOutputs(risk: Risk): Promise<Float64Array> {
  const result = new Float64Array(ROWS * CLASSES);
  await risk.engine.run(
    { build: ({ f }) => ({ outputs: { f } }) },
    { collect: ({ f }, { start }) => result.set(f.data as Float64Array, start * CLASSES) },
  );
  expect(result.some((x) => x !== 0)).toBe(true);
  return result;
}
