import { describe, expect, test } from "vitest";
import { arrays } from "../../src/data/index.ts";
import { adjoint, matmat, type Progress, submatrix, toDense } from "../../src/linalg/index.ts";
import { bceWithLogits, crossEntropy, gaussianNll, meanSquaredError } from "../../src/losses/index.ts";
import { functionModel } from "../../src/models/index.ts";
import { empiricalRisk, hessian, jacobian, type Risk } from "../../src/operators/index.ts";
import { mul, reduceSum, tanh } from "../../src/primitives/index.ts";
import type { Tensor, Vector } from "../../src/tensors/index.ts";
import { rejectionOf } from "../onnx/messageOf.ts";
import { allMatrices } from "./allMatrices.ts";
import { expectClose } from "./closeness.ts";
import { dataOf, type RiskCase, randomTensor, riskCases } from "./riskCases.ts";

const weighted = riskCases["cross-entropy with weights of rows and classes, ignored rows, smoothing"];
const plain = riskCases["cross-entropy"];

async function using(risk: Promise<Risk>, use: (risk: Risk) => Promise<void>): Promise<void> {
  const opened = await risk;
  try {
    await use(opened);
  } finally {
    await opened.dispose();
  }
}

const open = (riskCase: RiskCase, options: Partial<Parameters<typeof empiricalRisk>[0]> = {}) =>
  empiricalRisk({
    model: riskCase.model,
    loss: riskCase.loss,
    data: dataOf(riskCase, 4),
    dtype: "float64",
    ...options,
  });

describe("parameter subsets", () => {
  test.each([
    ["a name", "second.bias", ["second.bias"]],
    ["a pattern with a star", "first.*", ["first.weight", "first.bias"]],
    ["a regular expression", /weight$/, ["first.weight", "second.weight"]],
    ["several", ["second.bias", /^first/], ["first.weight", "first.bias", "second.bias"]],
  ] as const)("%s: every matrix is the submatrix", async (_, parameters, names) => {
    await using(open(weighted), async (all) => {
      await using(open(weighted, { parameters }), async (some) => {
        expect(some.parameters.map(({ name }) => name)).toEqual(names);
        expect(some.size).toBe(some.parameters.reduce((sum, { size }) => sum + size, 0));
        const indices = names.flatMap((name) => {
          const { offset, size } = all.parameters.find((parameter) => parameter.name === name)!;
          return Array.from({ length: size }, (_, i) => offset + i);
        });
        const pick = (x: Vector) => Float64Array.from(indices, (i) => x[i]);
        expect(await some.loss()).toBeCloseTo(await all.loss(), 14);
        expectClose(await some.gradient(), pick(await all.gradient()), 1e-12);
        expect([...some.theta()]).toEqual([...pick(all.theta())]);
        for (const make of Object.values(allMatrices)) {
          const expected = await toDense(submatrix(make(all), { rows: indices, columns: indices }));
          expectClose((await toDense(make(some))).data, expected.data, 1e-12);
        }
      });
    });
  });

  test("a parameter that the output does not depend on has derivatives 0", async () => {
    const model = functionModel({
      parameters: { used: randomTensor([4], 1), unused: randomTensor([3], 2) },
      inputs: { x: { dims: [4] } },
      apply: (p, { x }) => reduceSum(tanh(mul(x, p.used)), [1]),
    });
    const data = arrays({ inputs: randomTensor([5, 4], 3), targets: randomTensor([5], 4), batchSize: 2 });
    await using(empiricalRisk({ model, loss: meanSquaredError(), data, dtype: "float64" }), async (risk) => {
      const v = randomTensor([7], 5).data;
      for (const x of [
        await risk.gradient(),
        await hessian(risk).matvec(v),
        await adjoint(jacobian(risk)).matvec(v.subarray(0, 5)),
      ])
        expect([...x.slice(4)]).toEqual([0, 0, 0]);
      expect([...(await hessian(risk).matvec(Float64Array.of(0, 0, 0, 0, 1, 2, 3)))]).toEqual(new Array(7).fill(0));
    });
    await using(
      empiricalRisk({ model, loss: meanSquaredError(), data, dtype: "float64", parameters: "unused" }),
      async (risk) => {
        for (const make of Object.values(allMatrices))
          expect([...(await make(risk).matvec(Float64Array.of(1, 2, 3)))]).toEqual([0, 0, 0]);
        expect([...(await jacobian(risk).matvec(Float64Array.of(1, 2, 3)))]).toEqual(new Array(5).fill(0));
      },
    );
  });
});

test("flat vectors are the parameters in order, and split and join are inverse", async () => {
  await using(open(plain), async (risk) => {
    const theta = risk.theta();
    const parts = risk.split(theta);
    expect(Object.keys(parts)).toEqual(plain.model.parameters.map(({ name }) => name));
    for (const { name, dims, data } of plain.model.parameters) {
      expect(parts[name].dims).toEqual(dims);
      expect([...(parts[name].data as Float64Array)]).toEqual([...data]);
    }
    expect([...risk.join(parts)]).toEqual([...theta]);
    const { "second.bias": last } = parts;
    const joined = risk.join({ "second.bias": last });
    expect([...joined.slice(-3)]).toEqual([...(last.data as Float64Array)]);
    expect(joined.slice(0, -3).every((x) => x === 0)).toBe(true);
  });
});

test("two outputs of one number a row are mean and log-variance", async () => {
  const parameters = { mean: randomTensor([3], 1), spread: randomTensor([3], 2) };
  const model = (together: boolean) =>
    functionModel({
      parameters,
      inputs: { x: { dims: [3] } },
      apply(p, { x }) {
        const [m, s] = [reduceSum(mul(x, p.mean), [1]), reduceSum(mul(x, p.spread), [1])];
        return together ? { m, s } : { s, m };
      },
    });
  const inputs = randomTensor([5, 3], 3);
  const targets = randomTensor([5], 4);
  const data = arrays({ inputs, targets, batchSize: 2 });
  const x = inputs.data;
  const along = (w: Float64Array, n: number) => w.reduce((sum, weight, i) => sum + weight * x[3 * n + i], 0);
  const expected = Array.from({ length: 5 }, (_, n) => {
    const s = along(parameters.spread.data, n);
    return (s + (targets.data[n] - along(parameters.mean.data, n)) ** 2 * Math.exp(-s)) / 2;
  }).reduce((sum, term) => sum + term / 5, 0);
  for (const together of [true, false]) {
    const loss = gaussianNll({ outputs: ["m", "s"] });
    await using(empiricalRisk({ model: model(together), loss, data, dtype: "float64" }), async (risk) => {
      expect(await risk.loss()).toBeCloseTo(expected, 13);
    });
  }
});

test("another output than the first is read by name", async () => {
  const { model, inputs } = riskCases["gaussian on two outputs with weights"];
  const [targets] = [randomTensor([9, 3], 1)];
  const data = arrays({ inputs, targets });
  await using(
    empiricalRisk({ model, loss: meanSquaredError(), data, dtype: "float64", output: "unused" }),
    async (risk) => {
      const { unused } = await model.run(inputs);
      const expected = (unused.data as Float64Array).reduce((sum, f, i) => sum + (f - targets.data[i]) ** 2 / 27, 0);
      expect(await risk.loss()).toBeCloseTo(expected, 13);
    },
  );
});

test("labels mean the same in every integer type, and as whole numbers in floats", async () => {
  const { model, inputs } = plain;
  const values = [0, 2, 1, 2, 0, 1, 1, 0, 2];
  const tensors: Tensor[] = [
    { data: BigInt64Array.from(values, BigInt), dims: [9] },
    { data: Int32Array.from(values), dims: [9] },
    { data: Uint8Array.from(values), dims: [9] },
    { data: Float32Array.from(values), dims: [9] },
    { data: Float64Array.from(values), dims: [9] },
    { data: Int32Array.from(values), dims: [9, 1] },
  ];
  const losses: number[] = [];
  for (const targets of tensors) {
    const data = arrays({ inputs, targets, batchSize: 5 });
    await using(empiricalRisk({ model, loss: crossEntropy(), data, dtype: "float64" }), async (risk) => {
      losses.push(await risk.loss());
    });
  }
  expect(new Set(losses).size).toBe(1);
});

test("whole numbers are exact targets of a regression", async () => {
  const model = functionModel({
    parameters: { w: { data: Float64Array.of(1), dims: [1] } },
    inputs: { x: { dims: [] } },
    apply: (p, { x }) => mul(x, p.w),
  });
  const data = arrays({
    inputs: { data: Float64Array.of(2 ** 30), dims: [1] },
    targets: { data: Int32Array.of(2 ** 30 + 1), dims: [1] },
  });
  await using(empiricalRisk({ model, loss: meanSquaredError(), data, dtype: "float64" }), async (risk) => {
    expect(await risk.loss()).toBe(1);
  });
});

test("shards of a data set add up to the whole", async () => {
  const { model, loss, inputs, targets, weights, denominator } = weighted;
  const half = (from: number, to: number) => {
    const [x, y] = [inputs.x, targets].map((tensor) => {
      const size = tensor.data.length / 9;
      return {
        ...tensor,
        data: tensor.data.slice(from * size, to * size),
        dims: [to - from, ...tensor.dims.slice(1)],
      } as Tensor;
    });
    return arrays({ inputs: { x }, targets: y, weights: weights!.slice(from, to), batchSize: 2 });
  };
  await using(open(weighted), async (whole) => {
    const place = (firstRow: number) => ({ dtype: "float64", shard: { denominator, rows: 9, firstRow } }) as const;
    await using(empiricalRisk({ model, loss, data: half(0, 5), ...place(0) }), async (left) => {
      await using(empiricalRisk({ model, loss, data: half(5, 9), ...place(5) }), async (right) => {
        const v = randomTensor([whole.size], 1).data;
        expect((await left.loss()) + (await right.loss())).toBeCloseTo(await whole.loss(), 13);
        const sum = (x: Vector, y: Vector) => x.map((value, i) => value + y[i]);
        expectClose(sum(await left.gradient(), await right.gradient()), await whole.gradient(), 1e-12);
        // A covariance is about the mean of the whole, which a shard must be given.
        const { gradientCovariance: _, ...additive } = allMatrices;
        for (const make of Object.values(additive))
          expectClose(sum(await make(left).matvec(v), await make(right).matvec(v)), await make(whole).matvec(v), 1e-12);
      });
    });
  });
});

test("progress is told in rows, once a batch", async () => {
  await using(open(plain), async (risk) => {
    const v = randomTensor([risk.size], 1).data;
    const calls: ((onProgress: (progress: Progress) => void) => Promise<unknown>)[] = [
      (onProgress) => risk.loss({ onProgress }),
      (onProgress) => risk.gradient({ onProgress }),
      (onProgress) => hessian(risk).matvec(v, { onProgress }),
      (onProgress) => matmat(hessian(risk), { rows: risk.size, columns: 1, data: v }, { onProgress }),
      (onProgress) => jacobian(risk).matvec(v, { onProgress }),
    ];
    for (const call of calls) {
      const seen: Progress[] = [];
      await call((progress) => seen.push(progress));
      expect(seen).toEqual([0, 4, 8, 9].map((done) => ({ stage: "data", done, total: 9 })));
    }
  });
});

test("a signal stops between batches, and later products are right", async () => {
  await using(open(plain), async (risk) => {
    const v = randomTensor([risk.size], 1).data;
    const aborted = "aborted: stopped by the caller's signal";
    for (const make of [...Object.values(allMatrices), jacobian]) {
      const expected = await make(risk).matvec(v);
      const A = make(risk);
      const controller = new AbortController();
      const onProgress = ({ done }: Progress) => {
        if (done > 0) controller.abort();
      };
      expect(await rejectionOf(A.matvec(v, { signal: controller.signal, onProgress }))).toBe(aborted);
      expect(await rejectionOf(A.matvec(v, { signal: controller.signal }))).toBe(aborted);
      if (A.matmat) {
        const X = { rows: risk.size, columns: 1, data: v };
        expect(await rejectionOf(A.matmat(X, { signal: controller.signal }))).toBe(aborted);
      }
      expectClose(await A.matvec(v), expected, 1e-13);
    }
    const signal = AbortSignal.abort();
    expect(await rejectionOf(risk.loss({ signal }))).toBe(aborted);
    expect(await rejectionOf(risk.gradient({ signal }))).toBe(aborted);
  });
});

test("products that run at the same time do not disturb each other", async () => {
  await using(open(weighted), async (risk) => {
    const v = randomTensor([risk.size], 1).data;
    const operators = Object.values(allMatrices).map((make) => make(risk));
    const together = await Promise.all(operators.map((A) => A.matvec(v)));
    for (let k = 0; k < operators.length; k++) expectClose(together[k], await operators[k].matvec(v), 1e-13);
  });
});

test("dispose lets running products finish and refuses later ones", async () => {
  const risk = await open(plain);
  const v = randomTensor([risk.size], 1).data;
  const A = hessian(risk);
  const expected = await A.matvec(v);
  const running = A.matvec(v);
  await risk.dispose();
  expectClose(await running, expected, 1e-13);
  const message = "argument: this risk has been disposed of; make a new one";
  for (const call of [() => A.matvec(v), () => risk.loss(), () => risk.gradient(), () => jacobian(risk).matvec(v)])
    expect(await rejectionOf(call())).toBe(message);
  expect(await rejectionOf(A.matmat!({ rows: risk.size, columns: 1, data: v }))).toBe(message);
  await risk[Symbol.asyncDispose]();
});

test("a vector is neither kept nor changed, and may have the other precision", async () => {
  await using(open(plain), async (risk) => {
    const v = randomTensor([risk.size], 1).data;
    const copy = v.slice();
    for (const make of Object.values(allMatrices)) {
      const A = make(risk);
      const first = await A.matvec(v);
      const kept = first.slice();
      expect(first).not.toBe(await A.matvec(v));
      first.fill(0);
      expectClose(await A.matvec(v), kept, 1e-13);
      const narrow = Float32Array.from(v);
      expectClose(await A.matvec(narrow), await A.matvec(Float64Array.from(narrow)), 1e-13);
    }
    expect([...v]).toEqual([...copy]);
  });
});

describe("notices", () => {
  const x: Tensor = { data: Float32Array.of(1, -2, 0.5, 3), dims: [2, 2] };
  const model = functionModel({
    parameters: { w: { data: Float32Array.of(0.5, -1, 2, 1), dims: [2, 2] } },
    inputs: { x: { dims: [2] } },
    apply: (weights, inputs) => ({ p: mul(tanh(inputs.x), reduceSum(weights.w, [0])) }),
  });
  const ending = { ...model, outputs: [{ name: "p", activation: "Sigmoid" }], fixedRows: 2 } as const;
  const noticesOf = async (loss: Parameters<typeof empiricalRisk>[0]["loss"], targets: Tensor) => {
    const risk = await empiricalRisk({ model: ending, loss, data: arrays({ inputs: { x }, targets, batchSize: 2 }) });
    try {
      return risk.notices;
    } finally {
      await risk.dispose();
    }
  };
  const classes: Tensor = { data: Int32Array.of(0, 1), dims: [2] };
  const numbers: Tensor = { data: Float32Array.of(0, 1, 1, 0), dims: [2, 2] };
  const rows = "The file computes 2 rows at once; larger batches are computed as copies of it with the same weights.";

  test("an activation that the loss contains, one that it does not, and one that it leaves", async () => {
    expect(await noticesOf(bceWithLogits(), numbers)).toEqual([
      'Output "p" is taken before its final Sigmoid, which the loss bceWithLogits contains itself.',
      rows,
    ]);
    expect(await noticesOf(crossEntropy(), classes)).toEqual([
      'Output "p" ends in Sigmoid, which the loss crossEntropy does not contain: it takes the results for logits. Choose a loss that fits, or an output before it.',
      rows,
    ]);
    expect(await noticesOf(meanSquaredError(), numbers)).toEqual([rows]);
  });
});
