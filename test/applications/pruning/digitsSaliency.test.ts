import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type Compensation,
  compensate,
  type DenseBlockOperator,
  denseCurvature,
  saliency,
  woodFisher,
} from "../../../src/applications/pruning/index.ts";
import { accuracy, empiricalFisher, ggn, hessian, type Risk, type Vector } from "../../../src/index.ts";
import { difference } from "../../operators/closeness.ts";
import { applicationFixture, digitsRisk, digitsRows, relative } from "../digits.ts";

const fixture = applicationFixture("digits_pruning");
const KINDS = ["hessian", "ggn", "empirical_fisher"] as const;
type Kind = (typeof KINDS)[number];

let risk: Risk;
let held: Risk;
const matrices = new Map<Kind, DenseBlockOperator>();
beforeAll(async () => {
  risk = await digitsRisk();
  held = await risk.on(digitsRows("test"));
  const made = { hessian: hessian(risk), ggn: ggn(risk), empirical_fisher: empiricalFisher(risk) };
  for (const kind of KINDS) matrices.set(kind, await denseCurvature(made[kind]));
});
afterAll(() => risk.dispose());

function choice(kind: Kind) {
  return { matrix: matrices.get(kind)!, damping: fixture.damping[kind] as number };
}

interface Measured {
  readonly loss: number;
  readonly test_loss: number;
  readonly accuracy: number;
  readonly test_accuracy: number;
}

async function expectMeasured(theta: Vector, expected: Measured): Promise<void> {
  const [train, test] = [risk.at(theta), held.at(theta)];
  expect(relative(await train.loss(), expected.loss)).toBeLessThan(1e-9);
  expect(relative(await test.loss(), expected.test_loss)).toBeLessThan(1e-9);
  expect(await accuracy(train)).toBeCloseTo(expected.accuracy, 12);
  expect(await accuracy(test)).toBeCloseTo(expected.test_accuracy, 12);
  await train.dispose();
  await test.dispose();
}

/** Largest difference of entries over the larger of the two. */
function entrywise(actual: Vector, expected: readonly number[]): number {
  return Math.max(...expected.map((value, i) => relative(actual[i]!, value)));
}

describe("saliencies of all weights", () => {
  test.each(KINDS)("OBD and OBS with the %s", async (kind) => {
    const obd = await saliency(risk, { method: "obd", ...choice(kind) });
    expect(difference(obd.values, fixture.obd[kind])).toBeLessThan(1e-9);
    const obs = await saliency(risk, { method: "obs", ...choice(kind) });
    expect(entrywise(obs.values, fixture.obs[kind])).toBeLessThan(1e-9);
    expect(obs).toMatchObject({ route: "dense", damping: fixture.damping[kind] });
    // Three of the 64 pixels are always zero.
    expect(obs.free).toHaveLength(48);
    expect(new Set(Array.from(obs.free, (index) => index % 64)).size).toBe(3);
    expect(obs.candidates).toHaveLength(1184);
  });

  test("WoodFisher in blocks of 50, across tensors", async () => {
    const matrix = await woodFisher(risk, { blockSize: 50, blocks: "across" });
    const found = await saliency(risk, { matrix, damping: fixture.damping.empirical_fisher });
    expect(found.route).toBe("blocks");
    expect(entrywise(found.values, fixture.woodfisher_blocks_of_50)).toBeLessThan(1e-9);
  });
});

test("single weights: saliency, compensation, and the loss without", async () => {
  for (const entry of fixture.single_weights) {
    expect(risk.theta()[entry.index]).toBe(entry.value);
    const plain = risk.theta();
    plain[entry.index] = 0;
    const without = risk.at(plain);
    expect(relative(await without.loss(), entry.loss_without)).toBeLessThan(1e-9);
    await without.dispose();
    for (const kind of KINDS) {
      const found = await compensate(risk, { indices: [entry.index], ...choice(kind) });
      expect(relative(found.increase, entry[kind].saliency)).toBeLessThan(1e-9);
      expect(relative(Math.hypot(...found.change), entry[kind].change_norm)).toBeLessThan(1e-9);
      const moved = risk.at(found.theta);
      expect(relative(await moved.loss(), entry[kind].loss_without_compensated)).toBeLessThan(1e-9);
      await moved.dispose();
    }
  }
  const [first] = fixture.single_weights;
  const { change } = await compensate(risk, { indices: [first.index], ...choice("hessian") });
  expect(difference(change, fixture.compensation_of_first_single_weight_hessian)).toBeLessThan(1e-9);
});

describe("groups of weights", () => {
  test.each(Object.keys(fixture.groups))("%s", async (label) => {
    const group = fixture.groups[label];
    const plain = risk.theta();
    for (const index of group.indices) plain[index] = 0;
    await expectMeasured(plain, group.without_compensation);
    for (const kind of KINDS) {
      const found: Compensation = await compensate(risk, { indices: group.indices, ...choice(kind) });
      expect(relative(found.increase, group[kind].predicted_increase)).toBeLessThan(1e-9);
      expect(relative(Math.hypot(...found.change), group[kind].change_norm)).toBeLessThan(1e-9);
      await expectMeasured(found.theta, group[kind]);
      for (const index of group.indices) expect(found.theta[index]).toBe(0);
    }
  });

  test("as units of a saliency", async () => {
    const names = Object.keys(fixture.groups);
    const units = names.map((name) => ({
      name,
      tensor: "0.weight",
      indices: Int32Array.from(fixture.groups[name].indices as number[]),
    }));
    const { values } = await saliency(risk, { units, ...choice("ggn") });
    names.forEach((name, k) => {
      expect(relative(values[k]!, fixture.groups[name].ggn.predicted_increase)).toBeLessThan(1e-9);
    });
  });
});
