import { bceWithLogits, crossEntropy } from "../../src/losses/index.ts";
import { loadModel } from "../../src/models/index.ts";
import { type OnnxNode, writeModel } from "../../src/onnx/index.ts";
import type { Tensor } from "../../src/tensors/index.ts";
import { type RiskCase, randomTensor, riskCases } from "./riskCases.ts";
import { coinTerms, labelTerms } from "./termReferences.ts";

const float32 = (dims: readonly number[], seed: number): Tensor => ({
  data: Float32Array.from(randomTensor(dims, seed, 0.7).data),
  dims,
});

const node = (op: string, inputs: readonly string[], output: string): OnnxNode => ({
  op,
  inputs,
  outputs: [output],
  attributes: {},
});

interface Written {
  readonly nodes: readonly OnnxNode[];
  readonly parameters: { readonly [name: string]: Tensor };
  readonly input: {
    readonly name: string;
    readonly dtype: "float32" | "int64";
    readonly dims: readonly (number | string)[];
  };
}

/** A model read from the bytes of a file with one input and the output "y". */
const written = ({ nodes, parameters, input }: Written) =>
  loadModel(
    writeModel({
      producer: "test",
      opsets: { "": 17 },
      graph: {
        name: "case",
        nodes,
        inputs: [input],
        outputs: [{ name: "y", dtype: "float32", dims: null }],
        initializers: Object.entries(parameters).map(([name, tensor]) => ({ name, tensor })),
      },
    }),
  );

/** Two layers that end in an activation; `rows` is the batch axis that the file declares. */
const classifier = (activation: string, rows: number | string) =>
  written({
    nodes: [
      node("Gemm", ["x", "12", "7"], "a"),
      node("Tanh", ["a"], "b"),
      node("Gemm", ["b", "targets", "3"], "z"),
      node(activation, ["z"], "y"),
    ],
    // Names that look like numbers or like names of ours.
    parameters: { "12": float32([4, 3], 1), "7": float32([3], 2), targets: float32([3, 3], 3), "3": float32([3], 4) },
    input: { name: "x", dtype: "float32", dims: [rows, 4] },
  });

/** Small objectives on models read from files: cut activations, fixed batches, names, token inputs. */
export async function onnxCases(): Promise<Readonly<Record<string, RiskCase>>> {
  const classes = riskCases["cross-entropy"];
  const coins = riskCases["binary cross-entropy with positive weights"];
  const tokens = riskCases["cross-entropy of tokens with ignored tokens and weights"];
  const embedding = await written({
    nodes: [
      node("Gather", ["table", "tokens"], "e"),
      node("Tanh", ["e"], "t"),
      node("MatMul", ["t", "head"], "h"),
      node("Add", ["h", "bias"], "y"),
    ],
    parameters: { table: float32([5, 3], 1), head: float32([3, 3], 2), bias: float32([3], 3) },
    input: { name: "tokens", dtype: "int64", dims: ["n", "t"] },
  });
  return {
    "a file that ends in Softmax": {
      ...classes,
      model: await classifier("Softmax", "n"),
      reference: labelTerms(classes.targets),
    },
    "a file for one row that ends in Sigmoid": {
      ...coins,
      loss: bceWithLogits(),
      model: await classifier("Sigmoid", 1),
      reference: coinTerms(coins.targets, [1, 1, 1]),
    },
    "a file for three rows": { ...classes, model: await classifier("Tanh", 3) },
    "a file with token inputs": { ...tokens, loss: crossEntropy({ classAxis: "last" }), model: embedding },
  };
}
