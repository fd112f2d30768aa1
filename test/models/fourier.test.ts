import { expect, test } from "vitest";
import { input } from "../../src/graph/index.ts";
import type { ImportedNode } from "../../src/models/import/index.ts";
import { DFT } from "../../src/models/import/ops/index.ts";
import { distance, numbers, randomLike, withProgram } from "./running.ts";

/** The definition, sum_n x_n e^(-+2 pi i n k / N) over N numbers. */
function definition(x: readonly number[], inverse: boolean): number[] {
  const length = x.length / 2;
  const result: number[] = [];
  for (let k = 0; k < length; k++) {
    let [real, imaginary] = [0, 0];
    for (let n = 0; n < length; n++) {
      const angle = ((inverse ? 2 : -2) * Math.PI * ((n * k) % length)) / length;
      real += x[2 * n] * Math.cos(angle) - x[2 * n + 1] * Math.sin(angle);
      imaginary += x[2 * n] * Math.sin(angle) + x[2 * n + 1] * Math.cos(angle);
    }
    result.push(inverse ? real / length : real, inverse ? imaginary / length : imaginary);
  }
  return result;
}

// Direct, square, with twiddle factors over several levels, primes, odd factors.
test.each([1, 2, 7, 64, 67, 72, 130, 210, 256, 1000])("DFT of %i complex numbers is its definition", async (length) => {
  const x = randomLike([1, length, 2], `signal ${length}`);
  for (const inverse of [false, true]) {
    const given = input("x", [1, length, 2]);
    const node: ImportedNode = {
      op: "DFT",
      domain: "",
      name: "",
      opset: 17,
      inputs: [given],
      outputShapes: [[1, length, 2]],
      attributes: { inverse: { int: inverse ? 1 : 0 } },
      consumers: [],
    };
    const y = DFT(node);
    expect(y.shape).toEqual([1, length, 2]);
    const found = await withProgram(
      { x: given },
      { y },
      {
        precision: "float64",
        use: (program) => program.run({ x: { data: Float64Array.from(x), dims: [1, length, 2] } }),
      },
    );
    expect(distance(numbers(found.y!), definition(x, inverse))).toBeLessThan(1e-13);
  }
});
