import { describe, expect, test } from "vitest";
import type { Value } from "../../src/graph/index.ts";
import {
  arrays,
  crossEntropy,
  customLoss,
  empiricalRisk,
  functionModel,
  ggn,
  hessian,
  jacobian,
  type Loss,
  loadModel,
  type Model,
  meanSquaredError,
  poissonNll,
  type Risk,
} from "../../src/index.ts";
import { toDense } from "../../src/linalg/index.ts";
import {
  abs,
  div,
  exp,
  log,
  matmul,
  pow,
  reduceSum,
  relu,
  scale,
  sqrt,
  square,
  sub,
} from "../../src/primitives/index.ts";
import { type TinyModel, tinyModel } from "../models/tinyModel.ts";
import { rejectionOf } from "../onnx/messageOf.ts";

/** f(x w) for a diagonal w, so that rows are easy to follow. */
const modelOf = (f: (h: Value) => Value): Model =>
  functionModel({
    name: "network",
    parameters: { w: { data: Float64Array.of(1, 0, 0, 2), dims: [2, 2] } },
    inputs: { x: { dims: [2] } },
    apply: ({ w }, { x }) => f(matmul(x, w)),
  });

interface Choices {
  readonly loss?: Loss;
  readonly x?: readonly (readonly number[])[];
  readonly y?: number;
  readonly batchSize?: number;
  readonly dtype?: "float32" | "float64";
}

/** Seven rows, of which the one with index 4 is [0, 1]. */
const ROWS = [1, 2, 3, 4, 0, 6, 7].map((first, i) => [first, i === 4 ? 1 : i + 1]);

async function riskOf(
  model: Model,
  { loss = meanSquaredError(), x = ROWS, y = 0.5, batchSize = 3, dtype = "float64" }: Choices = {},
): Promise<Risk> {
  const targets = { data: new Float64Array(2 * x.length).fill(y), dims: [x.length, 2] };
  const inputs = { data: Float64Array.from(x.flat()), dims: [x.length, 2] };
  return empiricalRisk({ model, loss, data: arrays({ inputs, targets, batchSize }), dtype });
}

const AWAY = "keep it away from there (add a small number, or choose another branch where it is so)";

describe("a loss that is not finite is refused with row, node and reason", () => {
  test.each<[string, (h: Value) => Value, string]>([
    ["log of 0", log, `row 4: log is the logarithm of 0; ${AWAY}`],
    [
      "root of a negative number",
      (h) => sqrt(sub(h, h.shape ? scale(h, 2) : h)),
      `row 0: sqrt is the square root of -1; ${AWAY}`,
    ],
    ["division by 0", (h) => div(scale(h, 3), h), `row 4: div is 0 / 0, a division by 0; ${AWAY}`],
    ["power", (h) => pow(h, -0.5), `row 4: pow is 0 to the power -0.5; ${AWAY}`],
  ])("%s", async (_, f, message) => {
    for (const dtype of ["float32", "float64"] as const) {
      for (const batchSize of [1, 3, 7]) {
        expect(await rejectionOf(riskOf(modelOf(f), { dtype, batchSize }))).toBe(
          `numeric: network: the loss is not finite for ${message}`,
        );
      }
    }
  });

  test("overflows say what precision is for", async () => {
    const steep = modelOf((h) => scale(exp(scale(h, 20)), 1e-30));
    expect(await rejectionOf(riskOf(steep, { dtype: "float32" }))).toBe(
      'numeric: network: the loss is not finite for row 2: exp is e to the power 120, which overflows; use dtype: "float64" (--dtype float64), or subtract the largest exponent first, as logsumexp and softmax do',
    );
    const steeper = modelOf((h) => scale(exp(scale(h, 200)), 1e-200));
    expect(await rejectionOf(riskOf(steeper))).toContain(
      "is e to the power 800, which overflows; subtract the largest exponent first",
    );
    const large = modelOf((h) => square(scale(h, 1e25)));
    expect(await rejectionOf(riskOf(large, { dtype: "float32" }))).toMatch(
      /row 0: mul is infinity \(mul for \S+ and \S+\); if it is an overflow, use dtype: "float64" \(--dtype float64\)$/,
    );
  });

  test("also where it arises in the loss", async () => {
    const model = modelOf((h) => scale(h, 100));
    expect(await rejectionOf(riskOf(model, { loss: poissonNll(), dtype: "float32" }))).toContain(
      "the loss is not finite for row 0: the loss poissonNll is e to the power",
    );
    const own = customLoss({ name: "own", terms: (f) => reduceSum(log(f), [1]) });
    expect(
      await rejectionOf(
        riskOf(
          modelOf((h) => h),
          { loss: own },
        ),
      ),
    ).toBe(`numeric: network: the loss is not finite for row 4: the loss own is the logarithm of 0; ${AWAY}`);
  });

  test("a risk at other weights returns such a loss, as line searches want it, and explains its gradient", async () => {
    const risk = await riskOf(modelOf((h) => exp(h)));
    const far = risk.at(Float64Array.of(1e4, 0, 0, 1));
    expect(Number.isFinite(await far.loss())).toBe(false);
    expect(await rejectionOf(far.gradient())).toContain(
      "the loss is not finite for row 0: exp is e to the power 10000",
    );
    await risk.dispose();
  });
});

describe("a gradient that is not finite", () => {
  const root = (h: Value) => sqrt(abs(h));
  const message = `numeric: network: the gradient is not finite for row 4: the derivative of sqrt at 0 is 0.5 / 0, a division by 0; ${AWAY}`;

  test("is explained by the gradient, and by every product that meets it", async () => {
    const risk = await riskOf(modelOf(root));
    expect(await rejectionOf(risk.gradient())).toBe(message);
    const v = Float64Array.of(1, 2, 3, 4);
    expect(await rejectionOf(hessian(risk).matvec(v))).toBe(message);
    expect(await rejectionOf(ggn(risk).matvec(v))).toBe(message);
    expect(await rejectionOf(toDense(hessian(risk)))).toContain(message.replace("numeric: ", ""));
    await risk.dispose();
  });

  test("leaves alone what does not depend on it, and other rows", async () => {
    const risk = await riskOf(modelOf(root), { x: ROWS.filter((_, i) => i !== 4) });
    expect((await risk.gradient()).every(Number.isFinite)).toBe(true);
    await risk.dispose();
    const flat = await riskOf(modelOf((h) => relu(h)));
    expect((await flat.gradient()).every(Number.isFinite)).toBe(true);
    await flat.dispose();
  });
});

describe("a product that is not finite although the gradient is", () => {
  test("is explained by its second derivative", async () => {
    const risk = await riskOf(modelOf((h) => pow(abs(h), 1.5)));
    expect((await risk.gradient()).every(Number.isFinite)).toBe(true);
    const expected = `network: a product is not finite for row 4: the derivative of pow at 0 is 0.5 / 0, a division by 0; ${AWAY}`;
    expect(await rejectionOf(hessian(risk).matvec(Float64Array.of(1, 2, 3, 4)))).toBe(`numeric: ${expected}`);
    expect(await rejectionOf(toDense(hessian(risk)))).toContain(expected);
    await risk.dispose();
  });

  test("is returned where its own vector is to blame", async () => {
    const risk = await riskOf(
      modelOf((h) => h),
      { dtype: "float32" },
    );
    const huge = await ggn(risk).matvec(new Float32Array(4).fill(3e38));
    expect(huge.every(Number.isFinite)).toBe(false);
    const J = jacobian(risk).adjoint!();
    const u = new Float32Array(14).fill(3e38);
    expect((await J.matvec(u)).every(Number.isFinite)).toBe(false);
    await risk.dispose();
  });
});

type Node = TinyModel["nodes"][number];
const node = (op: string, inputs: string, output: string, more: Partial<Node> = {}): Node => ({
  op,
  name: `/${output}/${op}`,
  inputs: inputs.split(" "),
  outputs: [output],
  ...more,
});

describe("the node of a file is named", () => {
  test.each<[string, readonly Node[], string]>([
    [
      "a quotient",
      [node("Div", "z z", "y")],
      `the loss is not finite for row 4: Div "/y/Div" is 0 / 0, a division by 0; ${AWAY}`,
    ],
    [
      "a logarithm, several nodes before the output",
      [node("Log", "z", "l"), node("Mul", "l l", "m"), node("Tanh", "m", "t"), node("Add", "t l", "y")],
      `the loss is not finite for row 4: Log "/l/Log" is the logarithm of 0; ${AWAY}`,
    ],
    [
      "a derivative",
      [node("Abs", "z", "a"), node("Sqrt", "a", "r"), node("Tanh", "r", "y")],
      `the gradient is not finite for row 4: the derivative of Sqrt "/r/Sqrt" at 0 is 0.5 / 0, a division by 0; ${AWAY}`,
    ],
    [
      "a fully masked row",
      [
        node("Equal", "z zero", "e"),
        node("Where", "e minusInfinity z", "m"),
        node("ReduceMin", "m", "l", { attributes: { axes: { ints: [1] } } }),
        node("Add", "l z", "a"),
        node("Softmax", "a", "y", { attributes: { axis: { int: 1 } } }),
      ],
      'the loss is not finite for row 4: Softmax "/y/Softmax" is taken over numbers that are all minus infinity, a fully masked row; leave one element of it unmasked, or leave such rows out of the data',
    ],
  ])("%s", async (_, nodes, message) => {
    const model = await loadModel(
      tinyModel({
        weights: {
          w: [
            [1, 0, 0, 2],
            [2, 2],
          ],
        },
        initializers: [
          { name: "minusInfinity", tensor: { data: Float32Array.of(-Infinity), dims: [] } },
          { name: "zero", tensor: { data: Float32Array.of(0), dims: [] } },
        ],
        nodes: [node("MatMul", "x w", "z"), ...nodes],
      }),
      { parameters: { include: ["w"] } },
    );
    const attempt = async () => {
      const risk = await riskOf(model);
      await risk.gradient().finally(() => risk.dispose());
    };
    expect(await rejectionOf(attempt())).toBe(`numeric: The given model: ${message}`);
  });

  test("with the rows of a group where the file fixes their number", async () => {
    const model = await loadModel(
      tinyModel({
        inputs: [{ name: "x", dtype: "float32", dims: [2, 2] }],
        weights: {
          w: [
            [1, 0, 0, 2],
            [2, 2],
          ],
        },
        nodes: [node("MatMul", "x w", "z"), node("Log", "z", "y")],
      }),
      { parameters: { include: ["w"] } },
    );
    expect(await rejectionOf(riskOf(model, { x: [...ROWS, [9, 9]] }))).toContain(
      'the loss is not finite for rows 4 to 5: Log "/y/Log" is the logarithm of 0',
    );
  });
});

test("what is finite for each batch but not in all says so", async () => {
  const model = modelOf((h) => h);
  const risk = await riskOf(model, {
    x: [
      [1e19, 1],
      [1e19, 1],
    ],
    y: 0,
    batchSize: 1,
    dtype: "float32",
    loss: meanSquaredError({ reduction: "sum" }),
  });
  const far = risk.at(Float32Array.of(1.5, 0, 0, 1));
  expect(await rejectionOf(far.gradient())).toContain(
    "numeric: network: the gradient is finite for each batch, but the sum over batches overflows float32;",
  );
  await risk.dispose();
});

test("crossEntropy of large logits stays finite", async () => {
  const model = modelOf((h) => scale(h, 1e4));
  const inputs = { data: Float64Array.from(ROWS.flat()), dims: [7, 2] };
  const data = arrays({ inputs, targets: { data: new Int32Array(7), dims: [7] } });
  const risk = await empiricalRisk({ model, loss: crossEntropy(), data });
  expect((await risk.gradient()).every(Number.isFinite)).toBe(true);
  await risk.dispose();
});
