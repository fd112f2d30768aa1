import { describe, expect, test } from "vitest";
import type { CurvatureReport, MatrixName, Quantity, ReportedMatrix } from "../../src/applications/index.ts";
import { deviationInErrors, type Finding } from "../../src/report/finding.ts";
import {
  certainty,
  dataFinding,
  effectiveRank,
  equalitySentence,
  findings,
  fisherComparison,
  gaussNewtonGap,
  sharpness,
  stationarity,
} from "../../src/report/findings.ts";
import { flatness } from "../../src/report/flatness.ts";
import { layerSensitivity } from "../../src/report/layerSensitivity.ts";
import { minimum } from "../../src/report/minimum.ts";
import { sampleReport } from "./sampleReport.ts";

const base = sampleReport({ exact: false });

function quantity(value: number, standardError: number): Quantity {
  return { value, standardError, matvecs: 10 };
}

/** The sample report with some members of one matrix replaced; other matrices only where they are named. */
function changed(
  name: MatrixName,
  change: Partial<ReportedMatrix>,
  others: readonly MatrixName[] = [],
): CurvatureReport {
  const matrices = Object.fromEntries(others.map((other) => [other, base.matrices[other]]));
  return { ...base, matrices: { ...matrices, [name]: { ...(base.matrices[name] as ReportedMatrix), ...change } } };
}

function withEnds(
  largest: readonly (readonly [number, number])[],
  smallest: readonly (readonly [number, number])[],
  change: Partial<ReportedMatrix> = {},
): CurvatureReport {
  const pairs = (values: readonly (readonly [number, number])[]) =>
    values.map(([value, residualNorm]) => ({ value, residualNorm }));
  const eigenvalues = {
    matvecs: 9,
    status: "converged",
    message: "",
    largest: pairs(largest),
    smallest: pairs(smallest),
  };
  return changed("hessian", { eigenvalues, ...change });
}

function words(found: Finding | undefined): string {
  return found ? [found.answer, ...found.details].join(" ").replaceAll("\u00a0", " ") : "";
}

describe("sharpness", () => {
  test("gives the curvature, the step that adds the loss and the largest stable learning rate", () => {
    const text = words(
      sharpness({ ...withEnds([[0.5, 1e-6]], []), loss: { name: "mse", reduction: "mean", value: 1 } }),
    );
    expect(text).toContain("curvature 0.500000.");
    expect(text).toContain("step of length 2.00 adds as much as the whole loss (1.00)"); // 1/2 * 0.5 * 2^2 = 1
    expect(text).toContain("2/λ = 4.00");
    expect(text).toContain("|g| times the length");
  });

  test("does not speak of the slope at a zero gradient, nor of the whole loss where it is not positive", () => {
    const report = withEnds([[0.5, 1e-6]], []);
    expect(words(sharpness({ ...report, gradient: { norm: 0 } }))).not.toContain("|g|");
    const text = words(sharpness({ ...report, loss: { name: "nll", reduction: "mean", value: -2 } }));
    expect(text).toContain("step of length 0.1 adds 0.00250");
  });

  test("an eigenvalue with a large residual is called rough", () => {
    const found = sharpness(withEnds([[0.5, 0.2]], []));
    expect(found?.tone).toBe("caution");
    expect(words(found)).toContain("known only roughly: 0.50, within 0.20");
  });

  test("a largest eigenvalue that is not positive", () => {
    expect(words(sharpness(withEnds([[-0.1, 1e-9]], [[-3, 1e-9]])))).toContain("No direction of positive curvature");
  });

  test("without a largest eigenvalue there is still the trace", () => {
    expect(words(sharpness(withEnds([], [])))).toMatch(/^The trace of the Hessian/);
  });

  test("a trace within three standard errors of zero is not told from it", () => {
    expect(words(sharpness(withEnds([[1, 0]], [], { trace: quantity(1, 0.34) })))).toContain("not told from zero");
    expect(words(sharpness(withEnds([[1, 0]], [], { trace: quantity(1, 0.32) })))).not.toContain("not told from zero");
  });

  test("the share of the trace is named only for matrices without negative eigenvalues", () => {
    expect(words(sharpness(changed("ggn", {})))).toContain("5 largest hold");
    expect(words(sharpness(changed("hessian", {})))).not.toContain("hold");
  });

  test("says what kind of curvature it is", () => {
    expect(words(sharpness(changed("ggn", {})))).toContain("in the linearized network");
    expect(words(sharpness(changed("fisher2", {})))).toContain("how much the predictions move");
    const empirical = words(sharpness(changed("empiricalFisher", {})));
    expect(empirical).toContain("gradients of single terms, not the curvature of the loss");
    expect(empirical).not.toContain("learning rate");
  });

  test("a summed loss is pointed out", () => {
    const loss = { name: "mse", reduction: "sum", value: 3 } as const;
    expect(words(sharpness({ ...base, loss }))).toContain("sum over its terms");
    expect(words(sharpness(base))).not.toContain("sum over its terms");
  });
});

describe("minimum", () => {
  test.each([
    ["clearly negative and strong", [-0.2, 1e-4], "Not a minimum"],
    ["clearly negative and weak", [-0.002, 1e-4], "Strictly not a minimum"],
    ["negative within two residuals", [-0.002, 0.0015], "It cannot be told"],
    ["positive within two residuals", [0.002, 0.0015], "It cannot be told"],
    ["negative within float32 rounding", [-5e-5, 1e-8], "No negative curvature beyond rounding"],
    ["zero", [0, 0], "No negative curvature beyond rounding"],
    ["clearly positive", [0.002, 1e-6], "every eigenvalue found is positive"],
  ] as const)("%s", (_, smallest, expected) => {
    expect(words(minimum(withEnds([[1, 0]], [smallest])))).toContain(expected);
  });

  test("rounding is smaller in float64", () => {
    const report = { ...withEnds([[1, 0]], [[-5e-5, 1e-8]]), dtype: "float64" } as const;
    expect(words(minimum(report))).toContain("Strictly not a minimum");
  });

  test("an iterative search is not a proof, dense eigenvalues are", () => {
    const iterative = withEnds([[1, 0]], [[0.5, 1e-6]]);
    expect(words(minimum(iterative))).toContain("cannot exclude");
    const density = { ...(base.matrices.hessian as ReportedMatrix).density, exactEigenvalues: [0.5, 0.7, 1] };
    const dense = words(minimum(withEnds([[1, 0]], [[0.5, 1e-6]], { density })));
    expect(dense).toContain("Every direction curves upwards.");
    expect(dense).not.toContain("cannot exclude");
  });

  test("dense eigenvalues are counted and overrule a search that missed them", () => {
    const density = { ...(base.matrices.hessian as ReportedMatrix).density, exactEigenvalues: [-0.3, -0.2, -1e-6, 1] };
    const text = words(minimum(withEnds([[1, 0]], [[0.1, 1e-6]], { density })));
    expect(text).toContain("2 of 1,210 eigenvalues are negative beyond rounding");
    expect(text).toContain("read off the dense Hessian");
  });

  test("only the ends of the dense spectrum may be known", () => {
    const { eigenvalues } = base.matrices.hessian as ReportedMatrix;
    const exact = { largest: [1, 0.5], smallest: [0.2, 0.1] };
    expect(words(minimum(changed("hessian", { eigenvalues: { ...eigenvalues, exact } })))).toContain("Every direction");
  });

  test("says how many residuals a negative eigenvalue is away, and what the density thinks", () => {
    const density = { ...(base.matrices.hessian as ReportedMatrix).density, negativeMass: 0.25 };
    const text = words(minimum(withEnds([[1, 0]], [[-0.2, 0.01]], { density })));
    expect(text).toContain("more than 20 times its residual");
    expect(text).toContain("should take the Gauss-Newton matrix");
    expect(text).toContain("20 % of the largest in size");
    expect(text).toContain("about 25 % of all eigenvalues");
    const none = words(minimum(withEnds([], [[-0.2, 0]], { density: { ...density, negativeMass: 0 } })));
    expect(none).toContain("with a residual of 0");
    expect(none).not.toContain("density");
  });

  test("a zero Hessian, no smallest eigenvalue, no Hessian", () => {
    expect(words(minimum(withEnds([[0, 0]], [[0, 0]])))).toContain("flat in every direction");
    expect(words(minimum(withEnds([[1, 0]], [])))).toContain("No smallest eigenvalue is known");
    expect(words(minimum(changed("ggn", {})))).toContain("cannot tell whether it is a minimum");
    expect(words(minimum(changed("ggn", {})))).toContain("Add hessian to the matrices");
  });
});

describe("stationarity", () => {
  test("a step of the safe size gains |g|² / 2λ", () => {
    const report = { ...withEnds([[2, 0]], []), gradient: { norm: 0.2 }, loss: { ...base.loss, value: 0.5 } };
    const found = stationarity(report);
    expect(words(found)).toContain("lowers the loss by 0.010 or more (2.0 % of the loss)"); // 0.04 / 4 of 0.5
    expect(found.tone).toBe("caution");
    expect(words(found)).toContain("check that data, their scaling and the loss are those of training");
  });

  test("a small gain is no warning; a loss that is not positive has no share", () => {
    const small = { ...withEnds([[2, 0]], []), gradient: { norm: 0.01 }, loss: { ...base.loss, value: 0.5 } };
    expect(stationarity(small).tone).toBe("plain");
    expect(words(stationarity({ ...small, loss: { ...base.loss, value: 0 } }))).not.toContain("of the loss)");
  });

  test("nothing about steps without a well known positive curvature", () => {
    expect(stationarity(changed("ggn", {})).details).toEqual([]);
    expect(stationarity(withEnds([[0.5, 0.2]], [])).details).toEqual([]);
    expect(words(stationarity({ ...base, gradient: { norm: 0 } }))).toBe("The gradient is zero: a stationary point.");
  });
});

describe("distance of Hessian and Gauss-Newton matrix", () => {
  test.each([
    [0.05, 0.01, "is close to the Hessian"],
    [0.09, 0.01, "differs noticeably"],
    [0.3, 0.02, "differs noticeably"],
    [0.7, 0.05, "is far from the Hessian"],
    [0.7, 0.05, "Take the Hessian's numbers for this loss"],
    [0.7, 0.2, "is not well known"],
    [0.7, 0.2, "More random vectors (probes, or --probes on the command line)"],
  ])("%d ± %d", (value, standardError, expected) => {
    expect(words(gaussNewtonGap({ ...base, residualShare: quantity(value, standardError) }))).toContain(expected);
  });

  test("traces differ only beyond three combined standard errors", () => {
    const { residualShare: _, ...report } = base;
    const pair = (h: number, g: number) => ({
      ...report,
      matrices: {
        hessian: { ...(base.matrices.hessian as ReportedMatrix), trace: quantity(h, 0.3) },
        ggn: { ...(base.matrices.ggn as ReportedMatrix), trace: quantity(g, 0.4) },
      },
    });
    expect(words(gaussNewtonGap(pair(5, 4)))).toContain("agree within their errors");
    expect(words(gaussNewtonGap(pair(6, 4)))).toContain("larger than");
    expect(words(gaussNewtonGap(pair(4, 6)))).toContain("smaller than");
  });

  test("needs both matrices", () => expect(gaussNewtonGap(changed("ggn", {}))).toBeUndefined());
});

describe("Fisher matrices", () => {
  const against = (value: number, standardError: number) =>
    fisherComparison(changed("empiricalFisher", { trace: quantity(value, standardError) }, ["fisher2"]));
  const trace = base.matrices.fisher2?.trace.value as number;

  test.each([
    [0.1, 0.01, "poor stand-in"],
    [3, 0.1, "poor stand-in"],
    [3, 0.1, "give it the Fisher matrix"],
    [1, 0.01, "about the size"],
    [0.6, 0.05, "may differ in size"],
    [1, 0.3, "may differ in size"],
  ])("empirical Fisher of %d times the trace, ± %d", (ratio, error, expected) => {
    expect(words(against(ratio * trace, error * trace))).toContain(expected);
  });

  test("without an empirical Fisher only agreement is stated, with one matrix nothing", () => {
    const { empiricalFisher: _, ...matrices } = base.matrices;
    expect(words(fisherComparison({ ...base, matrices }))).toMatch(/^The traces of .* agree within their errors\./);
    expect(fisherComparison(changed("fisher1", {}))).toBeUndefined();
    expect(words(fisherComparison(changed("empiricalFisher", {}, ["ggn"])))).toContain(
      "stand-in for the Gauss-Newton matrix",
    );
  });
});

test("files of earlier versions, with the name ef and without words, are read", () => {
  const { words: _, place: __, ...old } = base.matrices.empiricalFisher!;
  const { words: ___, place: ____, ...ggn } = base.matrices.ggn!;
  const report = { ...base, matrices: { ggn, ef: old } } as unknown as CurvatureReport;
  const texts = findings(report)
    .flatMap(({ answer, details }) => [answer, ...details])
    .join("\n");
  expect(texts).toContain("The empirical Fisher is a poor stand-in for the Gauss-Newton matrix here.");
  expect(texts).toContain('the matrix "Gauss-Newton"');
});

describe("effective number of directions", () => {
  test("k equal eigenvalues give k", () => {
    const report = changed("ggn", { trace: quantity(12 * 0.3, 0), frobenius: quantity(Math.sqrt(12) * 0.3, 0) });
    expect(words(effectiveRank(report))).toContain("The Gauss-Newton matrix is spread over about 12 of 1,210");
  });

  test("nothing is said of indefinite, zero or badly known matrices", () => {
    expect(effectiveRank(changed("hessian", {}))).toBeUndefined();
    expect(effectiveRank(changed("ggn", { trace: quantity(0, 0), frobenius: quantity(0, 0) }))).toBeUndefined();
    expect(effectiveRank(changed("ggn", { trace: quantity(4, 1) }))).toBeUndefined();
  });
});

describe("layers", () => {
  const layer = (name: string, trace: number, standardError: number, parameters = 10) => ({
    name,
    parameters,
    trace,
    standardError,
    tensors: [],
  });
  const of = (...layers: ReturnType<typeof layer>[]) => words(layerSensitivity(changed("hessian", { layers })));

  test("without measured rounding: the highest mean curvature, by trace over weights, not by trace", () => {
    const text = of(layer("big", 50, 0.1, 1000), layer("small", 10, 0.1, 10));
    expect(text).toContain("Layer small has the highest mean curvature per weight");
    expect(text).not.toMatch(/prun|sensitive/);
  });

  test("layers that are not told apart are not ranked", () => {
    expect(of(layer("a", 10, 1), layer("b", 9, 1))).toContain("are not told apart");
    const text = of(layer("a", 10, 1), layer("b", 9, 1), layer("c", 1, 0.1));
    expect(text).toContain("Layer a is among those of highest mean curvature");
    expect(text).toContain("not told apart from 1 other.");
    expect(text).toContain("The lowest is that of layer c");
  });

  test("one layer, layers without curvature, no layers", () => {
    expect(of(layer("only", 10, 1))).toContain("All weights belong to one layer, only");
    expect(of(layer("a", 0, 0), layer("b", 0, 0))).toBe("No layer has curvature.");
    expect(of()).toBe("");
  });

  test("rounding is explained for curvatures of the loss only", () => {
    expect(of(layer("a", 10, 0.1), layer("b", 1, 0.1))).toContain("Δ² / 24");
    expect(words(layerSensitivity(changed("ggn", {})))).toContain("in the linearized network");
    expect(words(layerSensitivity(changed("empiricalFisher", {})))).not.toContain("Δ");
  });
});

describe("rounding", () => {
  const change = (bits: number, measured: number) => ({ bits, step: 1, predicted: 1, standardError: 0.1, measured });
  const rounded = (name: string, weights: number, [at8, at4, at3]: readonly [number, number, number]) => ({
    name,
    weights,
    changes: [change(8, at8), change(4, at4), change(3, at3)],
  });
  const reportOf = (...layers: ReturnType<typeof rounded>[]): CurvatureReport => ({
    ...base,
    rounding: {
      scheme: "symmetric",
      loss: 0.5,
      layers,
      omitted: 0,
      rankCorrelations: [8, 4, 3].map((bits) => ({ bits, layers: layers.length, value: bits === 3 ? 0.25 : 1 })),
    },
  });
  const of = (...layers: ReturnType<typeof rounded>[]) => words(layerSensitivity(reportOf(...layers)));

  test("names the layer of largest measured increase, not that of highest mean curvature", () => {
    const text = of(rounded("first", 100, [1e-5, 0.02, 0.07]), rounded("last", 50, [2e-5, 0.001, 0.002]));
    expect(text).toContain("rounding layer first hurts most: +0.020 at 4 bits, +0.070 at 3, on a loss of 0.500");
    expect(text).toContain("At 8 bits no layer adds more than +2.0 × 10⁻⁵");
    // 50 weights of 28 bits are 175 bytes for 0.001; 100 are 350 for 0.02.
    expect(text).toContain("Cheapest per byte at 4 bits: layer last, which saves 175 bytes for +0.0010");
    expect(text).toContain("rank correlation 1.0 at 4 bits, 0.25 at 3 bits with the measured one, over 2 layers");
    expect(text).toContain("Where it is low, trust the measured numbers");
    expect(text).not.toContain("prun");
  });

  test("tells layers apart by bits where the worst differs; of layers that cost nothing the largest is cheapest", () => {
    const text = of(rounded("a", 10, [0, 0.3, 0.1]), rounded("b", 10, [0, -0.1, 0.2]), rounded("c", 90, [0, -0.2, 0]));
    expect(text).toContain("hurts most in layer a at 4 bits (+0.30), layer b at 3 bits (+0.20)");
    expect(text).toContain("layer c, which saves 315 bytes for −0.20");
  });

  test("a single layer is not ranked", () => {
    expect(of(rounded("only", 10, [0, 0.1, 0.2]))).toContain(
      "the only layer with a weight matrix, only: +0.10 at 4 bits, +0.20 at 3 bits",
    );
  });
});

describe("flatness", () => {
  const disturbance = (size: number, measured: number) => ({
    size,
    predicted: 100 * size * size,
    predictedError: 0,
    measured,
    standardError: measured / 10,
    evaluations: 8,
  });
  const of = (change: Partial<NonNullable<CurvatureReport["relative"]>>) =>
    flatness({
      ...base,
      relative: {
        noun: "the Hessian",
        trace: quantity(200, 2),
        frobenius: quantity(3, 0.1),
        raisingSize: 0.05,
        measuredSize: 0.05,
        reference: 2.3,
        guessing: true,
        disturbances: [disturbance(0.01, 0.01), disturbance(0.1, 0.5)],
        ...change,
      },
    });

  test.each([
    [
      0.005,
      "Sharp: a random change of every weight by about 0.50 % of itself raises the loss by a tenth of the loss of guessing (0.23)",
    ],
    [0.05, "Neither sharp nor flat: "],
    [0.3, "Flat: "],
  ])("at %d", (measuredSize, expected) => expect(words(of({ measuredSize }))).toContain(expected));

  test("says how the curvature's prediction compares, and what stays the same", () => {
    expect(words(of({}))).toContain("(200.0 ± 2.0) alone predicts 5.0 %: as the curvature predicts");
    expect(words(of({ raisingSize: 0.5 }))).toContain("predicts 50 %: the loss is not quadratic up to there");
    expect(words(of({}))).toContain("by 1 % adds 0.0100 ± 0.0010");
    expect(words(of({}))).toMatch(
      /stay the same when weights are rescaled.*Eigenvalues, traces and learning rates do not/,
    );
  });

  test("a loss that does not rise is flat where large changes were tried, else not told", () => {
    const found = (withstands: number) => flatness({ ...base, relative: { ...relativeOf(), withstands } });
    const relativeOf = () => {
      const { measuredSize: _, raisingSize: __, ...rest } = { ...baseRelative() };
      return rest;
    };
    const baseRelative = () => ({
      noun: "the Hessian",
      trace: quantity(-1, 2),
      frobenius: quantity(3, 0.1),
      measuredSize: 1,
      raisingSize: 1,
      reference: 0.1,
      guessing: false,
      disturbances: [disturbance(0.01, 0.001)],
    });
    expect(words(found(0.5))).toContain(
      "Flat: even a random change of every weight by 50 % of itself does not raise the loss by a tenth of itself",
    );
    expect(words(found(0.5))).toContain("is not positive and predicts nothing");
    expect(found(0.05)?.tone).toBe("caution");
  });

  test("nothing without its numbers", () => expect(flatness(base)).toBeUndefined());
});

describe("data and equal matrices", () => {
  test("warnings about the data come first, with caution", () => {
    const warned = { ...base, data: { ...base.data, warnings: ["the accuracy is 1 %: is it?"] } };
    expect(findings(warned)[0]).toMatchObject({ topic: "data", tone: "caution" });
    expect(words(dataFinding(warned))).toContain("The accuracy is 1 %: is it?");
    expect(dataFinding(base)).toBeUndefined();
  });

  test("equal matrices are named with their evidence", () => {
    const equalMatrices = (["fisher2", "fisher1"] as const).map((name, i) => ({
      name,
      title: name,
      equals: "ggn" as const,
      difference: 1e-9 * (i + 1),
    }));
    const text = equalitySentence({ ...base, equalMatrices })!.replaceAll("\u00a0", " ");
    expect(text).toContain("fisher2 and fisher1: equal to the Gauss-Newton matrix for this loss, so computed once");
    expect(text).toContain("differ by 2.0 × 10⁻⁹ of their size");
    expect(equalitySentence(base)).toBeUndefined();
  });
});

describe("certainty", () => {
  const short = (top: number, bottom: number) => {
    const { eigenvalues } = withEnds([[2, top]], [[0, bottom]]).matrices.hessian as ReportedMatrix;
    return certainty(changed("ggn", { eigenvalues: { ...eigenvalues, status: "budget", message: "Raise matvecs." } }));
  };

  test("eigenvalues known only roughly are named with how well, and what to do", () => {
    const found = short(1e-6, 0.02);
    expect(found?.tone).toBe("caution");
    expect(words(found)).toContain(
      "The Gauss-Newton matrix: the largest to within 1.0 × 10⁻⁶, the smallest to within 0.020.",
    );
    expect(words(found)).toContain("--eigenvalues on the command line");
    expect(words(found)).not.toContain("matvecs");
    expect(short(0.02, 0)?.tone).toBe("caution");
  });

  test("a thousandth of the largest is no cause for care", () => {
    const found = short(1e-6, 0.001);
    expect(found?.tone).toBe("plain");
    expect(words(found)).toContain("known to a thousandth of the largest or better");
  });

  test("without eigenvalues", () => {
    const eigenvalues = { matvecs: 9, status: "budget", message: "", largest: [], smallest: [] };
    expect(words(certainty(changed("ggn", { eigenvalues })))).toContain(
      "No eigenvalue of the Gauss-Newton matrix is known",
    );
  });

  test("estimates are held against exact values where they are known", () => {
    const exactly = (exactValue: number) => certainty(changed("ggn", { trace: { ...quantity(10, 1), exactValue } }));
    expect(words(exactly(12))).toContain("within 2.0 standard errors of its exact value");
    expect(exactly(14)?.tone).toBe("caution");
    expect(words(exactly(14))).toContain("An estimate lies 4.0 standard errors from its exact value");
    expect(words(certainty(changed("ggn", {})))).toContain("All eigenvalues asked for have converged");
  });

  test("the cost is stated in products, time and gradients", () => {
    const report = { ...changed("ggn", { matvecs: 452 }), seconds: 10, secondsPerGradient: 0.01 };
    expect(words(certainty(report))).toContain(
      "452 products with one matrix took 10.0 s (the time of 1,000 gradients)",
    );
    expect(words(certainty({ ...report, secondsPerGradient: 0 }))).not.toContain("gradients");
    expect(certainty({ ...base, matrices: {} })).toBeUndefined();
  });
});

test("deviations are counted in standard errors, and only where both numbers exist", () => {
  expect(deviationInErrors(quantity(5, 2), 1)).toBe(2);
  expect(deviationInErrors(quantity(5, 0), 1)).toBeUndefined();
  expect(deviationInErrors(quantity(5, 2), undefined)).toBeUndefined();
});

test("every topic is answered at most once, and a report without matrices still says what it cannot tell", () => {
  const topics = findings(base).map(({ topic }) => topic);
  expect(new Set(topics).size).toBe(topics.length);
  expect(topics).toHaveLength(8);
  expect(findings({ ...base, matrices: {} }).map(({ topic }) => topic)).toEqual(["minimum", "gradient"]);
});
