import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { csv, empiricalRisk, hessian, loadModel, meanSquaredError } from "../../src/index.ts";
import { toDense } from "../../src/linalg/index.ts";
import { contentOf } from "../../src/models/import/parameters/index.ts";
import { type TinyModel, tinyModel } from "./tinyModel.ts";

const onebias = (name: string) => fileURLToPath(new URL(`onebias/${name}`, import.meta.url));

/** Decisions on the tensors of a small model, by name. */
async function decisions(model: TinyModel) {
  const { parameters, constants, notices } = await loadModel(tinyModel(model));
  const all = [
    ...parameters.map((each) => ({ ...each, weight: true })),
    ...constants.map((each) => ({ ...each, weight: false })),
  ];
  return { notices, by: Object.fromEntries(all.map((each) => [each.name, each])) };
}

const w: readonly [number[], number[]] = [
  [0.31, -0.72, 0.55, 0.18],
  [2, 2],
];
const product = { op: "MatMul", inputs: ["x", "w"], outputs: ["h"] };

describe("a bias of one number", () => {
  test("is a weight before a single output: loss, gradient and Hessian are those of PyTorch", async () => {
    const model = await loadModel(onebias("bias1.onnx"));
    expect(model.parameters.map(({ name }) => name)).toEqual(["dense/kernel", "dense/bias", "out/kernel", "out/bias"]);
    expect(model.notices).toEqual([]);
    const data = await csv(onebias("d.csv"), { label: "y", targetType: "number", batchSize: 8 });
    const risk = await empiricalRisk({ model, loss: meanSquaredError(), data, dtype: "float64" });
    try {
      expect(risk.size).toBe(31);
      expect(Math.hypot(...(await risk.gradient()))).toBeCloseTo(3.986284, 5);
      const { data: entries } = await toDense(hessian(risk));
      const trace = Array.from({ length: 31 }, (_, i) => entries[32 * i]).reduce((sum, x) => sum + x, 0);
      expect(trace).toBeCloseTo(10.110218, 5);
    } finally {
      await risk.dispose();
    }
  });

  test("is a weight after a convolution", async () => {
    const { parameters } = await loadModel(onebias("convbias1.onnx"));
    expect(parameters.map(({ name }) => name)).toEqual(["conv/kernel", "conv/bias"]);
  });
});

describe("candidates", () => {
  test.each([
    ["Div", {}],
    ["Pow", {}],
    ["Max", {}],
    ["Min", {}],
    ["Einsum", { attributes: { equation: { string: "ni,i->ni" } } }],
  ])("are found through %s, alone and on a computed operand", async (op, extra) => {
    const computed = await decisions({
      weights: { w, p: [[0.7, 1.3], [2]] },
      nodes: [
        product,
        { op: "Softplus", inputs: ["p"], outputs: ["q"] },
        { op, inputs: ["h", "q"], outputs: ["y"], ...extra },
      ],
    });
    expect(computed.by.p).toMatchObject({ weight: true });
    const direct = await decisions({
      weights: { w, p: [[0.7, 1.3], [2]] },
      nodes: [product, { op, inputs: ["h", "p"], outputs: ["y"], ...extra }],
    });
    expect(direct.by.p).toMatchObject({ weight: true });
  });

  test("are not what only compares, rounds to integers or gives sizes", async () => {
    const { by } = await decisions({
      weights: { w, limit: [[0.7, 1.3], [2]], ratio: [[0.37], []] },
      nodes: [
        product,
        { op: "Greater", inputs: ["h", "limit"], outputs: ["c"] },
        { op: "Dropout", inputs: ["h", "ratio"], outputs: ["d"] },
        { op: "Where", inputs: ["c", "d", "h"], outputs: ["y"] },
      ],
    });
    expect(by.limit).toMatchObject({ weight: false, evidence: "unused", certain: true });
    expect(by.ratio).toMatchObject({ weight: false, evidence: "unused" });
  });

  test("that no output needs are listed as unused", async () => {
    const { by } = await decisions({
      weights: { w, v: w },
      nodes: [
        { ...product, outputs: ["y"] },
        { op: "MatMul", inputs: ["x", "v"], outputs: ["other"] },
      ],
    });
    expect(by.v).toMatchObject({
      weight: false,
      evidence: "unused",
      reason: "no derivative of the outputs depends on it",
    });
  });

  test("that would reach an operator without a rule, and are uncertain, are left constant with its name", async () => {
    const { by, notices } = await decisions({
      weights: {
        w,
        p: [
          [0.31, -0.72, 0.55, 0.18],
          [1, 2, 2],
        ],
      },
      nodes: [
        product,
        { op: "Det", name: "volume", inputs: ["p"], outputs: ["s"] },
        { op: "Mul", inputs: ["h", "s"], outputs: ["y"] },
      ],
    });
    expect(by.p).toMatchObject({ weight: false, reason: 'it reaches Det "volume", which has no derivative rule' });
    expect(notices).toEqual([
      "1 tensor with 4 numbers was left constant and could be a weight: p; take with parameters: { include } (--weights NAME).",
    ]);
  });
});

describe("the rule for what is uncertain", () => {
  test("takes initializers of several numbers and leaves single numbers and Constant nodes, with a notice each", async () => {
    const value = { tensor: { data: Float32Array.of(0.331, -0.712), dims: [2] } };
    const { by, notices } = await decisions({
      weights: { w, several: [[0.7123, 1.3321], [2]], single: [[0.73219], []], epsilon: [[1e-5], []], two: [[2], []] },
      nodes: [
        product,
        { op: "Constant", inputs: [], outputs: ["node"], attributes: { value } },
        { op: "Max", inputs: ["h", "several", "node"], outputs: ["a"] },
        { op: "Mul", inputs: ["a", "single"], outputs: ["b"] },
        { op: "Mul", inputs: ["b", "epsilon"], outputs: ["c"] },
        { op: "Mul", inputs: ["c", "two"], outputs: ["y"] },
      ],
    });
    expect(by.several).toMatchObject({ weight: true, certain: false });
    expect(by.single).toMatchObject({ weight: false, certain: false });
    expect(by.node).toMatchObject({ weight: false, certain: false });
    for (const name of ["epsilon", "two"]) expect(by[name]).toMatchObject({ weight: false, certain: true });
    expect(notices).toEqual([
      "1 tensor with 2 numbers was taken as a weight and could be a constant: several; leave out with parameters: { exclude } (--constants NAME).",
      "2 tensors with 3 numbers were left constant and could be weights: single, node; take with parameters: { include } (--weights NAME).",
    ]);
  });

  test("does not apply to what the caller names", async () => {
    const weights = { w, several: [[0.7123, 1.3321], [2]] } as const;
    const bytes = tinyModel({ weights, nodes: [product, { op: "Max", inputs: ["h", "several"], outputs: ["y"] }] });
    for (const parameters of [{ include: ["several"] }, { exclude: ["several"] }]) {
      expect((await loadModel(bytes, { parameters })).notices).toEqual([]);
    }
  });

  test("leaves what standardizes an input", async () => {
    const { by } = await decisions({
      weights: { w, mean: [[0.31, -0.2], [2]], deviation: [[0.7, 1.2], [2]] },
      nodes: [
        { op: "Sub", inputs: ["x", "mean"], outputs: ["a"] },
        { op: "Div", inputs: ["a", "deviation"], outputs: ["b"] },
        { op: "MatMul", inputs: ["b", "w"], outputs: ["y"] },
      ],
    });
    expect([by.mean.weight, by.deviation.weight, by.w.weight]).toEqual([false, false, true]);
  });
});

describe("habits of exporters", () => {
  const names = (model: TinyModel) => decisions(model).then(({ by }) => by);
  const value = { tensor: { data: Float32Array.of(0.331, -0.712), dims: [2] } };
  const constant = { op: "Constant", inputs: [], outputs: ["c"], attributes: { value } };
  const p: readonly [number[], number[]] = [[0.7123, 1.3321], [2]];
  const sum = { op: "Sum", inputs: ["h", "a", "b", "c"], outputs: ["y"] };

  test("TorchScript keeps no weight in a Constant node", async () => {
    const by = await names({
      producer: "pytorch",
      weights: { w },
      nodes: [product, constant, { op: "Add", inputs: ["h", "c"], outputs: ["y"] }],
    });
    expect(by.c).toMatchObject({ weight: false, evidence: "storage", certain: true });
  });

  test("TorchScript stores the parameters of a module before its buffers", async () => {
    const before = await names({
      producer: "pytorch",
      weights: { a: p, "l.weight": w, weight: w, "l.b": p, c: p },
      nodes: [
        { op: "MatMul", inputs: ["x", "weight"], outputs: ["g"] },
        { op: "MatMul", inputs: ["g", "l.weight"], outputs: ["h"] },
        { op: "Sum", inputs: ["h", "a", "l.b", "c"], outputs: ["y"] },
      ],
    });
    expect(before.a).toMatchObject({
      weight: true,
      certain: true,
      reason: "stored before the parameter weight of its module",
    });
    for (const name of ["l.b", "c"]) expect(before[name]).toMatchObject({ weight: true, certain: false });
    const after = await names({
      producer: "pytorch",
      weights: { w, a: p, running_mean: p, b: p, c: p },
      nodes: [product, { ...sum, inputs: [...sum.inputs, "running_mean"] }],
    });
    expect(after.a).toMatchObject({ weight: true, certain: false });
    for (const name of ["b", "c"]) {
      const reason = "stored after the buffer running_mean of its module";
      expect(after[name]).toMatchObject({ weight: false, certain: true, reason });
    }
  });

  test("TorchScript computes 1 - p beforehand, which is said", async () => {
    const { by, notices } = await decisions({
      producer: "pytorch",
      weights: { w, p, "onnx::Mul_9": [[1 - 0.7123, 1 - 1.3321], [2]] },
      nodes: [
        product,
        { op: "Mul", inputs: ["h", "p"], outputs: ["a"] },
        { op: "Mul", inputs: ["h", "onnx::Mul_9"], outputs: ["b"] },
        { op: "Add", inputs: ["a", "b"], outputs: ["y"] },
      ],
    });
    expect(by["onnx::Mul_9"]).toMatchObject({
      weight: false,
      certain: false,
      reason: "1 - p, computed before the export",
    });
    expect(notices.at(-1)).toBe(
      "Derivatives in p lack what goes through that tensor, which the exporter computed beforehand.",
    );
  });

  test.each([
    ["tf2onnx 1.16", "model/gate/ReadVariableOp:0", "const_fold_opt__12"],
    ["PaddlePaddle", "scale_0.w_0", "p2o.helper.constant.3"],
    ["skl2onnx", "coefficient2", "Ad_Addcst"],
  ])("%s tells weights from numbers of the code by names", async (producer, weight, number) => {
    const by = await names({
      producer,
      weights: { w, [weight]: [[0.73219], [1]], [number]: p },
      nodes: [
        product,
        { op: "Mul", inputs: ["h", weight], outputs: ["g"] },
        { op: "Max", inputs: ["g", number], outputs: ["y"] },
      ],
    });
    expect(by[weight]).toMatchObject({ weight: true, evidence: "storage", certain: true });
    expect(by[number]).toMatchObject({ weight: false, evidence: "storage", certain: true });
  });
});

describe("contents", () => {
  const number = fc.double({ min: -3, max: 3, noNaN: true });
  const pattern = (numbers: readonly number[], dims: readonly number[] = [numbers.length]) =>
    contentOf({ data: Float32Array.from(numbers), dims }).pattern;

  test("equal steps, powers and grids are sequences by a rule", () => {
    fc.assert(
      fc.property(
        number,
        fc.double({ min: 0.1, max: 3, noNaN: true }),
        fc.integer({ min: 5, max: 40 }),
        (start, step, n) => {
          const steps = Array.from({ length: n }, (_, i) => start + i * step);
          expect(pattern(steps)).toMatch(/sequence/);
          expect(pattern(Array.from({ length: n }, (_, i) => step * (0.5 + step / 10) ** i))).toMatch(/sequence/);
          const grid = steps.flatMap((row) => Array.from({ length: 6 }, () => row));
          expect(pattern(grid)).toMatch(/sequence/);
        },
      ),
    );
  });

  test("tables of sines and cosines are, whatever their frequencies, along either axis", () => {
    const frequencies = fc.array(fc.double({ min: 1e-4, max: 3, noNaN: true }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(frequencies, fc.integer({ min: 5, max: 50 }), (angles, n) => {
        const rows = Array.from({ length: n }, (_, t) => angles.flatMap((a) => [Math.sin(a * t), Math.cos(a * t)]));
        expect(pattern(rows.flat(), [1, n, 2 * angles.length])).toBeDefined();
        const transposed = rows[0].map((_, j) => rows.map((row) => row[j]));
        expect(pattern(transposed.flat(), [2 * angles.length, n])).toBeDefined();
      }),
    );
  });

  test("random numbers are not, of any shape", () => {
    const dims = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(dims, fc.integer({ min: 1, max: 2 ** 31 - 2 }), (shape, seed) => {
        let state = seed;
        const random = () => {
          state = (state * 48271) % 2147483647;
          return state / 2147483647 - 0.5;
        };
        const size = shape.reduce((all, dim) => all * dim, 1);
        const content = contentOf({ data: Float32Array.from({ length: size }, random), dims: shape });
        expect(content).toMatchObject({ pattern: undefined, masking: false, sparse: false, coarse: false });
      }),
    );
  });

  test("masks, identities, position biases and shares are told apart", () => {
    expect(pattern([1, 0, 0, 0, 1, 0, 0, 0, 1], [1, 9])).toMatch(/zeros and ones/);
    expect(
      pattern(
        [0, -1, -2, -1, 0, -1, -2, -1, 0].map((x) => x / 3),
        [3, 3],
      ),
    ).toMatch(/difference of two positions/);
    expect(contentOf({ data: Float32Array.of(0.25, 0.75, 0.5, 0.5), dims: [2, 2] }).probabilities).toBe(true);
    expect(contentOf({ data: Float32Array.of(0.25, -0.75, 0.5, 0.5), dims: [2, 2] }).probabilities).toBe(false);
    expect(contentOf({ data: Float32Array.of(0, -Infinity), dims: [2] }).masking).toBe(true);
    for (const x of [2, 0.5, 1e-6, Math.sqrt(8), 1 / Math.sqrt(24), Math.sqrt(2 / Math.PI)])
      expect(contentOf({ data: Float32Array.of(x), dims: [] }).written).toBe(true);
    expect(contentOf({ data: Float32Array.of(0.73219), dims: [] }).written).toBe(false);
  });
});
