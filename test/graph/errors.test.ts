import { expect, test } from "vitest";
import { CurvatureError } from "../../src/errors/index.ts";
import { broadcastShapes, constant, normalizeAxis } from "../../src/graph/index.ts";

test("a constant needs as many elements as its shape has", () => {
  expect(() => constant({ data: new Float64Array(3), dims: [2, 2] })).toThrow(
    new CurvatureError("shape", "a constant of shape [2, 2] needs 4 elements, got 3"),
  );
});

test("axes count from both ends", () => {
  expect([-2, -1, 0, 1].map((axis) => normalizeAxis("f", axis, 2))).toEqual([0, 1, 0, 1]);
  for (const axis of [-3, 2, 0.5, Number.NaN]) {
    expect(() => normalizeAxis("f", axis, 2)).toThrow(
      new CurvatureError("shape", `f: axis ${axis} is outside a tensor of rank 2`),
    );
  }
});

test("shapes broadcast from the right", () => {
  expect(broadcastShapes("f", [[2, 1, 3], [4, 1], []])).toEqual([2, 4, 3]);
  expect(broadcastShapes("f", [[0], [1]])).toEqual([0]);
  expect(() => broadcastShapes("f", [[2, 3], [2], [3]])).toThrow(
    new CurvatureError("shape", "f: shapes [2, 3] and [2] and [3] do not broadcast"),
  );
});
