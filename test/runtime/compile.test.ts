import { describe, expect, test } from "vitest";
import { apply, constant, input, type Primitive, scalar, type Value } from "../../src/graph/index.ts";
import { add, cast, div, exp, filled, mul, neg, reshape, scale, sub } from "../../src/primitives/index.ts";
import { compile, type NamedGraph } from "../../src/runtime/index.ts";
import type { Precision, Tensor } from "../../src/tensors/index.ts";
import { rejectionOf } from "../onnx/messageOf.ts";

const x = input("x", [2]);
const y = input("y", [2]);
const n = input("n", [2], "int64");
const flag = input("flag", [2], "bool");

const doubles = (...numbers: number[]): Tensor => ({ data: Float64Array.from(numbers), dims: [numbers.length] });

/** Everything a graph gives for these feeds. */
async function run(graph: NamedGraph, feeds: Record<string, Tensor>, precision: Precision = "float64") {
  const program = await compile(graph, { precision });
  try {
    return await program.run(feeds);
  } finally {
    await program.release();
  }
}

describe("outputs", () => {
  test("that are inputs, duplicates and constants are copies of their own", async () => {
    const sum = add(x, y);
    const seven = filled([2], 7);
    const graph = {
      inputs: { x, y },
      outputs: { x2: x, sum, again: sum, negative: neg(sum), x3: x, seven, seven2: seven, pi: scalar(Math.PI) },
    };
    const fed = doubles(1, 2);
    const results = await run(graph, { x: fed, y: doubles(10, 20) });
    const numbers = Object.fromEntries(
      Object.entries(results).map(([name, { data }]) => [name, [...(data as Float64Array)]]),
    );
    expect(numbers).toEqual({
      x2: [1, 2],
      sum: [11, 22],
      again: [11, 22],
      negative: [-11, -22],
      x3: [1, 2],
      seven: [7, 7],
      seven2: [7, 7],
      pi: [Math.PI],
    });
    const buffers = [fed, ...Object.values(results)].map(({ data }) => (data as Float64Array).buffer);
    expect(new Set(buffers).size).toBe(buffers.length);
    expect(results.pi.dims).toEqual([]);
  });

  test("of a graph without any are none", async () => {
    expect(await run({ inputs: { x }, outputs: {} }, {})).toEqual({});
  });

  test("with no element have their shape", async () => {
    const empty = input("empty", [0, 3]);
    const graph = { inputs: { empty }, outputs: { out: exp(empty), flat: reshape(empty, [3, 0]) } };
    const { out, flat } = await run(graph, { empty: { data: new Float64Array(0), dims: [0, 3] } });
    expect([out.dims, out.data.length, flat.dims]).toEqual([[0, 3], 0, [3, 0]]);
  });
});

describe("precision", () => {
  const graph = { inputs: { x }, outputs: { third: div(x, scalar(3)) } };

  test("of results is that of the graph, whichever the feeds come in", async () => {
    for (const [precision, array] of [
      ["float32", Float32Array],
      ["float64", Float64Array],
    ] as const) {
      for (const given of [doubles(1, 2), { data: Float32Array.of(1, 2), dims: [2] }]) {
        const { third } = await run(graph, { x: given }, precision);
        expect(third.data).toBeInstanceOf(array);
        expect(third.data).toEqual(array.of(1 / 3, 2 / 3));
      }
    }
  });

  test("of constants is not lost in float64", async () => {
    const large = constant({ data: Float64Array.from({ length: 100 }, (_, i) => 1 / (i + 1)), dims: [100] });
    const sums = { inputs: {}, outputs: { large: scale(large, 1 / 3) } };
    const { large: got } = await run(sums, {});
    expect([...(got.data as Float64Array)]).toEqual(Array.from({ length: 100 }, (_, i) => (1 / (i + 1)) * (1 / 3)));
  });

  test("does not concern integers and booleans", async () => {
    const mixed = { inputs: { n, flag }, outputs: { more: add(n, n), as: cast(flag, "float"), back: cast(n, "bool") } };
    const feeds = {
      n: { data: BigInt64Array.of(2n ** 60n, 0n), dims: [2] },
      flag: { data: Uint8Array.of(1, 0), dims: [2], dtype: "bool" },
    } as const;
    const { more, as, back } = await run(mixed, feeds);
    expect(more.data).toEqual(BigInt64Array.of(2n ** 61n, 0n));
    expect(as.data).toEqual(Float64Array.of(1, 0));
    expect([back.dtype, ...Array.from(back.data as Uint8Array)]).toEqual(["bool", 1, 0]);
  });
});

describe("feeds", () => {
  const graph = { inputs: { x, y, n }, outputs: { sum: sub(x, y) } };

  test("that the graph does not read may be missing, and unknown ones are ignored", async () => {
    const { sum } = await run(graph, { x: doubles(3, 4), y: doubles(1, 1), other: doubles(1) });
    expect([...(sum.data as Float64Array)]).toEqual([2, 3]);
  });

  test("are read, not kept and not changed", async () => {
    const program = await compile(graph, { precision: "float64", threads: 1 });
    const given = { x: doubles(3, 4), y: doubles(1, 1) };
    const first = await program.run(given);
    (given.x.data as Float64Array)[0] = 100;
    const second = await program.run(given);
    await program.release();
    expect([...(first.sum.data as Float64Array)]).toEqual([2, 3]);
    expect([...(second.sum.data as Float64Array)]).toEqual([99, 3]);
    expect([...(given.y.data as Float64Array)]).toEqual([1, 1]);
  });

  test("may be views on part of an array", async () => {
    const whole = Float64Array.of(0, 3, 4, 0);
    const view = { data: whole.subarray(1, 3), dims: [2] };
    const { sum } = await run(graph, { x: view, y: view });
    expect([...(sum.data as Float64Array)]).toEqual([0, 0]);
  });

  test("that are missing or of the wrong size are refused by name", async () => {
    const program = await compile(graph, { precision: "float32" });
    expect(await rejectionOf(program.run({ x: doubles(1, 2) }))).toBe('argument: input "y" of the graph was not given');
    expect(await rejectionOf(program.run({ x: doubles(1, 2), y: doubles(1, 2, 3) }))).toBe(
      'shape: input "y" must have shape [2], got [3]',
    );
    await program.release();
  });

  test("of the wrong type are refused by the engine", async () => {
    const program = await compile({ inputs: { n }, outputs: { m: neg(n) } }, { precision: "float32" });
    expect(await rejectionOf(program.run({ n: doubles(1, 2) }))).toMatch(
      /^runtime: ONNX Runtime could not run a graph: .*\bfloat\b/,
    );
    await program.release();
  });
});

describe("a graph is refused", () => {
  test("that needs an input which was not named", async () => {
    const hidden = input("hidden", [2]);
    expect(
      await rejectionOf(compile({ inputs: { x }, outputs: { sum: add(x, hidden) } }, { precision: "float32" })),
    ).toBe('argument: the outputs need input "hidden", which is not among the inputs of the graph');
  });

  test("that has one name for an input and an output", async () => {
    expect(await rejectionOf(compile({ inputs: { x }, outputs: { x: exp(x) } }, { precision: "float32" }))).toBe(
      'argument: "x" names an input and an output of the graph; give them two names',
    );
  });

  test("that the engine does not understand, with the engine's reason", async () => {
    const unknown: Primitive<null> = {
      name: "unknown",
      output: ([operand]) => operand,
      lower: ({ inputs: [operand] }, context) => context.node("NoSuchOperator", [context.name(operand)]),
    };
    const message = await rejectionOf(
      compile({ inputs: { x }, outputs: { out: apply(unknown, [x], null) } }, { precision: "float32" }),
    );
    expect(message).toMatch(/^runtime: ONNX Runtime refused a graph: .*NoSuchOperator/);
    expect(message).not.toContain(".cc");
  });
});

describe("forms", () => {
  /** 3 x through a form in one precision, through a node in the other. */
  const tripled: Primitive<null> = {
    name: "tripled",
    output: ([operand]) => operand,
    alternative: ({ inputs: [operand] }, precision) =>
      precision === "float64" ? add(doubled(operand), operand) : undefined,
    lower: ({ inputs: [operand] }, context) => context.node("Mul", [context.name(operand), context.float(3)]),
  };
  const doubledPrimitive: Primitive<null> = {
    name: "doubled",
    output: ([operand]) => operand,
    alternative: ({ inputs: [operand] }) => mul(operand, scalar(2)),
  };
  const doubled = (operand: Value) => apply(doubledPrimitive, [operand], null);

  test("stand for a primitive in the precision that needs them, also within each other", async () => {
    const graph = { inputs: { x }, outputs: { out: apply(tripled, [doubled(exp(apply(tripled, [x], null)))], null) } };
    for (const precision of ["float32", "float64"] as const) {
      const { out } = await run(graph, { x: doubles(0, 0.5) }, precision);
      const digits = precision === "float64" ? 13 : 5;
      expect(Number(out.data[0])).toBeCloseTo(6, digits);
      expect(Number(out.data[1])).toBeCloseTo(6 * Math.exp(1.5), digits);
    }
  });
});
