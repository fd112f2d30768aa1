import { describe, expect, test } from "vitest";
import { jvp, vjp } from "../../src/autodiff/index.ts";
import { arrays } from "../../src/data/index.ts";
import { input, scalar, type Value } from "../../src/graph/index.ts";
import { toDense } from "../../src/linalg/index.ts";
import {
  type BatchProduct,
  type CurvatureDefinition,
  curvatureMatrix,
  empiricalRisk,
  hessian,
  type Risk,
} from "../../src/operators/index.ts";
import { mul, reduceSum, reshape, scale, square } from "../../src/primitives/index.ts";
import type { Tensor, Vector } from "../../src/tensors/index.ts";
import { rejectionOf } from "../onnx/messageOf.ts";
import { expectClose } from "./closeness.ts";
import { dataOf, randomTensor, riskCases } from "./riskCases.ts";

const plain = riskCases["cross-entropy"];

const open = (batchSize = 4, dtype: "float32" | "float64" = "float64") =>
  empiricalRisk({ model: plain.model, loss: plain.loss, data: dataOf(plain, batchSize), dtype });

async function using(opened: Promise<Risk>, use: (risk: Risk) => Promise<void>): Promise<void> {
  const risk = await opened;
  try {
    await use(risk);
  } finally {
    await risk.dispose();
  }
}

/** factor v, summed over the batches. */
const multiple = (factor: number): CurvatureDefinition => ({
  name: "multiple of the identity",
  psd: true,
  product: (_, v) => v.map((part) => scale(part, factor)),
});

test("matrices of one's own never share programs, whatever they are called", async () => {
  await using(open(9), async (risk) => {
    const v = randomTensor([risk.size], 2).data;
    for (const factor of [2, 3, 2])
      expectClose(
        await curvatureMatrix(risk, multiple(factor)).matvec(v),
        v.map((x) => factor * x),
        1e-15,
      );
    const definition = multiple(5);
    expect(curvatureMatrix(risk, definition)).toBe(curvatureMatrix(risk, definition));
  });
});

test("a definition without a form has products alone, and one of one's own is the built-in one", async () => {
  const definition: CurvatureDefinition = {
    name: "Hessian by hand",
    psd: false,
    product({ f, y, loss, scale: c, parameters }, v) {
      const gradient = vjp([mul(reduceSum(loss.terms(f, y)), c)], parameters, [scalar(1)]);
      return jvp(gradient, parameters, v).map((part, i) => part ?? scale(parameters[i], 0));
    },
  };
  await using(open(), async (risk) => {
    const H = curvatureMatrix(risk, definition);
    expect(H.quadraticForms).toBeUndefined();
    expectClose((await toDense(H)).data, (await toDense(hessian(risk))).data, 1e-12);
    const moved = risk.at(risk.theta().map((x) => 2 * x));
    expectClose((await toDense(curvatureMatrix(moved, definition))).data, (await toDense(hessian(moved))).data, 1e-12);
  });
});

/** Second moment of the outputs [C, C], their sum [C], and the number of rows. */
const moments: BatchProduct = {
  build: ({ f, rows }) => ({
    outputs: {
      second: reduceSum(mul(reshape(f, [rows, f.shape[1], 1]), reshape(f, [rows, 1, f.shape[1]])), [0]),
      targets: reduceSum(f, [0]),
      scale: scale(reduceSum(square(scale(f, 0))), 1),
    },
  }),
};

describe("totals", () => {
  test("outputs of any shape and name are summed over batches of any size", async () => {
    await using(open(9), async (whole) => {
      const expected = await whole.engine.total(moments);
      expect(Object.keys(expected).sort()).toEqual(["scale", "second", "targets"]);
      expect([expected.second.dims, expected.targets.dims, expected.scale.dims]).toEqual([[3, 3], [3], []]);
      for (const batchSize of [1, 2, 4])
        await using(open(batchSize), async (risk) => {
          const total = await risk.engine.total(moments);
          for (const name of ["second", "targets"])
            expectClose(total[name].data as Vector, expected[name].data as Vector, 1e-13);
        });
    });
  });

  test("sums are float64 whatever the precision of the passes, and compensated in float64", async () => {
    // Numbers whose sum in their own precision loses the small ones altogether.
    const large = { float32: 2 ** 24, float64: 2 ** 53 } as const;
    for (const dtype of ["float32", "float64"] as const) {
      const targets = Float64Array.from({ length: 9 }, (_, i) =>
        i === 0 ? large[dtype] : i === 8 ? -large[dtype] : 1,
      );
      const riskCase = riskCases["squared error of one number a row"];
      const data = arrays({ inputs: riskCase.inputs, targets: { data: targets, dims: [9] }, batchSize: 1 });
      await using(empiricalRisk({ model: riskCase.model, loss: riskCase.loss, data, dtype }), async (risk) => {
        const { y } = await risk.engine.total({ build: (batch) => ({ outputs: { y: reduceSum(batch.y) } }) });
        expect(y.data).toEqual(Float64Array.of(7));
      });
    }
  });

  test("an output whose shape depends on the batch, or that holds integers, has no total", async () => {
    await using(open(4), async (risk) => {
      expect(await rejectionOf(risk.engine.total({ build: ({ f }) => ({ outputs: { f } }) }))).toBe(
        'shape: output "f" has shape [4, 3] in one batch and [1, 3] in another, so it has no total; sum over the rows in the product, or use batches',
      );
      expect(await rejectionOf(risk.engine.total({ build: ({ y }) => ({ outputs: { y } }) }))).toBe(
        'unsupported: output "y" does not hold floats, so it has no total; cast it in the product',
      );
    });
  });
});

describe("batches", () => {
  const outputs: BatchProduct = { build: ({ f }) => ({ outputs: { f } }) };

  test("come in order, each when it is asked for, while other products run", async () => {
    await using(open(4), async (risk) => {
      const rows: number[] = [];
      const f: number[] = [];
      for await (const { batch, outputs: given } of risk.engine.batches(outputs)) {
        rows.push(batch.start, batch.rows);
        f.push(...(given.f.data as Vector));
        await risk.gradient();
      }
      expect(rows).toEqual([0, 4, 4, 4, 8, 1]);
      const collected: number[] = [];
      await risk.engine.run(outputs, { collect: (given) => void collected.push(...(given.f.data as Vector)) });
      expect(f).toEqual(collected);
    });
  });

  test("end at once when the caller leaves, and tell of the signal and of disposal", async () => {
    const risk = await open(4);
    for await (const { batch } of risk.engine.batches(outputs)) {
      expect(batch.index).toBe(0);
      break;
    }
    const controller = new AbortController();
    const aborted = async () => {
      for await (const _ of risk.engine.batches(outputs, { options: { signal: controller.signal } }))
        controller.abort();
    };
    expect(await rejectionOf(aborted())).toBe("aborted: stopped by the caller's signal");
    const disposed = async () => {
      for await (const _ of risk.engine.batches(outputs)) await risk.dispose();
    };
    expect(await rejectionOf(disposed())).toBe("argument: this risk has been disposed of; make a new one");
  });
});

describe("several columns at once", () => {
  /** v' f summed over the rows, and the derivative along a parameter vector. */
  const product: BatchProduct = {
    build({ f, parameters }) {
      const along = input("along", [f.shape[1]]);
      const direction = input("direction", parameters[0].shape);
      const zeros = parameters.slice(1).map((value): Value => scale(value, 0));
      const [tangent] = jvp([reduceSum(f, [0])], parameters, [direction, ...zeros]);
      return { vectors: { along, direction }, outputs: { form: reduceSum(mul(along, tangent!)) } };
    },
  };
  const [columns, shape] = [5, plain.model.parameters[0].dims];
  const along = randomTensor([columns, 3], 3);
  const direction = randomTensor([columns, ...shape], 4);
  const columnOf = ({ data, dims }: Tensor, k: number): Tensor => {
    const size = data.length / columns;
    return { data: data.slice(k * size, (k + 1) * size), dims: dims.slice(1) } as Tensor;
  };

  test("vectors and outputs have a leading axis", async () => {
    await using(open(4), async (risk) => {
      const { form } = await risk.engine.total(product, { columns, feed: () => ({ along, direction }) });
      expect(form.dims).toEqual([columns]);
      for (let k = 0; k < columns; k++) {
        const feed = () => ({ along: columnOf(along, k), direction: columnOf(direction, k) });
        const { form: one } = await risk.engine.total(product, { feed });
        expectClose((form.data as Vector).subarray(k, k + 1), one.data as Vector, 1e-12);
      }
    });
  });

  test("vectors of another shape are refused by name", async () => {
    await using(open(4), async (risk) => {
      expect(await rejectionOf(risk.engine.total(product, { columns, feed: () => ({ along }) }))).toBe(
        `shape: vector "direction" of 5 columns must have shape [5, ${shape.join(", ")}], got nothing`,
      );
      const narrow = { data: new Float64Array(6), dims: [2, 3] };
      expect(
        await rejectionOf(risk.engine.total(product, { columns, feed: () => ({ along: narrow, direction }) })),
      ).toBe('shape: vector "along" of 5 columns must have shape [5, 3], got [2, 3]');
    });
  });
});
