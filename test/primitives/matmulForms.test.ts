import { describe, expect, test } from "vitest";
import { vectorize } from "../../src/autodiff/index.ts";
import { input, topologicalOrder } from "../../src/graph/index.ts";
import { matmul } from "../../src/primitives/index.ts";
import { stream } from "../../src/random/index.ts";
import { compile, withPreferredKernels } from "../../src/runtime/index.ts";

const [k, m] = [5, 3];
const drawn = (size: number, name: string) => {
  const random = stream(1, name);
  return Float32Array.from({ length: size }, () => random.normal());
};

function product(a: Float32Array, b: Float32Array, n: number): Float64Array {
  const result = new Float64Array(m * n);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) for (let r = 0; r < k; r++) result[i * n + j] += a[r * m + i]! * b[r * n + j]!;
  return result;
}

describe("a product with a transposed left operand", () => {
  test.each([511, 512, 700])("of %i columns is right, as one product and with several columns", async (n) => {
    const [a, b] = [input("a", [k, m]), input("b", [k, n])];
    const [ab] = withPreferredKernels([matmul(a, b, { transposeA: true })], "float32");
    const primitives = topologicalOrder([ab!]).map(({ primitive }) => primitive.name);
    expect(primitives.includes("writtenTranspose")).toBe(n >= 512);
    const A = input("A", [2, k, m]);
    const [columns] = vectorize([ab!], [a], { replacements: [A], size: 2 });
    const program = await compile(
      { inputs: { a, b, A }, outputs: { ab: ab!, columns: columns! } },
      { precision: "float32" },
    );
    const [first, second, right] = [drawn(k * m, "first"), drawn(k * m, "second"), drawn(k * n, "right")];
    const both = Float32Array.from([...first, ...second]);
    const results = await program.run({
      a: { data: first, dims: [k, m] },
      b: { data: right, dims: [k, n] },
      A: { data: both, dims: [2, k, m] },
    });
    const expected = [product(first, right, n), product(second, right, n)];
    const close = (found: ArrayLike<number>, truth: Float64Array) =>
      truth.forEach((value, i) => {
        expect(Math.abs(found[i]! - value)).toBeLessThan(1e-5);
      });
    close(results.ab!.data as Float32Array, expected[0]!);
    close((results.columns!.data as Float32Array).subarray(0, m * n), expected[0]!);
    close((results.columns!.data as Float32Array).subarray(m * n), expected[1]!);
    await program.release();
  });
});
