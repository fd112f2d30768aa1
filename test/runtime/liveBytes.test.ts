import { describe, expect, test } from "vitest";
import { input } from "../../src/graph/index.ts";
import { add, exp, matmul, reshape } from "../../src/primitives/index.ts";
import { compile, liveBytes } from "../../src/runtime/index.ts";
import { rejectionOf } from "../onnx/messageOf.ts";

describe("bytes alive at once", () => {
  test("a chain holds an operand and its result", () => {
    let value = input("x", [100]);
    for (let i = 0; i < 10; i++) value = exp(value);
    expect(liveBytes([value], "float32").bytes).toBe(2 * 400);
    expect(liveBytes([value], "float64").bytes).toBe(2 * 800);
  });

  test("a value that is read again later is held until then, an output until the end", () => {
    const first = exp(input("x", [100]));
    const long = exp(exp(exp(first)));
    expect(liveBytes([add(first, long)], "float32").bytes).toBe(3 * 400);
    expect(liveBytes([first, exp(first), long], "float32").bytes).toBe(4 * 400);
  });

  test("inputs and views of them cost nothing", () => {
    const x = input("x", [10, 10]);
    expect(liveBytes([reshape(x, [100])], "float32")).toEqual({ bytes: 0 });
    const product = matmul(x, x);
    expect(liveBytes([product], "float32")).toEqual({ bytes: 400, at: product });
  });
});

test("a program that would hold more than the limit is refused before anything is allocated", async () => {
  const x = input("x", [1_000_000, 1]);
  const y = input("y", [1, 1_000_000]);
  const graph = { inputs: { x, y }, outputs: { z: matmul(x, y) } };
  expect(await rejectionOf(compile(graph, { precision: "float32", memoryLimit: 2e9 }))).toBe(
    "model: the values of a batch take 4 TB at once (where matmul gives [1000000, 1000000]), more than the memory limit of 2 GB; take smaller batches (--batch-size), or raise memoryLimit (--memory-limit)",
  );
});
