import { describe, expect, test } from "vitest";
import { input, integers, type Value } from "../../src/graph/index.ts";
import type { ImportedNode, OperatorRule } from "../../src/models/import/index.ts";
import * as operators from "../../src/models/import/ops/index.ts";
import { functionModel, type LoadOptions, loadModel } from "../../src/models/index.ts";
import { scale } from "../../src/primitives/index.ts";
import type { AttributeValue, Tensor } from "../../src/tensors/index.ts";
import { messageOf, rejectionOf } from "../onnx/messageOf.ts";
import { localFunction, subgraph, type TinyModel, tinyModel } from "./tinyModel.ts";

const weights = {
  w: [
    [1, 2, 3, 4],
    [2, 2],
  ],
} as const;
const product = { op: "MatMul", inputs: ["x", "w"], outputs: ["h"] };

/** Message of reading a model, and of building its graph for two rows. */
async function failure(model: TinyModel, options: LoadOptions = {}): Promise<string> {
  try {
    const loaded = await loadModel(tinyModel(model), options);
    await loaded.graph({ shapes: { x: [2, 2] }, outputs: model.outputs ?? ["y"] });
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    return `${code}: ${message}`;
  }
  return "no error";
}

describe("damaged graphs", () => {
  test.each([
    [
      [
        { op: "Relu", inputs: ["y"], outputs: ["h"] },
        { op: "Relu", name: "second", inputs: ["h"], outputs: ["y"] },
      ],
      "file: The given model: the graph has a cycle through Relu; the file is damaged, export it again",
    ],
    [
      [{ op: "Relu", name: "first", inputs: ["nowhere"], outputs: ["y"] }],
      'file: The given model: Relu "first" reads "nowhere", which nothing defines; the file is damaged, export it again',
    ],
    [
      [
        { op: "Relu", inputs: ["x"], outputs: ["y"] },
        { op: "Abs", inputs: ["x"], outputs: ["y"] },
      ],
      'file: The given model: value "y" is defined twice; the file is damaged, export it again',
    ],
  ])("%#", async (nodes, message) => {
    expect((await failure({ nodes, weights })).replace(/through Relu(?: "second")?/, "through Relu")).toBe(message);
  });

  test("a chain of functions, each of which calls the next, is not called a circle", async () => {
    const chain = (length: number) =>
      tinyModel({
        nodes: [{ op: "F0", domain: "local", inputs: ["x", "W"], outputs: ["y"] }],
        weights: {
          W: [
            [1, 2, 3, 4],
            [2, 2],
          ],
        },
        opsets: { "": 17, local: 1 },
        functions: Array.from({ length }, (_, i) =>
          localFunction({
            name: `F${i}`,
            inputs: ["a", "b"],
            outputs: ["c"],
            opsets: { "": 17, local: 1 },
            nodes: [
              i === length - 1
                ? { op: "MatMul", inputs: ["a", "b"], outputs: ["c"] }
                : { op: `F${i + 1}`, domain: "local", inputs: ["a", "b"], outputs: ["c"] },
            ],
          }),
        ),
      });
    expect((await loadModel(chain(100))).parameters.map(({ name }) => name)).toEqual(["W"]);
    await expect(loadModel(chain(200))).rejects.toMatchObject({
      code: "unsupported",
      message: expect.stringContaining(
        "is called through a chain of more than 100 functions; inline some of them before",
      ),
    });
  });

  test("functions that call themselves", async () => {
    const f = localFunction({
      name: "F",
      inputs: ["a"],
      outputs: ["b"],
      nodes: [{ op: "F", domain: "local", inputs: ["a"], outputs: ["b"] }],
    });
    const nodes = [{ op: "F", domain: "local", inputs: ["x"], outputs: ["y"] }];
    expect(await failure({ nodes, functions: [f], opsets: { "": 17, local: 1 } })).toMatch(
      /^file: local\.F "F_0\/?.*" is a function that calls itself; the file is damaged, export it again$|^file: local\.F is a function that calls itself; the file is damaged, export it again$/,
    );
  });

  test("an If without its branch", async () => {
    const nodes = [product, { op: "If", name: "choice", inputs: ["yes"], outputs: ["y"] }];
    const yes: Tensor = { data: Uint8Array.of(1), dims: [], dtype: "bool" };
    const graph = subgraph({ nodes: [{ op: "Neg", inputs: ["h"], outputs: ["z"] }], outputs: ["z"] });
    const half = nodes.map((node) => (node.op === "If" ? { ...node, attributes: { else_branch: { graph } } } : node));
    expect(await failure({ nodes: half, weights, initializers: [{ name: "yes", tensor: yes }] })).toBe(
      'file: The given model: If "choice" lacks a branch; the file is damaged, export it again',
    );
  });
});

describe("models that cannot be differentiated", () => {
  test("without a parameter", async () => {
    expect(await failure({ nodes: [{ op: "Relu", inputs: ["x"], outputs: ["y"] }] })).toBe(
      "model: The given model: nothing in it is taken for a parameter; name tensors to be differentiated by parameters: { include }; it has no float tensor at all",
    );
  });

  test("patterns that match nothing", async () => {
    const nodes = [{ ...product, outputs: ["y"] }];
    expect(await failure({ nodes, weights }, { parameters: { exclude: [/bias/] } })).toBe(
      "argument: no float tensor of the model matches /bias/; it has w",
    );
  });

  test("random numbers", async () => {
    const nodes = [product, { op: "RandomNormalLike", name: "noise", inputs: ["h"], outputs: ["y"] }];
    expect(await failure({ nodes, weights })).toBe(
      'model: The given model: RandomNormalLike "noise" draws random numbers at every run, so the loss is not a function of the parameters; export the model in evaluation mode',
    );
  });

  test("operators without a rule, all in one message", async () => {
    const nodes = [
      product,
      ...["a", "b", "c", "d"].map((name, i) => ({
        op: "Det",
        name,
        inputs: [i === 0 ? "h" : `s${i - 1}`],
        outputs: [`s${i}`],
      })),
      { op: "Hardmax", inputs: ["s3"], outputs: ["y"] },
    ];
    expect(await failure({ nodes, weights })).toBe(
      "unsupported: The given model: no derivative rule for Det (4: a, b, c, ...); Hardmax (1: y), which parameters reach; choose another output, or re-export without them",
    );
  });

  test("shapes that depend on the data", async () => {
    const nodes = [
      { op: "NonZero", name: "which", inputs: ["x"], outputs: ["i"] },
      product,
      { op: "Gather", inputs: ["h", "i"], outputs: ["y"] },
    ];
    expect(await failure({ nodes, weights })).toBe(
      'unsupported: The given model: the shape of what NonZero "which" gives depends on the data, but a graph has one shape; choose another output, or re-export without it',
    );
  });

  test("outputs without rows", async () => {
    const nodes = [product, { op: "ReduceMean", inputs: ["h"], outputs: ["y"], attributes: { keepdims: { int: 0 } } }];
    expect(await failure({ nodes, weights })).toBe(
      'model: output "y" of The given model has shape [] for 2 rows, but its first axis must be the rows; choose another output',
    );
  });

  test("outputs that nothing varies", async () => {
    const nodes = [product, { op: "Relu", inputs: ["c"], outputs: ["y"] }];
    const c = { name: "c", tensor: { data: Float32Array.of(1), dims: [1] } };
    expect(await failure({ nodes, weights, initializers: [c] })).toBe(
      'model: The given model: output "y" does not depend on parameters or inputs; choose another output',
    );
  });

  test("constants that are not dense", async () => {
    const sparse: AttributeValue = { opaque: new Uint8Array() };
    const nodes = [
      { op: "Constant", name: "c", inputs: [], outputs: ["v"], attributes: { sparse_value: sparse } },
      { ...product, outputs: ["y"] },
    ];
    expect(await failure({ nodes, weights })).toBe(
      'unsupported: Constant node "c" has no dense value; store it as a dense tensor',
    );
  });

  test("nodes in a form that cannot be passed to ONNX Runtime", async () => {
    const nodes = [
      { op: "Cast", inputs: ["x"], outputs: ["whole"], attributes: { to: { int: 7 } } },
      {
        op: "Slice",
        name: "part",
        inputs: ["whole"],
        outputs: ["some"],
        attributes: { starts: { ints: [0] }, ends: { ints: [2] } },
      },
      { op: "Cast", inputs: ["some"], outputs: ["back"], attributes: { to: { int: 1 } } },
      { op: "MatMul", inputs: ["back", "w"], outputs: ["y"] },
    ];
    expect(await failure({ nodes, weights, opsets: { "": 9 } })).toBe(
      'unsupported: Slice "part" has the form of opset 9, which ONNX Runtime does not take beside newer ones; convert the file with onnx.version_converter.convert_version to 17',
    );
  });

  test("what ONNX Runtime refuses", async () => {
    expect(
      await failure({
        nodes: [{ ...product, outputs: ["y"] }],
        weights: {
          w: [
            [1, 2, 3],
            [3, 1],
          ],
        },
      }),
    ).toMatch(/^runtime: ONNX Runtime cannot run The given model on "x" of shape \[2, 2\]: /);
  });
});

describe("graph", () => {
  const build = async (shapes: { readonly [name: string]: readonly number[] }, outputs = ["y"]) =>
    (await loadModel(tinyModel({ nodes: [{ ...product, outputs: ["y"] }], weights }))).graph({ shapes, outputs });

  test("names outputs and inputs that are wrong or missing", async () => {
    expect(await rejectionOf(build({ x: [2, 2] }, ["z"]))).toBe(
      'argument: The given model has no output "z"; it has y',
    );
    expect(await rejectionOf(build({}))).toBe('argument: The given model needs an input "x", got none');
    expect(await rejectionOf(build({ z: [2, 2] }))).toBe('argument: The given model needs an input "x", got z');
    for (const shape of [[2, 3], [4]]) {
      expect(await rejectionOf(build({ x: shape }))).toBe(
        `shape: input "x" of The given model has shape [n, 2], got [${shape.join(", ")}]; reshape the data`,
      );
    }
  });
});

describe("run", () => {
  const bytes = tinyModel({ nodes: [{ ...product, outputs: ["y"] }], weights });
  const x: Tensor = { data: Float32Array.of(1, 2), dims: [1, 2] };

  test("names the input that is missing", async () => {
    const model = await loadModel(bytes);
    await expect(model.run({ z: x })).rejects.toThrow('The given model needs an input "x", got z');
    await expect(model.run({})).rejects.toThrow('The given model needs an input "x", got none');
  });

  test("takes float64, and says what ONNX Runtime refuses", async () => {
    const model = await loadModel(bytes);
    const { y } = await model.run({ x: { data: Float64Array.of(1, 2), dims: [1, 2] } });
    expect([...(y.data as Float32Array)]).toEqual([7, 10]);
    await expect(model.run({ x: { data: Float32Array.of(1, 2, 3), dims: [1, 3] } })).rejects.toThrow(
      /^ONNX Runtime could not run The given model: /,
    );
  });

  test("says what ONNX Runtime refuses to open", async () => {
    const model = await loadModel(
      tinyModel({ nodes: [{ ...product, attributes: { no: { int: 1 } }, outputs: ["y"] }], weights }),
    );
    await expect(model.run({ x })).rejects.toThrow(/^ONNX Runtime refused The given model: /);
  });
});

describe("functionModel", () => {
  const w = { data: Float64Array.of(1, 2, 3), dims: [3] };

  test("checks its parameters", () => {
    const apply = ({ w: weight }: { readonly [name: string]: Value }) => scale(weight, 2);
    const build = (parameters: { readonly [name: string]: { data: Float64Array; dims: readonly number[] } }) =>
      messageOf(() => functionModel({ parameters, inputs: { x: { dims: [3] } }, apply }));
    expect(build({ w: { ...w, dims: [2] } })).toBe('shape: parameter "w" has 3 numbers, but its dims ask for 2');
    expect(build({ x: w })).toBe('argument: "x" is the name of a parameter and of an input; give them different names');
  });
});

describe("forms of operators without a rule", () => {
  const x = input("x", [1, 4, 4, 4]);
  const node: ImportedNode = {
    op: "",
    domain: "",
    name: "n",
    opset: 17,
    inputs: [x],
    outputShapes: [[1, 4, 4, 4]],
    attributes: {},
    consumers: [],
  };
  const rules: { readonly [op: string]: OperatorRule } = operators;
  const said = (op: keyof typeof operators, form: Partial<ImportedNode> = {}) =>
    messageOf(() => rules[op]({ ...node, op, ...form }));
  const kernel_shape = { ints: [2, 2] };

  test.each<[keyof typeof operators, Partial<ImportedNode>, string]>([
    ["Add", {}, "lacks its input number 2"],
    ["Reshape", { outputShapes: [undefined] }, "leaves out its output number 1"],
    [
      "CumSum",
      { inputs: [x, input("axis", [], "int64")] },
      "has an input number 2 that depends on the data; it must be constant",
    ],
    ["Cast", { attributes: { to: { int: 7 } } }, "converts to type 7, which has no derivative"],
    ["Gelu", { attributes: { approximate: { string: "cubic" } } }, 'approximates by "cubic"'],
    ["Slice", {}, "lacks its starts or ends"],
    ["Pad", {}, "lacks its amounts"],
    [
      "Pad",
      { attributes: { pads: { ints: [0, 0, 0, 0, 0, 0, 0, 1] }, mode: { string: "spiral" } } },
      'pads in mode "spiral"',
    ],
    [
      "Pad",
      { attributes: { pads: { ints: [0, 0, 0, 0, 0, 0, 0, 4] }, mode: { string: "reflect" } } },
      'pads by 4 in mode "reflect", more than the 3 elements there are',
    ],
    ["MaxPool", {}, "lacks its kernel_shape"],
    [
      "MaxPool",
      { inputs: [input("x", [1, 4])], attributes: { kernel_shape } },
      "has 0 spatial axes, but 1 to 3 have a rule",
    ],
    ["AveragePool", { attributes: { kernel_shape, pads: { ints: [-1, 0, 0, 0] } } }, "has negative padding"],
    ["AveragePool", { attributes: { kernel_shape, auto_pad: { string: "SAME" } } }, 'pads in mode "SAME"'],
    ["Conv", { inputs: [input("x", [1, 4]), input("w", [1, 4])] }, "has 0 spatial axes, but 1 to 3 have a rule"],
    ["GroupNormalization", { attributes: { num_groups: { int: 3 } } }, "divides 4 channels into 3 groups"],
    [
      "RNN",
      {
        inputs: [input("x", [3, 2, 4]), input("w", [1, 2, 4]), input("r", [1, 2, 2])],
        attributes: { activations: { strings: ["Snake"] } },
      },
      "uses the activation Snake; the standard has Affine, Clip, Elu, HardSigmoid, LeakyRelu, Relu, ScaledTanh, Sigmoid, Softplus, Softsign, Tanh, ThresholdedRelu",
    ],
    [
      "Attention",
      { attributes: { left_window_size: { int: 2 } } },
      "sees a window of keys only (left_window_size, right_window_size)",
    ],
    [
      "Resize",
      {
        outputShapes: [[1, 4, 4, 8]],
        attributes: { coordinate_transformation_mode: { string: "tf_crop_and_resize" } },
      },
      "crops without saying where (roi)",
    ],
    [
      "Resize",
      { outputShapes: [[1, 4, 4, 8]], attributes: { mode: { string: "spline" } } },
      'interpolates in mode "spline" with coordinates "half_pixel"',
    ],
    [
      "DFT",
      { inputs: [input("x", [1, 4099, 1])] },
      "transforms a length of 4099, whose largest prime factor is more than 4096",
    ],
    ["STFT", { inputs: [input("x", [1, 8]), integers([2])] }, "has neither a window nor a length of frames"],
    [
      "STFT",
      { inputs: [input("x", [1, 8]), integers([2]), input("window", [9])] },
      "takes frames of 9 out of 8 samples",
    ],
    ["STFT", { inputs: [input("x", [1, 8, 2]), integers([2]), input("window", [4])] }, "transforms complex signals"],
    ["AffineGrid", { inputs: [input("theta", [1, 2, 3])] }, "lacks the size of its grid"],
    ["Col2Im", { inputs: [input("x", [1, 4, 4])] }, "lacks the shape of its image or blocks"],
    [
      "GridSample",
      { inputs: [x, x], attributes: { mode: { string: "spline" } } },
      'samples in mode "spline" with padding "zeros"',
    ],
    [
      "ScatterND",
      {
        inputs: [input("x", [4096, 2]), input("indices", [4096, 1], "int64"), input("updates", [4096, 2])],
        attributes: { reduction: { string: "max" } },
      },
      'reduces by "max" at places that depend on the data, where 4096 places times 4096 updates of 2 numbers are more than can be compared; make the places constant',
    ],
    [
      "ScatterND",
      { inputs: [x, integers([0]), input("updates", [4, 4, 4])], attributes: { reduction: { string: "median" } } },
      'reduces by "median"',
    ],
    ["MultiHeadAttention", {}, "packs queries, keys and values into one operand"],
    [
      "MultiHeadAttention",
      {
        inputs: [
          input("q", [1, 2, 4]),
          input("k", [1, 3, 4]),
          input("v", [1, 3, 4]),
          undefined,
          input("m", [1, 2], "int32"),
        ],
        attributes: { num_heads: { int: 2 } },
        outputShapes: [[1, 2, 4]],
      },
      "masks 2 of 3 keys; give each key a number of the mask",
    ],
    ["FusedMatMul", { attributes: { transBatchA: { int: 1 } } }, "moves its leading axes"],
  ])("%s %#", (op, form, what) => {
    expect(said(op, form)).toBe(`unsupported: operator ${op} (node "n") ${what}`);
  });
});
