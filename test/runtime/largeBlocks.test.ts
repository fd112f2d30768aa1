import { describe, expect, test } from "vitest";
import { openSession } from "#runtime";
import { writeModel } from "../../src/onnx/index.ts";
import { keepLargeBlocks } from "../../src/runtime/index.ts";

const n = 12 * 2 ** 20;
const PAGES = (n * 4) / 4096;

const negation = writeModel({
  producer: "test",
  opsets: { "": 17 },
  graph: {
    name: "negation",
    nodes: [{ op: "Neg", inputs: ["x"], outputs: ["y"], attributes: {} }],
    inputs: [{ name: "x", dtype: "float32", dims: [n] }],
    outputs: [{ name: "y", dtype: "float32", dims: [n] }],
    initializers: [],
  },
});

describe("blocks of 48 MB", () => {
  const isGlibc = (process.report.getReport() as { header: { glibcVersionRuntime?: string } }).header
    .glibcVersionRuntime;

  test.skipIf(!isGlibc)("are kept between runs, so that later ones touch few fresh pages", async () => {
    const session = await openSession(negation, { optimization: "basic", threads: 1, largestValue: n * 4 });
    const x = { data: new Float32Array(n).fill(1), dims: [n] };
    const faults = async (runs: number) => {
      const before = process.resourceUsage().minorPageFault;
      for (let i = 0; i < runs; i++) await session.run({ x }, ["y"]);
      return process.resourceUsage().minorPageFault - before;
    };
    await faults(20);
    expect(keepLargeBlocks()).toBe(true);
    expect(await faults(20)).toBeLessThan(20 * PAGES * 0.3);
    await session.release();
  });
});
