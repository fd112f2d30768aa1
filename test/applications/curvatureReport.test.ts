import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  accuracy,
  bceWithLogits,
  crossEntropy,
  curvatureReport,
  ggn,
  hessian,
  type MatrixName,
  meanSquaredError,
  type Risk,
  version,
} from "../../src/index.ts";
import { eigh, toDense } from "../../src/linalg/index.ts";
import { plainLoss, SIZE, smallRisk, smallTheta } from "./smallRisk.ts";

const norm = (x: ArrayLike<number>) => Math.hypot(...Array.from(x));

/** The Hessian by central differences of the gradient. */
async function differences(risk: Risk): Promise<Float64Array> {
  const step = 1e-5;
  const columns = new Float64Array(SIZE * SIZE);
  const gradientAt = (i: number, shift: number) => {
    const theta = smallTheta();
    theta[i] = theta[i]! + shift;
    return risk.at(theta).gradient();
  };
  for (let i = 0; i < SIZE; i++) {
    const [up, down] = [await gradientAt(i, step), await gradientAt(i, -step)];
    for (let j = 0; j < SIZE; j++) columns[i * SIZE + j] = (up[j]! - down[j]!) / (2 * step);
  }
  return columns;
}

describe("curvatureReport of a small network", () => {
  test("agrees with central differences and with dense matrices", async () => {
    const risk = await smallRisk();
    try {
      const matrices = ["hessian", "ggn", "fisher2", "fisher1"] as const;
      const report = await curvatureReport(risk, { seed: 1, probes: 12, steps: 8, eigenvalues: 2, matrices });
      expect(report.equalMatrices).toBeUndefined();
      const reference = await eigh({ rows: SIZE, columns: SIZE, data: await differences(risk) });
      expect(report.matrices.hessian?.density.exactEigenvalues).toEqual(
        Array.from(reference.values, (value) => expect.closeTo(value, 7)),
      );
      const H = report.matrices.hessian!;
      expect(H.eigenvalues.largest[0]?.value).toBeCloseTo(reference.values[SIZE - 1]!, 6);
      expect(H.eigenvalues.smallest[0]?.value).toBeCloseTo(reference.values[0]!, 6);
      expect(H.layers.map(({ name }) => name)).toEqual(["w1", "b1", "w2", "b2"]);
      expect(report.gradient.norm).toBeCloseTo(norm(await risk.gradient()), 12);
      expect(report.loss.value).toBe(await risk.loss());
      expect(report.model).toMatchObject({ file: "small", parameters: SIZE });
      expect(report.data.rows).toBe(7);
      // For this loss both Fisher matrices are the Gauss-Newton matrix.
      for (const name of ["fisher1", "fisher2"] as const) {
        expect(report.matrices[name]?.trace.exactValue).toBeCloseTo(report.matrices.ggn!.trace.exactValue!, 10);
        expect(report.matrices[name]?.trace.value).toBeCloseTo(report.matrices.ggn!.trace.value, 10);
      }
    } finally {
      await risk.dispose();
    }
  });

  test("computes matrices that are equal for the loss once, with the evidence; a sampled or other one is computed", async () => {
    const cheap = { seed: 1, probes: 4, steps: 3, eigenvalues: 1, dense: false, rounding: false, relative: false };
    const risk = await smallRisk();
    const report = await curvatureReport(risk, cheap);
    expect(Object.keys(report.matrices)).toEqual(["hessian", "ggn", "empiricalFisher"]);
    expect(report.equalMatrices).toEqual(
      ["fisher2", "fisher1"].map((name) => expect.objectContaining({ name, equals: "ggn" })),
    );
    for (const { difference } of report.equalMatrices!) expect(difference).toBeLessThan(1e-12);
    await risk.dispose();
    const weighted = await smallRisk({ loss: crossEntropy({ classWeights: [1, 2, 3], labelSmoothing: 0.2 }) });
    const apart = await curvatureReport(weighted, cheap);
    expect(apart.equalMatrices?.map(({ name, equals }) => [name, equals])).toBeUndefined();
    expect(Object.keys(apart.matrices)).toEqual(["hessian", "ggn", "fisher2", "fisher1", "empiricalFisher"]);
    await weighted.dispose();
  });

  test("a stopped run keeps its finished matrices, and goes on to the same report", async () => {
    const risk = await smallRisk();
    const options = { seed: 3, probes: 4, steps: 3, eigenvalues: 1, dense: false, relative: false };
    try {
      const controller = new AbortController();
      const onProgress = ({ stage }: { readonly stage: string }) => {
        if (stage.startsWith("Empirical")) controller.abort();
      };
      const error = await curvatureReport(risk, { ...options, signal: controller.signal, onProgress }).catch((e) => e);
      expect(error).toMatchObject({ code: "aborted", state: { partial: true } });
      expect(Object.keys(error.state.matrices)).toEqual(["hessian", "ggn"]);
      const state = JSON.parse(JSON.stringify(error.state));
      const resumed = await curvatureReport(risk, { ...options, state });
      expect(resumed.matrices.hessian).toEqual(error.state.matrices.hessian);
      expect(resumed.partial).toBeUndefined();
      const whole = await curvatureReport(risk, options);
      const untimed = ({ matrices }: typeof whole) =>
        Object.values(matrices).map((matrix) => ({ ...matrix, seconds: 0 }));
      expect(untimed(resumed)).toEqual(untimed(whole));
      const other = curvatureReport(risk, { ...options, seed: 4, state });
      await expect(other).rejects.toThrow(
        /expected the state of a run with the same model, data, loss, budget and seed/,
      );
    } finally {
      await risk.dispose();
    }
  });

  test("the distance of Hessian and Gauss-Newton matrix is that of the dense matrices", async () => {
    const risk = await smallRisk();
    try {
      const [H, G] = [await toDense(hessian(risk)), await toDense(ggn(risk))];
      const exact = norm(H.data.map((x, i) => x - G.data[i]!)) / norm(H.data);
      const options = { seed: 1, steps: 4, eigenvalues: 1, matrices: ["hessian", "ggn"] as const };
      const all = await curvatureReport(risk, { ...options, probes: SIZE });
      expect(all.residualShare).toMatchObject({ exact: true, standardError: 0 });
      expect(all.residualShare?.value).toBeCloseTo(exact, 10);
      let covered = 0;
      for (let seed = 0; seed < 12; seed++) {
        const { residualShare } = await curvatureReport(risk, { ...options, seed, probes: 16, dense: false });
        if (Math.abs(residualShare!.value - exact) < 3 * residualShare!.standardError) covered++;
      }
      expect(covered).toBeGreaterThanOrEqual(11);
    } finally {
      await risk.dispose();
    }
  });

  test("the same seed gives the same numbers, another seed others", async () => {
    const risk = await smallRisk();
    try {
      const values = async (seed: number) => {
        const { matrices } = await curvatureReport(risk, {
          seed,
          probes: 6,
          steps: 4,
          matrices: ["empiricalFisher"],
          dense: false,
        });
        return [matrices.empiricalFisher?.trace.value, matrices.empiricalFisher?.density.density];
      };
      expect(await values(5)).toEqual(await values(5));
      expect(await values(5)).not.toEqual(await values(6));
    } finally {
      await risk.dispose();
    }
  });

  test("tells how far it has come, up to the whole, and stops at the signal", async () => {
    const risk = await smallRisk();
    try {
      const told: { readonly done: number; readonly total?: number }[] = [];
      await curvatureReport(risk, { seed: 0, probes: 4, steps: 3, onProgress: (progress) => told.push(progress) });
      const measured = told.filter(({ total }) => total !== undefined);
      expect(measured.every(({ done }, i) => i === 0 || done >= measured[i - 1]!.done)).toBe(true);
      expect(measured.at(-1)?.done).toBe(measured.at(-1)?.total);
      const controller = new AbortController();
      const stopped = curvatureReport(risk, {
        seed: 0,
        signal: controller.signal,
        onProgress: ({ done }) => done > 150 && controller.abort(),
      });
      await expect(stopped).rejects.toMatchObject({ code: "aborted" });
    } finally {
      await risk.dispose();
    }
  });

  test("refuses what it cannot do in one sentence", async () => {
    const risk = await smallRisk({ loss: plainLoss() });
    try {
      const made = await curvatureReport(risk, { seed: 0, probes: 4, steps: 3 });
      expect(Object.keys(made.matrices)).toEqual(["hessian", "ggn", "empiricalFisher"]);
      expect(made.accuracy).toBeUndefined();
      const refused = (options: object) => expect(curvatureReport(risk, { seed: 0, ...options })).rejects;
      const former = await curvatureReport(risk, { seed: 0, probes: 4, steps: 3, matrices: ["ef" as MatrixName] });
      expect(Object.keys(former.matrices)).toEqual(["empiricalFisher"]);
      await refused({ matrices: ["fisher2"] }).toThrow(
        /fisher2 needs a loss with a likelihood, and plain has none; ask for hessian, ggn, empiricalFisher,/,
      );
      await refused({ matrices: ["fim" as MatrixName] }).toThrow(/expected matrices among hessian, ggn.*got "fim"/);
      await refused({ probes: 1 }).toThrow(/probes to be a whole number of at least 2, got 1/);
      await refused({ steps: 0 }).toThrow(/steps to be a whole number of at least 1, got 0/);
      await refused({ seed: Number.NaN }).toThrow(/seed to be a number, got NaN/);
    } finally {
      await risk.dispose();
    }
  });
});

describe("accuracy", () => {
  test("counts the rows whose largest output is the label, ignored ones left out", async () => {
    const first = await smallRisk();
    const outputs = await first.model.run({ x: (await batchOf(first)).inputs.x! });
    const logits = Array.from(outputs.output!.data as Float64Array);
    const best = Array.from({ length: 4 }, (_, row) => {
      const own = logits.slice(3 * row, 3 * row + 3);
      return own.indexOf(Math.max(...own));
    });
    await first.dispose();
    // The first four rows: right, wrong, ignored, right; the others ignored.
    const labels = [best[0]!, (best[1]! + 1) % 3, -100, best[3]!, -100, -100, -100];
    const risk = await smallRisk({ labels, loss: crossEntropy() });
    expect(await accuracy(risk)).toBeCloseTo(2 / 3, 15);
    await risk.dispose();
  });

  test("counts the outputs of binary losses whose sign is that of their target", async () => {
    const first = await smallRisk();
    const logits = Array.from({ length: 21 }, () => 0);
    let filled = 0;
    for await (const { inputs } of first.data.batches()) {
      const { output } = await first.model.run({ x: inputs.x! });
      for (const logit of output!.data as Float64Array) logits[filled++] = logit;
    }
    await first.dispose();
    const wrong = new Set([0, 5, 20]);
    const right = logits.map((logit, i) => Number(logit > 0 !== wrong.has(i)));
    const ofTargets = async (data: readonly number[]) => {
      const targets = { data: Float64Array.from(data), dims: [7, 3] };
      const risk = await smallRisk({ loss: bceWithLogits(), targets });
      const share = await accuracy(risk);
      await risk.dispose();
      return share;
    };
    expect(await ofTargets(right)).toBeCloseTo(18 / 21, 15);
    // Probabilities have no right sign.
    expect(await ofTargets(right.map((target, i) => (i === 13 ? 0.4 : target)))).toBeUndefined();
  });

  test("is undefined where targets are not classes", async () => {
    const risk = await smallRisk({ loss: plainLoss() });
    expect(await accuracy(risk)).toBeUndefined();
    await risk.dispose();
    expect(meanSquaredError().labels).toBeUndefined();
  });
});

async function batchOf({ data }: Awaited<ReturnType<typeof smallRisk>>) {
  for await (const batch of data.batches()) return batch;
  throw new Error("no batch");
}

test("the version is that of the package", () => {
  const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  expect(version).toBe(manifest.version);
});
