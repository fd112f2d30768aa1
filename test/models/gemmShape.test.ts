import { expect, test } from "vitest";
import { shapeByRule } from "../../src/models/import/sizes/shapeRules.ts";

// By the standard: op(A) is [M, K], op(B) is [K, N], the result [M, N].
test.each([
  { transA: 0, transB: 0, a: [2, 3], b: [3, 4], shape: [2, 4] },
  { transA: 1, transB: 0, a: [3, 2], b: [3, 4], shape: [2, 4] },
  { transA: 0, transB: 1, a: [2, 3], b: [4, 3], shape: [2, 4] },
  { transA: 1, transB: 1, a: [3, 2], b: [4, 3], shape: [2, 4] },
  { transA: 0, transB: 0, a: [2, 3], b: [4, 3], shape: undefined },
  { transA: 0, transB: 0, a: [2, 3, 1], b: [3, 4], shape: undefined },
])("Gemm of $a and $b, transposed $transA and $transB", ({ transA, transB, a, b, shape }) => {
  const known = (dims: number[]) => ({ dims, type: "float32" as const });
  const flags: Record<string, number[]> = { transA: [transA], transB: [transB] };
  const node = { op: "Gemm", inputs: [known(a), known(b)], outputs: 1, integers: (name: string) => flags[name] };
  expect(shapeByRule(node)).toEqual(shape);
});
