import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { identityMatrix, randomMatrix, randomSpd } from "./randomMatrices.ts";

afterEach(() => {
  vi.restoreAllMocks();
  vi.resetModules();
});

describe("the memory of the kernels", () => {
  beforeEach(() => vi.stubEnv("ONNX_CURVATURE_DENSE", "eigen"));
  afterEach(() => vi.unstubAllEnvs());

  test("is given back: repeated calls do not grow it", async () => {
    const { withHeap } = await import("../../src/linalg/dense/wasmHeap.ts");
    const dense = await import("../../src/linalg/dense/dense.ts");
    const A = randomSpd(200, 12);
    const size = () => withHeap("size", ({ kernels }) => kernels.memory.buffer.byteLength);
    const run = async () => {
      await dense.eigh(A);
      await dense.choleskySolve(await dense.cholesky(A), A);
      await dense.qr(A);
      await dense.cholesky({ ...A, data: A.data.map((value) => -value) }).catch(() => undefined);
    };
    await run();
    const before = await size();
    for (let i = 0; i < 20; i++) await run();
    expect((await size()) - before).toBeLessThan(A.data.byteLength);
  });

  test("is dropped after a call that made it large, and calls at the same time do not disturb each other", async () => {
    const { withHeap } = await import("../../src/linalg/dense/wasmHeap.ts");
    const dense = await import("../../src/linalg/dense/dense.ts");
    const A = randomSpd(50, 13);
    const expected = await dense.eigh(A);
    const large = withHeap(
      "large",
      ({ place, take }) => take(place(Float64Array.of(1, 2)), 2).length + place(2 ** 24) * 0,
    );
    const results = await Promise.all([dense.eigh(A), large, dense.eigh(A), dense.qr(A), dense.eigh(A)]);
    for (const at of [0, 2, 4]) expect((results[at] as typeof expected).values).toEqual(expected.values);
    expect(await withHeap("size", ({ kernels }) => kernels.memory.buffer.byteLength)).toBeLessThan(64 * 2 ** 20);
  });

  test("keeps what was placed before it grew", async () => {
    const { withHeap } = await import("../../src/linalg/dense/wasmHeap.ts");
    const first = randomMatrix(1000, 1, 14).data;
    const copy = await withHeap("growth", ({ kernels, place, take }) => {
      const pointer = place(first);
      const { byteLength } = kernels.memory.buffer;
      place(2 ** 21);
      expect(kernels.memory.buffer.byteLength).toBeGreaterThan(byteLength);
      return take(pointer, 1000);
    });
    expect(copy).toEqual(first);
  });

  test("that runs out is an error that says so, and later calls work", async () => {
    const { withHeap } = await import("../../src/linalg/dense/wasmHeap.ts");
    const dense = await import("../../src/linalg/dense/dense.ts");
    const message =
      "eigh of a giant does not fit into the memory of WebAssembly; use an iterative method on the operator instead";
    await expect(withHeap("eigh of a giant", ({ place }) => place(2 ** 30))).rejects.toMatchObject({
      code: "numeric",
      message,
    });
    const memory = () => withHeap("memory", ({ kernels }) => kernels.memory);
    const before = await memory();
    // Eigen's own workspace of 30000 x 30000 cannot be had: the kernel stops itself, and its instance is not used again.
    await expect(
      withHeap("eigh of a giant", ({ kernels, place }) => kernels.eigh(30_000, place(1), place(1))),
    ).rejects.toMatchObject({ code: "numeric", message });
    expect(await memory()).not.toBe(before);
    expect((await dense.eigh(identityMatrix(2))).values).toEqual(Float64Array.of(1, 1));
  });

  test("needs an engine that compiles WebAssembly, and is asked for again after a refusal", async () => {
    const dense = await import("../../src/linalg/dense/dense.ts");
    vi.spyOn(WebAssembly, "compile").mockRejectedValueOnce(new WebAssembly.CompileError("refused by policy"));
    await expect(dense.eigh(identityMatrix(2))).rejects.toMatchObject({
      code: "runtime",
      message:
        /need WebAssembly with SIMD, which this JavaScript engine or its security policy refuses; use a newer engine/,
    });
    expect((await dense.eigh(identityMatrix(2))).values).toEqual(Float64Array.of(1, 1));
  });
});
