import { readFileSync } from "node:fs";
import fc from "fast-check";
import { zipSync } from "fflate";
import { describe, expect, test } from "vitest";
import {
  arrays,
  curvatureReport,
  empiricalRisk,
  exportProduct,
  functionModel,
  ggn,
  hessian,
  inspectModel,
  loadData,
  loadModel,
  loadTensor,
  meanSquaredError,
  primitives,
  type Tensor,
} from "../../src/index.ts";
import { renderHtml, renderJson, renderTable } from "../../src/report/index.ts";
import { float32Npy, npyBytes } from "../data/files.ts";
import { localFunction, tinyModel } from "./tinyModel.ts";

/** What every object inherits, and what is only a key. */
const INHERITED = ["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf", "__defineGetter__"];

/** Five names that differ, most of them inherited. */
const names = fc.uniqueArray(fc.oneof(fc.constantFrom(...INHERITED), fc.constantFrom("x", "1", "a b")), {
  minLength: 5,
  maxLength: 5,
});

/** y = Tanh(x W) + b, with these names for x, W, b, the product and y. */
function model([x, W, b, hidden, y]: readonly string[]): Uint8Array {
  return tinyModel({
    inputs: [{ name: x!, dtype: "float32", dims: ["constructor", 2] }],
    outputs: [y!],
    initializers: [
      { name: W!, tensor: { data: Float32Array.of(0.3, -0.2, 0.5, 0.1), dims: [2, 2] } },
      { name: b!, tensor: { data: Float32Array.of(0.1, 0.2), dims: [2] } },
    ],
    nodes: [
      { op: "MatMul", name: "__proto__", inputs: [x!, W!], outputs: [hidden!] },
      { op: "Tanh", name: "constructor", inputs: [hidden!], outputs: [`${hidden}2`] },
      { op: "Add", name: "toString", inputs: [`${hidden}2`, b!], outputs: [y!] },
    ],
  });
}

const x: Tensor = { data: Float32Array.of(0.5, -1, 2, 0.25, 1, 1), dims: [3, 2] };
const targets: Tensor = { data: Float32Array.of(0, 1, 1, 0, 0.5, -0.5), dims: [3, 2] };

async function results(given: readonly string[]) {
  const loaded = await loadModel(model(given));
  const [input, , , , output] = given;
  const inputs = Object.fromEntries([[input!, x]]);
  const ran = await loaded.run(inputs);
  const risk = await empiricalRisk({ model: loaded, loss: meanSquaredError(), data: arrays({ inputs, targets }) });
  try {
    const v = Float32Array.from({ length: 6 }, (_, i) => i - 2);
    const parts = risk.split(await risk.gradient());
    const report = await curvatureReport(risk, {
      probes: 2,
      steps: 2,
      densityProbes: 1,
      eigenvalues: 1,
      dense: false,
      seed: 0,
    });
    for (const text of [renderHtml(report), renderTable(report), renderJson(report)])
      expect(text.length).toBeGreaterThan(100);
    const exported = [];
    for (const parametersAsInputs of [true, false]) {
      for (const product of ["hvp", "jvp", "vjp"] as const) {
        const { bytes } = await exportProduct(loaded, {
          product,
          loss: meanSquaredError(),
          batchSize: 3,
          parametersAsInputs,
        });
        exported.push(
          (await loadModel(bytes, { parameters: { include: ["*"] } }).catch(() => undefined))?.outputs.length,
        );
      }
    }
    return {
      inspected: inspectModel(loaded).parameters.map(({ name, dims }) => [given.indexOf(name), dims]),
      output: [...(ran[output!]!.data as Float32Array)],
      loss: await risk.loss(),
      gradient: [given[1]!, given[2]!].map((name) => [...(parts[name]!.data as Float32Array)]),
      joined: [...risk.join(parts)],
      products: [...(await hessian(risk).matvec(v)), ...(await ggn(risk).matvec(v))],
    };
  } finally {
    await risk.dispose();
  }
}

describe("names that objects inherit", () => {
  test("make no difference as names of inputs, outputs, weights, values and nodes", async () => {
    const expected = await results(["in", "W", "b", "hidden", "out"]);
    await fc.assert(
      fc.asyncProperty(names, async (given) => {
        expect(await results(given)).toEqual(expected);
      }),
      {
        numRuns: 12,
        examples: [
          [["x", "W", "b", "h", "__proto__"]],
          [["__proto__", "constructor", "toString", "valueOf", "x"]],
          [["x", "__proto__", "b", "constructor", "toString"]],
          [["x", "W", "b", "__proto__", "constructor"]],
        ],
      },
    );
  });

  test.each(INHERITED)("%s as an operator, a domain and a function", async (name) => {
    const unknown = tinyModel({
      nodes: [{ op: name, domain: name === "__proto__" ? "" : name, inputs: ["x", "W"], outputs: ["y"] }],
      weights: {
        W: [
          [1, 2, 3, 4],
          [2, 2],
        ],
      },
      opsets: Object.fromEntries([
        ["", 17],
        [name, 1],
      ]),
    });
    await expect(
      loadModel(unknown, { parameters: { include: ["W"] } }).then((loaded) => inspectModel(loaded)),
    ).resolves.toMatchObject({});
    const operator = tinyModel({
      nodes: [{ op: name, inputs: ["x", "W"], outputs: ["y"] }],
      weights: {
        W: [
          [1, 2, 3, 4],
          [2, 2],
        ],
      },
    });
    const loaded = await loadModel(operator, { parameters: { include: ["W"] } });
    expect(inspectModel(loaded).operators).toMatchObject([{ operator: name, support: { missing: 1 } }]);
    const called = tinyModel({
      nodes: [{ op: name, domain: "local", inputs: ["x", "W"], outputs: ["y"] }],
      weights: {
        W: [
          [1, 2, 3, 4],
          [2, 2],
        ],
      },
      opsets: { "": 17, local: 1 },
      functions: [
        localFunction({
          name,
          inputs: [name, "b"],
          outputs: ["c"],
          nodes: [{ op: "MatMul", inputs: [name, "b"], outputs: ["c"] }],
        }),
      ],
    });
    expect((await loadModel(called)).parameters.map((each) => each.name)).toEqual(["W"]);
  });

  test.each(INHERITED)("%s as the word of an attribute", async (word) => {
    for (const [op, attribute, extra] of [
      ["Pad", "mode", ["pads"]],
      ["ScatterElements", "reduction", ["places", "W"]],
      ["GridSample", "mode", ["grid"]],
    ] as const) {
      const bytes = tinyModel({
        nodes: [
          { op: "MatMul", inputs: ["x", "W"], outputs: ["h"] },
          { op, inputs: ["h", ...extra], outputs: ["y"], attributes: { [attribute]: { string: word } } },
        ],
        weights: {
          W: [
            [1, 2, 3, 4],
            [2, 2],
          ],
          grid: [
            [0, 0],
            [1, 2],
          ],
        },
        initializers: ["pads", "places"].map((name) => ({
          name,
          tensor: { data: BigInt64Array.of(0n, 0n, 0n, 0n), dims: name === "pads" ? [4] : [2, 2] },
        })),
      });
      const loaded = await loadModel(bytes, { parameters: { include: ["W"] } });
      await expect(loaded.graph({ shapes: { x: [2, 2] }, outputs: ["y"] })).rejects.toMatchObject({
        name: "CurvatureError",
      });
    }
  });

  test.each(INHERITED)("%s as a model's word: bindings, outputs, opsets, feeds", async (name) => {
    const loaded = await loadModel(model(["in", "W", "b", "hidden", "out"]));
    await expect(loaded.run(Object.fromEntries([[name, x]]))).rejects.toThrow('needs an input "in"');
    const bound = loadModel(model(["in", "W", "b", "hidden", "out"]), { bind: Object.fromEntries([[name, 3]]) });
    if (name === "constructor") expect((await bound).inputs[0]!.dims).toEqual([3, 2]);
    else await expect(bound).rejects.toThrow(`has no input and no open size "${name}" to bind`);
    await expect(loadModel(model(["in", "W", "b", "hidden", "out"]), { output: name })).rejects.toMatchObject({
      code: "argument",
    });
  });

  test.each(INHERITED)("%s as an array of an NPZ, an element type of an NPY, a model's input", async (name) => {
    const archive = zipSync(
      Object.fromEntries([
        [`${name}.npy`, float32Npy([3, 2], [...(x.data as Float32Array)])],
        ["y.npy", float32Npy([3], [0, 1, 2])],
      ]),
    );
    const wanted = Object.fromEntries([[name, { dims: [null, 2], dtype: "float32" as const }]]);
    const data = await loadData({ data: archive, wanted });
    expect(Object.keys(data.inputs)).toEqual([name]);
    await expect(loadData({ inputs: {}, targets: archive, wanted })).rejects.toThrow(
      `expected a file for each of the model's inputs (${name}), got none`,
    );
    const descr = npyBytes({ descr: name, dims: [1], elements: new Uint8Array(8) });
    await expect(loadTensor(descr)).rejects.toThrow(`expected elements of type f2, f4,`);
  });

  test("of a function model", async () => {
    const made = functionModel({
      parameters: Object.fromEntries([["constructor", { data: Float64Array.of(1, 2), dims: [2] }]]),
      inputs: Object.fromEntries([["toString", { dims: [2] }]]),
      apply: (parameters, inputs) =>
        primitives.mul(inputs.toString as never, primitives.broadcast(parameters.constructor as never, [3, 2])),
    } as Parameters<typeof functionModel>[0]);
    expect(made.inputs.map(({ name }) => name)).toEqual(["toString"]);
  });

  test("the file that has an input called __proto__", async () => {
    const loaded = await loadModel(readFileSync(new URL("../cli/hostile/iname0.onnx", import.meta.url)));
    expect(loaded.inputs.map(({ name }) => name)).toContain("__proto__");
  });
});
