import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { vjp } from "../../src/autodiff/index.ts";
import { input, type Shape, topologicalOrder, type Value } from "../../src/graph/index.ts";
import {
  type ConvWindows,
  convByColumns,
  convByRows,
  inputTransposeByColumns,
  inputTransposeByRows,
  rowsPay,
  weightRowsPay,
  weightTransposeByColumns,
  weightTransposeByConvolution,
  weightTransposeByPositions,
  weightTransposeByRows,
  weightTransposeDepthwise,
} from "../../src/primitives/convProducts.ts";
import { conv, convInputTranspose, convWeightTranspose, sub } from "../../src/primitives/index.ts";
import { fold, foldBySkew, unfold, unfoldBySkew } from "../../src/primitives/windows.ts";
import { type Stream, stream } from "../../src/random/index.ts";
import { withPreferredKernels } from "../../src/runtime/index.ts";
import type { Precision } from "../../src/tensors/index.ts";
import { evaluate, feed, floats } from "./evaluate.ts";
import { convolution, countWindows, fill, type NdArray } from "./ndarray.ts";

interface Setting extends ConvWindows {
  readonly spatial: Shape;
  readonly C: number;
  readonly O: number;
}

const setting = (spatial: Shape, settings: Partial<Setting>): Setting => {
  const all = (value: number) => spatial.map(() => value);
  const windows = { kernel: all(3), strides: all(1), dilations: all(1), padsBefore: all(0), padsAfter: all(0) };
  return { ...windows, spatial, groups: 1, C: 3, O: 2, ...settings };
};

/** One of each kind: one window or many, of all pixels, of single pixels, with groups, in one to three dimensions. */
const settings: readonly Setting[] = [
  setting([2, 2], { padsBefore: [1, 1], padsAfter: [1, 1] }),
  setting([4, 3], { strides: [2, 1], padsBefore: [1, 0], padsAfter: [1, 2] }),
  setting([5, 5], { kernel: [2, 3], dilations: [3, 2], groups: 2, C: 4, O: 6, padsAfter: [0, 1] }),
  setting([2, 3], { kernel: [2, 3] }),
  setting([2, 3], { kernel: [2, 3], groups: 3, C: 6, O: 3 }),
  setting([2, 2], { kernel: [1, 1] }),
  setting([2, 2], { kernel: [1, 1], groups: 2, C: 4, O: 4 }),
  setting([6, 5], { kernel: [1, 1], strides: [3, 2] }),
  setting([1, 1], { kernel: [1, 1], dilations: [2, 2] }),
  setting([6], { kernel: [2], strides: [2], padsBefore: [1], padsAfter: [1] }),
  setting([2, 2, 2], { kernel: [2, 1, 2], padsAfter: [1, 0, 1] }),
  setting([4, 4], { groups: 3, C: 3, O: 3, strides: [2, 2], padsBefore: [1, 1], padsAfter: [1, 1] }),
];

const N = 2;

function arrays({ spatial, C, O, groups, ...windows }: Setting, random: Stream) {
  const draw = (shape: Shape): NdArray => fill(shape, () => random.normal());
  return {
    x: draw([N, C, ...spatial]),
    w: draw([O, C / groups, ...windows.kernel]),
    c: draw([N, O, ...countWindows(spatial, windows)]),
  };
}

type Operands = "x" | "w" | "c";

/** The largest difference of a form from plain loops, over the largest element. */
async function difference(
  missing: Operands,
  make: (given: Record<Operands, Value>, shape: Shape) => Value,
  { of, seed = 0, precision = "float64" }: { of: Setting; seed?: number; precision?: Precision },
): Promise<number> {
  const given = arrays(of, stream(seed, "operands"));
  const expected = convolution(missing, given, of);
  const fed = feed(
    Object.fromEntries(Object.entries(given).map(([name, { shape, data }]) => [name, floats([...data], shape)])),
  );
  const value = make(fed.inputs as Record<Operands, Value>, expected.shape);
  expect(value.shape).toEqual(expected.shape);
  const { y } = await evaluate({ y: value }, fed, precision);
  const scale = Math.max(...expected.data.map(Math.abs), 1e-3);
  return Math.max(...y.map((value, i) => Math.abs(value - expected.data[i]))) / scale;
}

/** The largest element of a value that should be 0. */
async function largest(
  make: (given: Record<Operands, Value>) => Value,
  { of, precision }: { of: Setting; precision: Precision },
): Promise<number> {
  const given = arrays(of, stream(0, "operands"));
  const fed = feed(
    Object.fromEntries(Object.entries(given).map(([name, { shape, data }]) => [name, floats([...data], shape)])),
  );
  const { y } = await evaluate({ y: make(fed.inputs as Record<Operands, Value>) }, fed, precision);
  return Math.max(...y.map(Math.abs));
}

const forms = [
  ["c", convByColumns],
  ["c", convByRows],
  ["x", inputTransposeByColumns],
  ["x", inputTransposeByRows],
  ["w", weightTransposeByColumns],
  ["w", weightTransposeByPositions],
  ["w", weightTransposeByRows],
] as const;

const operands = { c: ["x", "w"], x: ["c", "w"], w: ["x", "c"] } as const;

describe.each(forms.map(([missing, form]) => [form.name, missing, form] as const))("%s", (_, missing, form) => {
  const [a, b] = operands[missing];
  test.each(["float32", "float64"] as const)("agrees with plain loops in %s", async (precision) => {
    for (const of of settings) {
      const make = (given: Record<Operands, Value>, shape: Shape) => form(given[a], given[b], { windows: of, shape });
      const error = await difference(missing, make, { of, precision });
      expect(error, JSON.stringify(of)).toBeLessThan(precision === "float32" ? 1e-5 : 1e-12);
    }
  });
});

test("weightTransposeDepthwise agrees with plain loops", async () => {
  for (const of of settings.filter(({ C, O, groups }) => C === groups && O === groups)) {
    const error = await difference("w", ({ x, c }, shape) => weightTransposeDepthwise(x, c, { windows: of, shape }), {
      of,
    });
    expect(error).toBeLessThan(1e-12);
  }
});

/** Long windows, of one to three axes. */
const longSettings: readonly Setting[] = [
  setting([150], { kernel: [70], strides: [2], padsBefore: [3], padsAfter: [5] }),
  setting([90], { kernel: [65], C: 1, O: 1, strides: [3] }),
  setting([200], { kernel: [64], dilations: [2], groups: 2, C: 4, O: 4 }),
  setting([12, 11], { kernel: [9, 8], strides: [2, 1], padsBefore: [4, 0], padsAfter: [3, 2], groups: 3, C: 3, O: 6 }),
  setting([11, 13], { kernel: [1, 65], dilations: [2, 1], padsAfter: [0, 60], C: 6 }),
  setting([5, 6, 7], { kernel: [4, 4, 4], strides: [1, 2, 3], dilations: [1, 1, 2] }),
];

describe("windows of any number of positions", () => {
  const convolve = conv;
  test.each(["float32", "float64"] as const)("in a fixed number of operations in %s", async (precision) => {
    const limit = precision === "float32" ? 1e-5 : 1e-12;
    for (const of of [...settings, ...longSettings]) {
      const byConvolution = ({ x, c }: Record<Operands, Value>, shape: Shape) =>
        weightTransposeByConvolution(x, c, { windows: of, shape, convolve });
      expect(await difference("w", byConvolution, { of, precision }), JSON.stringify(of)).toBeLessThan(limit);
    }
    // Windows of few positions, which `unfold` reads by slices.
    for (const of of settings) {
      const counts = countWindows(of.spatial, of);
      const unfolded = [N, of.C, of.kernel.reduce((a, b) => a * b, 1), ...counts];
      const columns = ({ x }: Record<Operands, Value>) => sub(unfoldBySkew(x, of, unfolded), unfold(x, of));
      expect(await largest(columns, { of, precision }), JSON.stringify(of)).toBe(0);
    }
  });

  test("also where they overlap and are added", async () => {
    for (const of of settings) {
      const params = { ...of, spatial: of.spatial };
      const folded = ({ x }: Record<Operands, Value>) => {
        const c = unfold(x, of);
        return sub(foldBySkew(c, params), fold(c, params));
      };
      expect(await largest(folded, { of, precision: "float64" }), JSON.stringify(of)).toBeLessThan(1e-11);
    }
  });

  test("in all three maps", { timeout: 60_000 }, async () => {
    for (const precision of ["float32", "float64"] as const) {
      const limit = precision === "float32" ? 1e-5 : 1e-12;
      for (const of of longSettings) {
        const { spatial, kernel } = of;
        const at = { of, precision };
        expect(await difference("c", ({ x, w }) => conv(x, w, of), at)).toBeLessThan(limit);
        expect(await difference("x", ({ c, w }) => convInputTranspose(c, w, { ...of, spatial }), at)).toBeLessThan(
          limit,
        );
        expect(await difference("w", ({ x, c }) => convWeightTranspose(x, c, { ...of, kernel }), at)).toBeLessThan(
          limit,
        );
      }
    }
  });

  test.each(["float32", "float64"] as const)("the graph does not grow with them in %s", (precision) => {
    const sizeAt = (taps: number, groups: number) => {
      const x = input("x", [2, groups, 4096]);
      const w = input("w", [groups, 1, taps]);
      const y = conv(x, w, { strides: [2], groups });
      const c = input("c", y.shape);
      const cotangents = [convWeightTranspose(x, c, { kernel: [taps], strides: [2], groups })];
      return topologicalOrder(withPreferredKernels([y, ...cotangents, ...vjp([y], [x, w], [c])], precision)).length;
    };
    for (const groups of [1, 3]) expect(sizeAt(1024, groups)).toBe(sizeAt(256, groups));
  });
});

describe("rows are taken", () => {
  const pays = (of: Setting) => {
    const sizes = { spatial: of.spatial, counts: countWindows(of.spatial, of), channels: of.C, outputs: of.O };
    return { maps: rowsPay(of, sizes), weights: weightRowsPay(of, sizes) };
  };
  const padded = { padsBefore: [1, 1], padsAfter: [1, 1], C: 16, O: 16 };
  test.each<[string, Setting, ReturnType<typeof pays>]>([
    ["on small maps", setting([4, 4], padded), { maps: true, weights: true }],
    ["not of few channels", setting([4, 4], { ...padded, C: 4 }), { maps: false, weights: false }],
    ["nor of few channels a group", setting([4, 4], { ...padded, groups: 16 }), { maps: false, weights: false }],
    ["not on medium maps", setting([8, 8], padded), { maps: false, weights: false }],
    ["for weights between", setting([8, 8], { ...padded, strides: [2, 2] }), { maps: false, weights: true }],
    [
      "between for many outputs",
      setting([8, 8], { ...padded, O: 128, strides: [2, 2] }),
      { maps: true, weights: true },
    ],
    ["not for single pixels", setting([4, 4], { kernel: [1, 1], C: 16 }), { maps: false, weights: false }],
    ["but of tiny images", setting([2, 2], { kernel: [1, 1], C: 16 }), { maps: true, weights: true }],
  ])("%s", (_, of, expected) => expect(pays(of)).toEqual(expected));
});

/** Windows of any size, distance and padding, of which few or none may reach the data. */
const anySetting = fc
  .tuple(
    ...[0, 1].map(() => fc.record({ spatial: fc.nat(3), kernel: fc.nat(4), stride: fc.nat(3), dilation: fc.nat(2) })),
  )
  .chain((axes) => {
    const least = axes.map(({ spatial, kernel, dilation }) => Math.max(0, kernel * (dilation + 1) - spatial));
    return fc.record({
      axes: fc.constant(axes),
      before: fc.tuple(...least.map((n) => fc.nat(n + 3))),
      more: fc.tuple(fc.nat(2), fc.nat(2)),
      least: fc.constant(least),
      C: fc.constantFrom(1, 8),
    });
  })
  .map(({ axes, before, more, least, C }) =>
    setting(
      axes.map(({ spatial }) => spatial + 1),
      {
        kernel: axes.map(({ kernel }) => kernel + 1),
        strides: axes.map(({ stride }) => stride + 1),
        dilations: axes.map(({ dilation }) => dilation + 1),
        padsBefore: before,
        padsAfter: least.map((n, axis) => Math.max(0, n - before[axis]) + more[axis]),
        C,
      },
    ),
  );

test("any windows", { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(anySetting, fc.nat(), async (of, seed) => {
      const { spatial, kernel } = of;
      expect(await difference("c", ({ x, w }) => conv(x, w, of), { of, seed })).toBeLessThan(1e-12);
      const input = ({ c, w }: Record<Operands, Value>) => convInputTranspose(c, w, { ...of, spatial });
      expect(await difference("x", input, { of, seed })).toBeLessThan(1e-12);
      const weight = ({ x, c }: Record<Operands, Value>) => convWeightTranspose(x, c, { ...of, kernel });
      expect(await difference("w", weight, { of, seed })).toBeLessThan(1e-12);
    }),
    { numRuns: 60, seed: 1 },
  );
});
