import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { scalar, type Value } from "../../src/graph/index.ts";
import {
  arrays,
  type EmpiricalRiskOptions,
  empiricalFisher,
  empiricalRisk,
  functionModel,
  gradientCovariance,
  gradientSecondMoment,
  loadModel,
  type Model,
  meanSquaredError,
} from "../../src/index.ts";
import { toDense } from "../../src/linalg/index.ts";
import {
  add,
  cast,
  concat,
  matmul,
  mean,
  range,
  reduceMax,
  reshape,
  scale,
  slice,
  softmax,
  square,
  sub,
  swapLastAxes,
  tanh,
} from "../../src/primitives/index.ts";
import { stream } from "../../src/random/index.ts";
import { compile } from "../../src/runtime/index.ts";
import { type TinyModel, tinyModel } from "../models/tinyModel.ts";
import { rejectionOf } from "../onnx/messageOf.ts";

const normal = (size: number, seed = 1) => {
  const random = stream(seed, "rows");
  return Float64Array.from({ length: size }, () => random.normal());
};

/** tanh(x w), and what comes after it. */
const modelOf = (after: (h: Value) => Value): Model =>
  functionModel({
    name: "network",
    parameters: { w: { data: normal(6, 7), dims: [2, 3] } },
    inputs: { x: { dims: [2] } },
    apply: ({ w }, { x }) => after(tanh(matmul(x, w))),
  });

/** The objective on rows of random numbers; targets are of the outputs' size. */
async function riskOf(
  model: Model,
  {
    rows,
    batchSize = 512,
    x = normal(2 * rows),
    weights,
    ...options
  }: Partial<EmpiricalRiskOptions> & {
    readonly rows: number;
    readonly batchSize?: number;
    readonly x?: Float64Array;
    readonly weights?: readonly number[];
  },
) {
  const targets = { data: normal(3 * rows, 3), dims: [rows, 3] };
  const data = arrays({ inputs: { data: x, dims: [rows, 2] }, targets, batchSize, ...(weights && { weights }) });
  return empiricalRisk({ model, loss: meanSquaredError(), data, dtype: "float64", ...options });
}

async function lossOf(model: Model, options: Parameters<typeof riskOf>[1]): Promise<number> {
  const risk = await riskOf(model, options);
  try {
    return await risk.loss();
  } finally {
    await risk.dispose();
  }
}

/** The outputs for the first of some random rows, in float32. */
async function inFloat32({ parameters, graph }: Model, rows: number): Promise<number[]> {
  const { parameters: free, inputs, outputs } = await graph({ shapes: { x: [rows, 2] }, outputs: ["output"] });
  const program = await compile({ inputs: { x: inputs.x, w: free[0] }, outputs }, { precision: "float32" });
  const { data, dims } = parameters[0];
  const x = { data: normal(2 * rows), dims: [rows, 2] };
  const { output } = await program.run({ x, w: { data, dims } });
  await program.release();
  return Array.from(output.data as Float32Array);
}

const row = (h: Value, start: number, limit = start + 1) => slice(h, { axis: 0, start, limit });

const couplings: { readonly [name: string]: (h: Value) => Value } = {
  "a mean over rows": (h) => sub(h, mean(h, [0])),
  "a maximum over rows": (h) => sub(h, reduceMax(h, [0])),
  "a softmax over rows": (h) => softmax(h, 0),
  "the first row": (h) => add(h, row(h, 0)),
  "the row before": (h) => add(h, scale(concat([row(h, h.shape[0] - 1), row(h, 0, h.shape[0] - 1)], 0), 0.1)),
  "pairs of rows": (h) => matmul(matmul(h, swapLastAxes(h)), h),
  "the place in the batch": (h) => add(h, scale(reshape(cast(range(h.shape[0]), "float"), [h.shape[0], 1]), 0.01)),
  "the number of rows": (h) => scale(h, 1 / h.shape[0]),
};

const separate: { readonly [name: string]: (h: Value) => Value } = {
  nothing: (h) => h,
  "a mean over columns": (h) => sub(h, reshape(mean(h, [1]), [h.shape[0], 1])),
  "a softmax over columns": (h) => softmax(h, 1),
  "attention within a row": (h) => {
    const tokens = reshape(h, [h.shape[0], 3, 1]);
    return reshape(matmul(softmax(matmul(tokens, swapLastAxes(tokens)), 2), tokens), h.shape);
  },
};

describe("rows that influence one another", () => {
  test("are refused, whatever couples them and whatever the batch size", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...Object.keys(couplings)),
        fc.integer({ min: 2, max: 11 }),
        fc.integer({ min: 1, max: 12 }),
        fc.constantFrom("float32" as const, "float64" as const),
        async (name, rows, batchSize, dtype) => {
          const message = await rejectionOf(lossOf(modelOf(couplings[name]), { rows, batchSize, dtype }));
          expect(message).toMatch(/^model: network: rows of a batch influence one another/);
        },
      ),
      { numRuns: 40 },
    );
  });

  test.each(Object.keys(couplings))("%s is seen in batches of one, of some and of all rows", async (name) => {
    for (const batchSize of [1, 2, 3, 6, 7]) {
      const message = await rejectionOf(lossOf(modelOf(couplings[name]), { rows: 7, batchSize }));
      expect(message).toContain("influence one another");
    }
  });

  test("separate rows pass, whatever the batch size", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...Object.keys(separate)),
        fc.integer({ min: 1, max: 11 }),
        fc.integer({ min: 1, max: 12 }),
        fc.constantFrom("float32" as const, "float64" as const),
        async (name, rows, batchSize, dtype) => {
          expect(await lossOf(modelOf(separate[name]), { rows, batchSize, dtype })).toBeGreaterThan(0);
        },
      ),
      { numRuns: 30 },
    );
  });

  test("rounding that a deep network in float32 makes large is none", async () => {
    // A sum that rounds in a way that depends on the batch size, and logistic maps, which double an error each time.
    const chaotic = (h: Value) => {
      const [n] = h.shape;
      let z = add(scale(sub(add(h, scalar(n)), scalar(n)), 0.4), scalar(0.5));
      for (let i = 0; i < 20; i++) z = scale(sub(z, square(z)), 3.9);
      return z;
    };
    const model = modelOf(chaotic);
    expect(await lossOf(model, { rows: 50, dtype: "float32" })).toBeGreaterThan(0);
    const outputs = await Promise.all([50, 4].map((rows) => inFloat32(model, rows)));
    const worst = Math.max(...outputs[1].map((value, i) => Math.abs(value - outputs[0][i])));
    expect(worst).toBeGreaterThan(1e-3);
  });

  test("rows that are all equal, and a single row, show nothing and pass", async () => {
    const coupled = modelOf(couplings["a mean over rows"]);
    expect(await lossOf(coupled, { rows: 1 })).toBeGreaterThan(0);
    const x = Float64Array.from({ length: 10 }, (_, i) => 1 + (i % 2));
    expect(await lossOf(coupled, { rows: 5, x })).toBeGreaterThan(0);
  });

  test("a later data set of several rows shows what a first one of one row could not", async () => {
    const risk = await riskOf(modelOf(couplings["a mean over rows"]), { rows: 1 });
    const data = arrays({
      inputs: { data: normal(8), dims: [4, 2] },
      targets: { data: normal(12), dims: [4, 3] },
    });
    expect(await rejectionOf(risk.on(data))).toContain("influence one another");
    await risk.dispose();
  });

  test("the message names the first node that couples, the numbers, and what can be done", async () => {
    const message = await rejectionOf(lossOf(modelOf(couplings["a softmax over rows"]), { rows: 7, batchSize: 7 }));
    expect(message).toMatch(
      /^model: network: rows of a batch influence one another, first at softmax: number 0 of output "output" of row 6 is [-.\d]+ in a batch of 7 and [-.\d]+ in a batch of 4, so the loss is not a sum over rows and results would depend on the batch size\. Export the model in evaluation mode, with stored statistics; if its rows lie on another axis \(time first\), export it with the rows first; or pass coupledRows: true \(--coupled-rows\) to take the whole data set as one batch, whose loss is a function of all its rows$/,
    );
  });
});

type Node = TinyModel["nodes"][number];
const node = (op: string, inputs: string, output: string, more: Partial<Node> = {}): Node => ({
  op,
  name: `the ${op}`,
  inputs: inputs.split(" "),
  outputs: [output],
  ...more,
});

/** y after z = x w, for x of some sizes; the time axis is the first in some. */
const fileOf = (nodes: readonly Node[], dims: readonly (number | string)[] = ["n", 2]) =>
  loadModel(
    tinyModel({
      inputs: [{ name: "x", dtype: "float32", dims: [...dims] }],
      weights: { w: [Array.from(normal(6, 7)), [2, 3]] },
      initializers: [
        { name: "axes", tensor: { data: BigInt64Array.of(0n), dims: [1] } },
        { name: "zero", tensor: { data: BigInt64Array.of(0n), dims: [] } },
      ],
      nodes: [node("MatMul", "x w", "z"), ...nodes],
    }),
    { parameters: { include: ["w"] } },
  );

const centered = [node("ReduceMean", "z", "m", { attributes: { axes: { ints: [0] } } }), node("Sub", "z m", "y")];

describe("the node that couples rows", () => {
  test.each<[string, readonly Node[], string]>([
    ["a mean", [node("Tanh", "z", "t"), ...centered], 'ReduceMean "the ReduceMean"'],
    ["a running sum", [node("CumSum", "z axes", "y")], 'CumSum "the CumSum"'],
    [
      "a share of the number of rows",
      [
        node("Shape", "z", "s"),
        node("Gather", "s zero", "k"),
        node("Cast", "k", "n", { attributes: { to: { int: 1 } } }),
        node("Div", "z n", "y"),
      ],
      'Div "the Div"',
    ],
    [
      "a norm behind a transposition",
      [
        node("Transpose", "z", "t", { attributes: { perm: { ints: [1, 0] } } }),
        node("Softmax", "t", "s", { attributes: { axis: { int: 1 } } }),
        node("Transpose", "s", "y", { name: "back", attributes: { perm: { ints: [1, 0] } } }),
      ],
      'Softmax "the Softmax"',
    ],
  ])("of a file is named: %s", async (_, nodes, name) => {
    for (const batchSize of [1, 5, 8]) {
      const message = await rejectionOf(lossOf(await fileOf(nodes), { rows: 8, batchSize }));
      expect(message).toContain(`influence one another, first at ${name}: number`);
    }
  });

  test("of a recurrent network whose first axis is time is named, forward and backward", async () => {
    for (const direction of ["forward", "reverse", "bidirectional"]) {
      const directions = direction === "bidirectional" ? 2 : 1;
      const model = await loadModel(
        tinyModel({
          inputs: [{ name: "x", dtype: "float32", dims: ["t", "n", 2] }],
          weights: {
            w: [Array.from(normal(6 * directions, 7)), [directions, 3, 2]],
            r: [Array.from(normal(9 * directions, 8)), [directions, 3, 3]],
          },
          nodes: [
            {
              op: "RNN",
              name: "recurrent",
              inputs: ["x", "w", "r"],
              outputs: ["y"],
              attributes: { hidden_size: { int: 3 }, direction: { string: direction } },
            },
          ],
        }),
      );
      const rows = 6;
      const size = 4 * directions * 3;
      const data = arrays({
        inputs: { data: normal(rows * 4 * 2), dims: [rows, 4, 2] },
        targets: { data: normal(rows * size), dims: [rows, directions, 4, 3] },
      });
      const message = await rejectionOf(empiricalRisk({ model, loss: meanSquaredError(), data }));
      expect(message).toContain('influence one another, first at RNN "recurrent": number 0 of output "y"');
    }
  });
});

describe("files with a fixed number of rows", () => {
  test("of one row have none that could meet", async () => {
    expect(await lossOf(await fileOf(centered, [1, 2]), { rows: 4 })).toBeGreaterThan(0);
  });

  test("of some rows are refused where these influence one another", async () => {
    const message = await rejectionOf(lossOf(await fileOf(centered, [3, 2]), { rows: 6 }));
    expect(message).toContain(
      'rows of a batch of the 3 that the file computes at once influence one another, first at ReduceMean "the ReduceMean": ',
    );
    expect(message).toContain("(--coupled-rows) to take each group of rows as one, whose loss");
    expect(await lossOf(await fileOf([node("Tanh", "z", "y")], [3, 2]), { rows: 6 })).toBeGreaterThan(0);
  });

  test("are computed in their groups with coupledRows, whatever the batch size", async () => {
    const model = await fileOf(centered, [3, 2]);
    const risk = await riskOf(model, { rows: 6, coupledRows: true });
    expect(risk.notices.at(-1)).toBe(
      "Rows may influence one another, as asked for: rows are computed in consecutive groups of 3, as the file does, and results belong to these groups as a whole.",
    );
    const single = await lossOf(model, { rows: 6, batchSize: 1, coupledRows: true });
    expect(single).toBeCloseTo(await risk.loss(), 12);
    await risk.dispose();
  });
});

describe("coupledRows", () => {
  const coupled = modelOf(couplings["a mean over rows"]);

  test("takes the whole data set as one batch, whatever the batch size", async () => {
    const losses: number[] = [];
    for (const batchSize of [1, 3, 7, 512]) {
      const risk = await riskOf(coupled, { rows: 7, batchSize, coupledRows: true });
      expect(risk.data.batchSize).toBe(7);
      expect(risk.coupledRows).toBe(true);
      expect(risk.notices.at(-1)).toBe(
        "Rows may influence one another, as asked for: all rows are computed as one batch, and results belong to these rows as a whole.",
      );
      losses.push(await risk.loss());
      await risk.dispose();
    }
    expect(new Set(losses).size).toBe(1);
    expect(
      (
        await riskOf(
          modelOf((h) => h),
          { rows: 2 },
        )
      ).coupledRows,
    ).toBe(false);
  });

  test("keeps the empirical Fisher matrix, the sum over terms of the outer products of their total gradients", async () => {
    const rows = 4;
    const loss = meanSquaredError({ reduction: "sum" });
    const risk = await riskOf(coupled, { rows, coupledRows: true, loss });
    const fisher = await toDense(empiricalFisher(risk));
    const expected = new Float64Array(risk.size ** 2);
    for (let term = 0; term < rows; term++) {
      const weights = Array.from({ length: rows }, (_, i) => Number(i === term));
      const single = await riskOf(coupled, { rows, coupledRows: true, loss, weights });
      const g = await single.gradient();
      for (const [i, a] of g.entries()) for (const [j, b] of g.entries()) expected[i * risk.size + j] += a * b;
      await single.dispose();
    }
    const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    expected.forEach((value, i) => {
      expect(Math.abs(fisher.data[i] - value)).toBeLessThan(1e-12 * largest);
    });
    await risk.dispose();
  });

  test("refuses what needs rows by themselves: shards, and second moments of row gradients", async () => {
    const shard = { rows: 14, firstRow: 0, denominator: 42 };
    expect(await rejectionOf(riskOf(coupled, { rows: 7, coupledRows: true, shard }))).toBe(
      "argument: shard: with coupledRows the loss is a function of all rows together, so these 7 rows cannot be a part of 14; leave shard out",
    );
    const risk = await riskOf(coupled, { rows: 7, coupledRows: true });
    for (const matrix of [gradientSecondMoment, gradientCovariance]) {
      expect(await rejectionOf((async () => matrix(risk))())).toBe(
        "unsupported: second moment and covariance of row gradients are about rows that contribute to the loss independently, but with coupledRows each row's share depends on the other rows; use empiricalFisher, which sums over terms as they are",
      );
    }
    await risk.dispose();
  });
});
