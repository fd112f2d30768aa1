import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  averageSharpness,
  boxSharpness,
  fisherRaoNorm,
  relativeFlatness,
  samSharpness,
  worstCaseSharpness,
} from "../../../src/applications/sharpness/index.ts";
import { ggn, hessian, type Risk } from "../../../src/index.ts";
import { eigh, eigsh, hutchinsonMoments, hutchinsonTrace, toDense } from "../../../src/linalg/index.ts";
import { sampled } from "../../sampled.ts";
import { applicationFixture, digitsRisk, relative } from "../digits.ts";

const fixture = applicationFixture("digits_sharpness");
let risk: Risk;
beforeAll(async () => {
  risk = await digitsRisk();
});
afterAll(() => risk.dispose());

/** The scales of the fixture: adaptive without eta. */
const scales = { plain: { scale: "plain" }, adaptive: { scale: "adaptive", eta: 0 } } as const;
type Kind = keyof typeof scales;

interface BoxRow {
  readonly epsilon: number;
  readonly one_step_corner: number;
  readonly sharpness: number;
}

interface AverageRow {
  readonly kind: Kind;
  readonly sigma: number;
  readonly mean: number;
  readonly standard_error: number;
  readonly second_order: number;
}

describe("digits_sharpness.json", () => {
  test("loss, gradient, trace, ends of the spectrum", async () => {
    const { size } = risk;
    expect(relative(await risk.loss(), fixture.loss)).toBeLessThan(1e-9);
    const H = hessian(risk);
    const moments = await hutchinsonMoments(H, { matvecs: size, seed: 0 });
    expect(relative(moments.trace.value, fixture.hessian.trace)).toBeLessThan(1e-9);
    expect(relative(moments.trace.value / size, fixture.hessian.trace_over_parameters)).toBeLessThan(1e-9);
    expect(relative(moments.frobenius.value, fixture.hessian.frobenius)).toBeLessThan(1e-9);
    const { values } = await eigh(await toDense(H));
    expect(relative(values[size - 1]!, fixture.hessian.largest_eigenvalue)).toBeLessThan(1e-9);
    expect(Math.abs(values[0]! - fixture.hessian.smallest_eigenvalue)).toBeLessThan(1e-9);
    const positive = values.filter((value) => value > 0).reduce((sum, value) => sum + value, 0);
    expect(relative(positive, fixture.hessian.sum_of_positive_eigenvalues)).toBeLessThan(1e-9);
    const trace = await hutchinsonTrace(ggn(risk), { matvecs: size, seed: 0 });
    expect(relative(trace.trace, fixture.ggn_trace)).toBeLessThan(1e-9);
    const ends = await eigsh(H, { k: 2, which: "both", seed: 0 });
    expect(relative(ends.values[0]!, values[size - 1]!)).toBeLessThan(1e-9);
  });

  const cases = (["plain", "adaptive"] as const).flatMap((kind) =>
    fixture.worst_case[kind].values.map((row: { readonly rho: number }) => ({ kind, row })),
  );

  test.each(sampled(cases, 3))("$kind, radius $row.rho: one step, second order, and ascent", async ({ kind, row }) => {
    const options = { radius: row.rho, ...scales[kind as Kind] };
    const one = await samSharpness(risk, options);
    expect(relative(one.sharpness, row.one_step)).toBeLessThan(1e-9);
    expect(relative(one.linear, row.linear)).toBeLessThan(1e-9);
    expect(relative(one.gradientNorm, fixture.gradient_norm)).toBeLessThan(1e-9);
    const worst = await worstCaseSharpness(risk, { ...options, seed: 0 });
    expect(worst.status).toBe("converged");
    expect(relative(worst.eigenvalue, fixture.worst_case[kind].largest_eigenvalue_of_THT)).toBeLessThan(1e-9);
    expect(relative(worst.secondOrder, row.second_order)).toBeLessThan(1e-9);
    expect(relative(worst.sharpness, row.ascent.sharpness)).toBeLessThan(1e-9);
    expect(relative(worst.sharpness, row.sphere_lbfgs)).toBeLessThan(1e-9);
    // The status says what the perturbation itself shows.
    const T = kind === "plain" ? risk.theta().fill(1) : risk.theta().map(Math.abs);
    const length = Math.hypot(...Array.from(worst.perturbation, (d, i) => (T[i] === 0 ? 0 : d / T[i]!)));
    expect(relative(length, row.rho)).toBeLessThan(1e-9);
  });

  test("ASAM with its own eta", async () => {
    const { sharpness } = await samSharpness(risk, { radius: 0.1, scale: "adaptive" });
    expect(relative(sharpness, fixture.worst_case["adaptive_eta_0.01_one_step_rho_0.1"])).toBeLessThan(1e-9);
  });

  test.each(sampled(fixture.keskar.values as readonly BoxRow[], 1))("the box of epsilon $epsilon", async (row) => {
    const box = await boxSharpness(risk, { epsilon: row.epsilon });
    expect(relative(box.oneStep, row.one_step_corner)).toBeLessThan(1e-9);
    expect(box.status).toBe("converged");
    expect(relative(box.sharpness, row.sharpness)).toBeLessThan(1e-9);
  });

  test.each(sampled(fixture.average_case.values as readonly AverageRow[], 2))(
    "average case, $kind, sigma $sigma",
    async (row) => {
      const options = { sigma: row.sigma, seed: 3, samples: 400, ...scales[row.kind] };
      const { sharpness } = await averageSharpness(risk, { ...options, matvecs: 0 });
      const error = Math.hypot(sharpness.standardError, row.standard_error);
      expect(Math.abs(sharpness.value - row.mean)).toBeLessThan(3 * error);
      expect(sharpness.standardError).toBeLessThan(0.1 * sharpness.value);
    },
  );

  test.each(["plain", "adaptive"] as const)("second order of the average case, %s, by exact traces", async (kind) => {
    const options = { sigma: 1, seed: 3, samples: 2, ...scales[kind] };
    const { secondOrder } = await averageSharpness(risk, { ...options, matvecs: risk.size });
    expect(secondOrder!.standardError).toBe(0);
    const rows = (fixture.average_case.values as readonly AverageRow[]).filter((row) => row.kind === kind);
    for (const row of rows) {
      expect(relative(row.sigma ** 2 * secondOrder!.value, row.second_order)).toBeLessThan(1e-9);
    }
  });

  test("relative flatness and Fisher-Rao norm", async () => {
    const layers = await relativeFlatness(risk, { seed: 0, matvecs: 1024 });
    expect(layers.map(({ parameter }) => parameter)).toEqual(["0.weight", "2.weight"]);
    for (const { parameter, value, standardError } of layers) {
      expect(relative(value, fixture.relative_flatness[parameter])).toBeLessThan(1e-9);
      expect(standardError).toBe(0);
    }
    const sampled = await relativeFlatness(risk, { seed: 1, matvecs: 60 });
    sampled.forEach(({ value, standardError }, i) => {
      expect(Math.abs(value - layers[i]!.value)).toBeLessThan(4 * standardError);
    });
    const norms = await fisherRaoNorm(risk);
    expect(relative(norms.ggn, fixture.fisher_rao_norm_squared.ggn)).toBeLessThan(1e-9);
    expect(relative(norms.hessian, fixture.fisher_rao_norm_squared.hessian)).toBeLessThan(1e-9);
  });
});
