import { describe, expect, test } from "vitest";
import { hostArithmetic } from "../../src/linalg/index.ts";
import { engineArithmetic } from "../../src/operators/index.ts";
import { stream } from "../../src/random/index.ts";
import { toPrecision, type Vector } from "../../src/tensors/index.ts";

const n = 20_000;

function normals(length: number, name: string): Float64Array {
  const random = stream(7, name);
  return Float64Array.from({ length }, () => random.normal());
}

function largest(x: ArrayLike<number>, y: ArrayLike<number> = new Float64Array(x.length)): number {
  let most = 0;
  for (let i = 0; i < x.length; i++) most = Math.max(most, Math.abs(x[i]! - y[i]!));
  return most;
}

describe("arithmetic on a basis by ONNX Runtime", () => {
  test.each([
    ["float64", 1e-13],
    ["float32", 1e-5],
  ] as const)("agrees with the loops in %s, for any number of columns", async (precision, tolerance) => {
    const { arithmetic, release } = engineArithmetic(n, { precision, threads: 1 });
    const cast = (x: Vector) => toPrecision(x, precision);
    const v = cast(normals(n, "v"));
    for (const columns of [1, 2, 7]) {
      const Q = { rows: n, columns, data: cast(normals(n * columns, "Q")) };
      const c = await arithmetic!.project(Q, v);
      const expected = await hostArithmetic.project(Q, v);
      expect(c).toBeInstanceOf(Float64Array);
      expect(largest(c, expected)).toBeLessThan(tolerance * Math.sqrt(n));
      const w = await arithmetic!.subtract(v, Q, expected);
      const reference = await hostArithmetic.subtract(v, Q, expected);
      expect(largest(w, reference)).toBeLessThan(tolerance * largest(reference));
      const S = { rows: columns, columns: 3, data: normals(columns * 3, "S") };
      const combined = await arithmetic!.combine(Q, S);
      const plain = await hostArithmetic.combine(Q, S);
      expect([combined.rows, combined.columns]).toEqual([n, 3]);
      expect(largest(combined.data, plain.data)).toBeLessThan(tolerance * largest(plain.data));
    }
    await release();
  });

  test("is left to the loops for short vectors", () => {
    expect(engineArithmetic(1000, { precision: "float32" }).arithmetic).toBeUndefined();
  });
});
