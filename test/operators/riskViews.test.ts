import { describe, expect, test } from "vitest";
import { arrays, type Data } from "../../src/data/index.ts";
import type { LinearOperator } from "../../src/linalg/index.ts";
import type { Model } from "../../src/models/index.ts";
import { type BatchProduct, empiricalRisk, hessian, jacobian, type Risk } from "../../src/operators/index.ts";
import type { Tensor, Vector } from "../../src/tensors/index.ts";
import { rejectionOf } from "../onnx/messageOf.ts";
import { sampled } from "../sampled.ts";
import { allMatrices, withLikelihood } from "./allMatrices.ts";
import { expectClose } from "./closeness.ts";
import { dataOf, type RiskCase, randomTensor, riskCases } from "./riskCases.ts";

const plain = riskCases["cross-entropy"];

const open = (riskCase: RiskCase, options: Partial<Parameters<typeof empiricalRisk>[0]> = {}) =>
  empiricalRisk({
    model: riskCase.model,
    loss: riskCase.loss,
    data: dataOf(riskCase, 4),
    dtype: "float64",
    ...options,
  });

/** Opens risks that are disposed of at the end of the test. */
async function using(opened: Promise<Risk>, use: (risk: Risk) => Promise<void>): Promise<void> {
  const risk = await opened;
  try {
    await use(risk);
  } finally {
    await risk.dispose();
  }
}

/** The model with other weights in it. */
function modelWith(model: Model, theta: Vector): Model {
  let offset = 0;
  const parameters = model.parameters.map((parameter) => {
    const data = Float64Array.from(theta.subarray(offset, offset + parameter.data.length));
    offset += data.length;
    return { ...parameter, data };
  });
  return { ...model, parameters };
}

const rowsOf = (tensor: Tensor, from: number, to: number): Tensor => {
  const size = tensor.data.length / tensor.dims[0];
  return { data: tensor.data.slice(from * size, to * size), dims: [to - from, ...tensor.dims.slice(1)] } as Tensor;
};

/** Rows of a case, in batches of its own size. */
function rowsOfCase(
  { inputs, targets, weights }: RiskCase,
  [from, to]: readonly [number, number],
  batchSize = 3,
): Data {
  return arrays({
    inputs: Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, rowsOf(tensor, from, to)])),
    targets: rowsOf(targets, from, to),
    ...(weights && { weights: weights.slice(from, to) }),
    batchSize,
  });
}

/** Loss, gradient, parameters and products of every matrix. */
async function quantities(risk: Risk): Promise<readonly Vector[]> {
  const v = randomTensor([risk.size], 4).data;
  const found: Vector[] = [Float64Array.of(await risk.loss()), await risk.gradient(), risk.theta()];
  const makers: ((risk: Risk) => LinearOperator)[] = Object.values(withLikelihood(risk) ? allMatrices : { hessian });
  for (const make of [...makers, jacobian]) found.push(await make(risk).matvec(v));
  return found;
}

function expectEqual(found: readonly Vector[], expected: readonly Vector[]): void {
  expect(found.length).toBe(expected.length);
  const [[loss], , theta] = found;
  expect(Math.abs(loss - expected[0][0])).toBeLessThanOrEqual(1e-13 * Math.abs(expected[0][0]));
  expect(theta).toEqual(expected[2]);
  for (const [i, values] of found.entries()) expectClose(values, expected[i], 1e-12);
}

const expectEqualRisks = async (risk: Risk, other: Risk) =>
  expectEqual(await quantities(risk), await quantities(other));

describe("a risk at other parameters is the risk of a model with these weights", () => {
  test.each(sampled(Object.entries(riskCases), 4))("%s", async (_, riskCase) => {
    await using(open(riskCase), async (risk) => {
      const before = await quantities(risk);
      const theta = Float64Array.from(risk.theta(), (x, i) => x + 0.3 * Math.sin(i + 1));
      const moved = risk.at(theta);
      await using(open({ ...riskCase, model: modelWith(riskCase.model, theta) }), (fresh) =>
        expectEqualRisks(moved, fresh),
      );
      // And the risk that it was made from is where it was.
      expect(await quantities(risk)).toEqual(before);
    });
  });
});

describe("a risk on other rows is the risk of these rows", () => {
  test.each(sampled(Object.entries(riskCases), 4))("%s", async (_, riskCase) => {
    await using(open(riskCase), async (risk) => {
      for (const range of [
        [2, 9],
        [7, 8],
      ] as const) {
        const data = rowsOfCase(riskCase, range);
        await using(risk.on(data), (some) =>
          using(open(riskCase, { data: rowsOfCase(riskCase, range, 7) }), async (fresh) => {
            expect([some.rows, some.shard]).toEqual([range[1] - range[0], fresh.shard]);
            // Sampled labels are drawn by the row's index in the data set, whatever its batches.
            await expectEqualRisks(some, fresh);
          }),
        );
      }
    });
  });
});

test("residuals never serve another view: products of alternating views, whatever fits the cache", async () => {
  for (const cache of [0, 3_000, 2 ** 20]) {
    await using(open(plain, { cache }), async (risk) => {
      const v = randomTensor([risk.size], 1).data;
      const thetas = [risk.theta(), risk.theta().map((x) => 1.1 * x), risk.theta().map((x) => x - 0.2)];
      const views = thetas.map((theta) => risk.at(theta));
      const right: Float64Array[][] = [];
      for (const theta of thetas) {
        const products: Float64Array[] = [];
        await using(open({ ...plain, model: modelWith(plain.model, theta) }), async (alone) => {
          for (const make of Object.values(allMatrices)) products.push(Float64Array.from(await make(alone).matvec(v)));
        });
        right.push(products);
      }
      for (let round = 0; round < 2; round++)
        for (const [m, make] of Object.values(allMatrices).entries())
          for (const [k, view] of views.entries()) expectClose(await make(view).matvec(v), right[k][m], 1e-12);
    });
  }
});

test("weights are copied: changes of the model's arrays reach neither loss nor products", async () => {
  const model = modelWith(plain.model, Float64Array.from(plain.model.parameters.flatMap(({ data }) => [...data])));
  await using(open({ ...plain, model }, { parameters: "first.*" }), async (risk) => {
    const v = randomTensor([risk.size], 1).data;
    const before = [await risk.loss(), ...(await risk.gradient()), ...(await hessian(risk).matvec(v))];
    for (const { data } of model.parameters) (data as Float64Array).fill(7);
    expect([await risk.loss(), ...(await risk.gradient()), ...(await hessian(risk).matvec(v))]).toEqual(before);
    const theta = risk.theta();
    const moved = risk.at(theta);
    const loss = await moved.loss();
    theta.fill(7);
    expect([await moved.loss(), await risk.loss()]).toEqual([loss, before[0]]);
  });
});

test("views share programs: a step compiles nothing", async () => {
  await using(open(plain), async (risk) => {
    let built = 0;
    const product: BatchProduct = {
      build({ scale }) {
        built++;
        return { outputs: { scale } };
      },
    };
    await risk.engine.total(product);
    const once = built;
    for (let step = 0; step < 5; step++) await risk.at(risk.theta()).engine.total(product);
    await risk.on(rowsOfCase(plain, [0, 9], 4)).then((view) => view.engine.total(product));
    expect(once).toBeGreaterThan(0);
    expect(built).toBe(once);
  });
});

describe("disposal", () => {
  const gone = "argument: this risk has been disposed of; make a new one";

  test("a view ends alone", async () => {
    await using(open(plain), async (risk) => {
      const view = risk.at(risk.theta());
      const child = view.at(view.theta());
      await view.loss();
      await view.dispose();
      expect(await rejectionOf(view.loss())).toBe(gone);
      expect(await rejectionOf(child.loss())).toBe(gone);
      expect(Number.isFinite(await risk.loss())).toBe(true);
    });
  });

  test("views end with the risk that they were made from", async () => {
    const risk = await open(plain);
    const view = risk.at(risk.theta());
    const rows = await view.on(rowsOfCase(plain, [0, 5]));
    const running = rows.gradient();
    await risk.dispose();
    expect((await running).every(Number.isFinite)).toBe(true);
    for (const each of [risk, view, rows]) expect(await rejectionOf(each.gradient())).toBe(gone);
  });
});

test("parameters that do not fit are refused", async () => {
  await using(open(plain), async (risk) => {
    expect(() => risk.at(new Float64Array(3))).toThrow(
      `the risk has ${risk.size} parameter entries, got a vector of 3`,
    );
    const theta = risk.theta();
    theta[risk.parameters[1].offset + 2] = Number.NaN;
    expect(() => risk.at(theta)).toThrow(
      `theta: entry 2 of "${risk.parameters[1].name}" is NaN, which is not a finite number in float64`,
    );
  });
});
