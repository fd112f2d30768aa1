import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  type Communicator,
  gatherBasis,
  rankStore,
  selfCommunicator,
  splitBasis,
} from "../../src/distributed/index.ts";
import { dense } from "../../src/linalg/algebra/index.ts";
import type { LinearOperator } from "../../src/linalg/index.ts";
import {
  arnoldi,
  type BasisRows,
  type EigshState,
  eigsh,
  eigshSteps,
  lanczos,
  lanczosSteps,
  matrixFunction,
  spectralDensity,
  stateStore,
} from "../../src/linalg/index.ts";
import { empiricalRisk } from "../../src/operators/index.ts";
import { stream } from "../../src/random/index.ts";
import type { Vector } from "../../src/tensors/index.ts";
import { dataOf, riskCases } from "../operators/riskCases.ts";
import { onSimulatedRanks } from "./simulatedRanks.ts";

const N = 41;

/** A symmetric matrix with entries of a fixed seed, and some repeated eigenvalues. */
function symmetric(): LinearOperator {
  const random = stream(3, "matrix");
  const data = new Float64Array(N * N);
  for (let i = 0; i < N; i++) {
    for (let j = 0; j <= i; j++) data[i * N + j] = data[j * N + i] = random.uniform() - 0.5 + (i === j ? i / 4 : 0);
  }
  return dense({ rows: N, columns: N, data }, { symmetric: true });
}

const A = symmetric();
const b = Float64Array.from({ length: N }, (_, i) => Math.sin(i + 1));

function farthest(found: Vector, expected: Vector): number {
  expect(found).toHaveLength(expected.length);
  return Math.max(0, ...Array.from(found, (x, i) => Math.abs(x - expected[i]!)));
}

/** What every method makes of an operator, as plain numbers. */
async function quantities(B: LinearOperator): Promise<{ readonly [name: string]: Vector }> {
  const pairs = await eigsh(B, { k: 3, which: "both", seed: 1, basisSize: 12, tolerance: 1e-11, matvecs: 600 });
  expect(pairs.status).toBe("converged");
  const T = await lanczos(B, { steps: 10, seed: 2 });
  const beyond = { f: (x: number) => 1 / (x + 9), matvecs: 200, basisSize: 6, tolerance: 1e-12 };
  const density = await spectralDensity(B, { steps: 9, probes: 3, seed: 4, reorthogonalize: true });
  return {
    values: pairs.values,
    residuals: pairs.residualNorms,
    shape: Float64Array.of(pairs.vectors.rows, pairs.vectors.columns),
    tridiagonal: Float64Array.of(...T.alpha, ...T.beta, T.residualNorm),
    exponential: (await matrixFunction(B, b, { f: Math.exp, matvecs: N, tolerance: 1e-13 })).x.map((x) => x / 1e4),
    inverse: (await matrixFunction(B, b, beyond)).x,
    density: Float64Array.from(density.density),
    hessenberg: (await arnoldi(B, { steps: 4, seed: 5 })).hessenberg.data,
  };
}

describe("a basis that is split over ranks", () => {
  test.each([2, 3, 44])(
    "gives the numbers of one process on %i ranks, with equal bits on all of them",
    async (size) => {
      const expected = await quantities(A);
      const all = await onSimulatedRanks(size, (communicator) => quantities(splitBasis(A, communicator)));
      for (const found of all) expect(found).toEqual(all[0]);
      const far = Object.entries(all[0]!).map(([name, x]) => [name, farthest(x, expected[name]!)] as const);
      expect(far.filter(([, error]) => !(error <= 1e-10))).toEqual([]);
      expect(far.find(([name]) => name === "tridiagonal")![1]).toBeLessThan(1e-12);
    },
  );

  test("is held in parts that together are the basis of one process", async () => {
    const whole = (await lanczos(A, { steps: 8, start: b })).basis;
    const all = await onSimulatedRanks(3, async (communicator) => {
      const { basis } = await lanczos(splitBasis(A, communicator), { steps: 8, start: b });
      const gathered = (await gatherBasis(basis, communicator))!;
      const first = await gatherBasis(basis, communicator, { onto: 0 });
      expect(first).toEqual(communicator.rank === 0 ? gathered : undefined);
      expect(await gatherBasis(gathered, communicator)).toBe(gathered);
      return { own: basis as BasisRows, gathered };
    });
    expect(all.map(({ own: { firstRow, rows, allRows, data } }) => [firstRow, rows, allRows, data.length])).toEqual([
      [0, 14, N, 14 * 8],
      [14, 14, N, 14 * 8],
      [28, 13, N, 13 * 8],
    ]);
    for (const { gathered } of all) expect(farthest(gathered.data, whole.data)).toBeLessThan(1e-12);
  });

  test("keeps nothing of the length of all rows but vectors", async () => {
    const [columns] = await onSimulatedRanks(4, async (communicator) => {
      const steps = eigshSteps(splitBasis(A, communicator), { k: 2, seed: 1, basisSize: 10 });
      const lengths = [];
      for await (const { basis } of steps) lengths.push(basis.data.buffer.byteLength / 8 / 11);
      return lengths;
    });
    expect(new Set(columns)).toEqual(new Set([11]));
  });

  test("is saved whole, and goes on with the same bits, on other ranks or on one", async () => {
    const folder = mkdtempSync(join(tmpdir(), "split-"));
    const options = { k: 2, seed: 1, basisSize: 10, tolerance: 1e-10 } as const;
    const runTo = async (communicator: Communicator, state?: EigshState) => {
      const steps = eigshSteps(splitBasis(A, communicator), { ...options, ...(state && { state }) });
      const store = rankStore(stateStore(join(folder, "x")), communicator);
      for (let step = 0; ; step++) {
        const next = await steps.next();
        if (next.done) return { values: next.value.values, matvecs: next.value.matvecs };
        if (step === 14 && state === undefined) await store.save({ runs: [next.value] });
      }
    };
    const load = async (communicator: Communicator) =>
      ((await rankStore(stateStore(join(folder, "x")), communicator).load()) as { runs: [EigshState] }).runs[0];
    const undisturbed = await onSimulatedRanks(3, (communicator) => runTo(communicator));
    const resumed = await onSimulatedRanks(3, async (communicator) => runTo(communicator, await load(communicator)));
    expect(resumed).toEqual(undisturbed);
    const saved = await load(selfCommunicator());
    expect([saved.basis.rows, Object.keys(saved.basis)]).toEqual([N, ["rows", "columns", "data"]]);
    const alone = await runTo(selfCommunicator(), saved);
    expect(farthest(alone.values, undisturbed[0]!.values)).toBeLessThan(1e-9);
    rmSync(folder, { recursive: true });
  });

  test("is refused as a state of other rows", async () => {
    const [state] = await onSimulatedRanks(2, async (communicator) => {
      const steps = lanczosSteps(splitBasis(A, communicator), { steps: 4, start: b });
      return (await steps.next()).value as never;
    });
    await expect(lanczos(A, { steps: 4, start: b, state: state! })).rejects.toThrow(
      "expected a state with a whole basis, got one with rows 0 to 20 of 41; save states by rankStore, which makes them whole",
    );
    await onSimulatedRanks(3, async (communicator) => {
      const again = lanczos(splitBasis(A, communicator), { steps: 4, start: b, state: state! });
      await expect(again).rejects.toThrow(
        /^expected a state with rows \d+ to \d+ of its basis, got one with rows 0 to 20/,
      );
    });
  });

  test("fails on all ranks where the arithmetic of one fails", async () => {
    const failing = await onSimulatedRanks(2, async (communicator) => {
      const split = splitBasis(A, communicator).arithmetic!;
      const broken = {
        ...A,
        arithmetic: {
          ...split,
          project: async () => {
            throw new Error("out of memory");
          },
        },
      };
      const B = splitBasis(communicator.rank === 1 ? broken : A, communicator);
      return lanczos(B, { steps: 3, start: b }).then(
        () => "nothing",
        (error: Error) => error.message,
      );
    });
    expect(failing).toEqual(["rank 1 of 2: out of memory", "rank 1 of 2: out of memory"]);
  });

  test("is refused with an ordered reduction, whose bits do not depend on the ranks", async () => {
    const riskCase = riskCases["cross-entropy"]!;
    const options = { model: riskCase.model, loss: riskCase.loss, data: dataOf(riskCase, 4) };
    await expect(empiricalRisk({ ...options, reduction: "ordered", splitBasis: true })).rejects.toThrow(
      /splitBasis: true splits sums by the number of ranks, on which the bits of the reduction "ordered" do not depend; leave one/,
    );
  });

  test("is that of the operator for a single rank, and takes operators, matrices and communicators only", async () => {
    expect(splitBasis(A, selfCommunicator())).toBe(A);
    expect(() => splitBasis({} as never, selfCommunicator())).toThrow("splitBasis expects a linear operator");
    expect(() => splitBasis(A, {} as never)).toThrow("splitBasis expects a communicator, got an object without rank");
    await expect(gatherBasis({} as never, selfCommunicator())).rejects.toThrow("gatherBasis expects a matrix");
    await expect(gatherBasis({ rows: 0, columns: 0, data: b }, {} as never)).rejects.toThrow(
      "gatherBasis expects a communicator, got an object without rank",
    );
  });
});
