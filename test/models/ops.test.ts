import { describe, expect, test } from "vitest";
import { jvp, vjp } from "../../src/autodiff/index.ts";
import { constant, input, type Value } from "../../src/graph/index.ts";
import { interpret } from "../../src/models/import/index.ts";
import type { ChosenParameter } from "../../src/models/import/parameters/index.ts";
import { type FileModel, loadModel, type ModelGraph } from "../../src/models/index.ts";
import { writeModel } from "../../src/onnx/index.ts";
import type { Program } from "../../src/runtime/index.ts";
import { type Precision, sizeOf } from "../../src/tensors/index.ts";
import { sampled } from "../sampled.ts";
import type { OperatorCase } from "./operatorCase.ts";
import { operatorCases } from "./ops.cases.ts";
import {
  distance,
  type Feeds,
  functional,
  inputsOf,
  numbers,
  parameterFeeds,
  randomLike,
  shapesOf,
  withProgram,
} from "./running.ts";

/** A model of one node whose operands are p0, p1, ..., with the tensors that are fed. */
async function oneNodeModel(
  op: string,
  operatorCase: OperatorCase,
): Promise<{ model: FileModel; feeds: Feeds; names: string[] }> {
  const { opset = 17, domain = "", attributes = {}, operands, outputs = 1 } = operatorCase;
  const tensors = operands.map((operand) => operand && ("parameter" in operand ? operand.parameter : operand.fixed));
  const given = operands.map((operand) => operand !== null && "asInput" in operand);
  const names = operands.map((operand, i) => (operand === null ? "" : `p${i}`));
  const results = Array.from({ length: outputs }, (_, i) => `y${i}`);
  const entries = tensors.flatMap((tensor, i) =>
    tensor === null ? [] : [{ name: names[i], tensor, given: given[i] }],
  );
  const bytes = writeModel({
    opsets: { "": opset, ...(domain !== "" && { [domain]: 1 }) },
    producer: "test",
    graph: {
      name: "one node",
      nodes: [{ op, domain, inputs: names, outputs: results, attributes }],
      inputs: entries
        .filter((entry) => entry.given)
        .map(({ name, tensor }) => ({ name, dtype: tensor.dtype ?? "int64", dims: tensor.dims })),
      outputs: results.map((name) => ({ name, dtype: null, dims: null })),
      initializers: entries.filter((entry) => !entry.given),
    },
  });
  const free = operands.flatMap((operand, i) => (operand !== null && "parameter" in operand ? [names[i]] : []));
  const model = await loadModel(bytes, {
    parameters: { include: free, exclude: names.filter((name) => isFixedFloat(operands, names, name)) },
  });
  const feeds = Object.fromEntries(entries.filter((entry) => entry.given).map(({ name, tensor }) => [name, tensor]));
  return { model, feeds, names: (operatorCase.compared ?? results.map((_, i) => i)).map((i) => `y${i}`) };
}

function isFixedFloat(operands: OperatorCase["operands"], names: readonly string[], name: string): boolean {
  const operand = operands[names.indexOf(name)];
  return operand != null && "fixed" in operand && operand.fixed.data instanceof Float32Array;
}

for (const [op, table] of Object.entries(operatorCases)) {
  const cases = sampled(table, 2);
  describe(op, () => {
    for (const operatorCase of cases) test(operatorCase.title, () => check(op, operatorCase));
  });
}

async function check(op: string, operatorCase: OperatorCase): Promise<void> {
  const { model, feeds, names } = await oneNodeModel(op, operatorCase);
  const what = { model: model.prepared, parameters: model.parameters as ChosenParameter[], ties: [] };
  const graph = await interpret(what, { shapes: shapesOf(feeds), outputs: names });
  const checked = { model, graph, feeds };
  const reference = await model.run(feeds);
  await withProgram(inputsOf(model, graph), graph.outputs, {
    precision: "float32",
    use: (program) => checkForward(program, { ...checked, precision: "float32", reference }),
  });
  const isFloat = Object.values(graph.outputs).some(({ type }) => type === "float");
  const loss = isFloat ? functional(Object.values(graph.outputs)) : undefined;
  // Differences are of the program without derivatives, which runs in a fraction of the time of that with them.
  await withProgram(inputsOf(model, graph), loss === undefined ? graph.outputs : { ...graph.outputs, [LOSS]: loss }, {
    precision: "float64",
    async use(program) {
      await checkForward(program, { ...checked, precision: "float64", reference });
      if (loss !== undefined) await checkDerivatives(checked, { loss, lossProgram: program });
    },
  });
}

/** Name of an output that no case has. */
const LOSS = "the loss";

interface Checked {
  readonly model: FileModel;
  readonly graph: ModelGraph;
  readonly feeds: Feeds;
}

/** Our forward in one precision against ONNX Runtime's own run of the node. */
async function checkForward(
  program: Program,
  { model, feeds, precision, reference }: Checked & { readonly precision: Precision; readonly reference: Feeds },
): Promise<void> {
  const outputs = await program.run({ ...feeds, ...parameterFeeds(model) });
  for (const [name, output] of Object.entries(outputs)) {
    if (name === LOSS) continue;
    expect(distance(numbers(output), numbers(reference[name])), `${name} in ${precision}`).toBeLessThan(1e-5);
    expect(output.dims).toEqual(reference[name].dims);
  }
}

/** Gradient entry by entry, and the Hessian times a vector, against central differences in float64. */
async function checkDerivatives(
  { model, graph, feeds }: Checked,
  { loss, lossProgram }: { readonly loss: Value; readonly lossProgram: Program },
): Promise<void> {
  const gradients = vjp([loss], graph.parameters, [constant({ data: Float64Array.of(1), dims: [] })]);
  const directions = graph.parameters.map(({ shape }, i) => randomLike(shape, `direction ${i}`));
  const tangents = graph.parameters.map(({ shape }, i) => input(`tangent ${i}`, shape));
  const products = jvp(gradients, graph.parameters, tangents);
  const outputs = {
    ...Object.fromEntries(gradients.map((g, i) => [`g${i}`, g])),
    ...Object.fromEntries(products.flatMap((h, i) => (h === null ? [] : [[`h${i}`, h]]))),
  };
  const inputs = { ...inputsOf(model, graph), ...Object.fromEntries(tangents.map((t, i) => [`t${i}`, t])) };
  const tangentFeeds = Object.fromEntries(
    tangents.map(({ shape }, i) => [`t${i}`, { data: Float64Array.from(directions[i]), dims: shape }]),
  );
  await withProgram(inputs, outputs, {
    precision: "float64",
    use: async (program) => {
      const at = (feed: Feeds) => program.run({ ...feeds, ...tangentFeeds, ...feed });
      const lossAt = async (feed: Feeds) => numbers((await lossProgram.run({ ...feeds, ...feed }))[LOSS])[0];
      const here = await at(parameterFeeds(model));
      const step = 1e-5;
      for (const [k, { dims }] of model.parameters.entries()) {
        const differences: number[] = [];
        for (let i = 0; i < sizeOf(dims); i++) {
          const unit = model.parameters.map((parameter, j) =>
            Array.from(parameter.data, (_, l) => Number(j === k && l === i)),
          );
          const [ahead, behind] = [
            await lossAt(parameterFeeds(model, unit, step)),
            await lossAt(parameterFeeds(model, unit, -step)),
          ];
          differences.push((ahead - behind) / (2 * step));
        }
        expect(distance(numbers(here[`g${k}`]), differences, 0.1), `gradient of p${k}`).toBeLessThan(1e-6);
      }
      const [ahead, behind] = [
        await at(parameterFeeds(model, directions, step)),
        await at(parameterFeeds(model, directions, -step)),
      ];
      for (const k of model.parameters.keys()) {
        const after = numbers(behind[`g${k}`]);
        const differences = numbers(ahead[`g${k}`]).map((g, i) => (g - after[i]) / (2 * step));
        const product = here[`h${k}`] === undefined ? differences.map(() => 0) : numbers(here[`h${k}`]);
        expect(distance(product, differences, 0.1), `H v of p${k}`).toBeLessThan(1e-6);
      }
    },
  });
}
