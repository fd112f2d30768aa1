import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema, StringStringEntryProtoSchema } from "../../src/onnx/generated/onnx_pb.ts";
import type { ValueInfo } from "../../src/onnx/index.ts";
import { stream } from "../../src/random/index.ts";
import { type Draws, drawsFrom, NUMBERS } from "./fuzzDraws.ts";
import { randomDataFile } from "./structuredData.ts";
import { callingFunctions, controlFlow } from "./structuredLoops.ts";
import { growingChain, oneOperator } from "./structuredNodes.ts";
import { type TinyModel, tinyModel } from "./tinyModel.ts";

/** What is in a folder under a name: bytes, or the target of a symbolic link. */
export type FileContent = Uint8Array | { readonly link: string };

/** A model file that is nearly as it should be, with the files beside it. */
export interface StructuredCase {
  readonly kind: string;
  readonly model: Uint8Array;
  readonly files: { readonly [name: string]: FileContent };
  /** Name of the file of data; random arrays where absent. */
  readonly data?: string;
}

type Maker = (draws: Draws) => Omit<StructuredCase, "kind">;

const plain = (make: (draws: Draws) => TinyModel): Maker => {
  return (draws) => ({ model: tinyModel(make(draws)), files: {} });
};

/** Kinds of cases, with how often each comes. */
const MAKERS: readonly (readonly [kind: string, weight: number, Maker])[] = [
  ["operator", 45, plain(oneOperator)],
  ["chain", 8, plain(growingChain)],
  ["control flow", 17, plain(controlFlow)],
  ["functions", 6, plain(callingFunctions)],
  ["external data", 8, externalData],
  ["data file", 12, (draws) => ({ model: tinyModel(linear()), ...randomDataFile(draws) })],
  ["names and shapes", 4, plain(oddlyDeclared)],
];

/** Case number `seed`: same seed, same case. */
export function structuredCase(seed: number): StructuredCase {
  const draws = drawsFrom(stream(seed, "structured"));
  let left = draws.below(MAKERS.reduce((sum, [, weight]) => sum + weight, 0));
  const [kind, , make] = MAKERS.find(([, weight]) => {
    left -= weight;
    return left < 0;
  })!;
  return { kind, ...make(draws) };
}

/** y = x w. */
function linear(): TinyModel {
  return {
    weights: {
      w: [
        [1, 2, 3, 4],
        [2, 2],
      ],
    },
    nodes: [{ op: "MatMul", inputs: ["x", "w"], outputs: ["y"] }],
  };
}

/** The weights of a model in a file that is absent, too short, a link, or read from where it does not begin. */
function externalData(draws: Draws): Omit<StructuredCase, "kind"> {
  const model = fromBinary(
    ModelProtoSchema,
    tinyModel({
      weights: {
        w: [
          [1, 2, 3, 4],
          [2, 2],
        ],
        b: [
          [1, 2],
          [1, 2],
        ],
      },
      nodes: [
        { op: "MatMul", inputs: ["x", "w"], outputs: ["h"] },
        { op: "Add", inputs: ["h", "b"], outputs: ["y"] },
      ],
    }),
  );
  const locations = ["data.bin", "data.bin", "data.bin", "absent.bin", "link.bin", "deep/../data.bin", "/etc/passwd"];
  const odd = ["../data.bin", "", ".", "deep", "loop.bin", "nul\0byte", "con\u001b[31m", "file:///etc/passwd"];
  const amounts = ["0", "0", "4", "8", "16", "-4", "1e3", "0x10", "18446744073709551616", "9007199254740993", ""];
  for (const tensor of model.graph!.initializer) {
    if (draws.chance(0.2)) continue;
    const entries: [string, string][] = [["location", draws.chance(0.7) ? draws.pick(locations) : draws.pick(odd)]];
    if (draws.chance(0.6)) entries.push(["offset", draws.pick(amounts)]);
    if (draws.chance(0.6)) entries.push(["length", draws.chance(0.5) ? "16" : draws.pick(amounts)]);
    if (draws.chance(0.1)) entries.push(["checksum", "0"], ["location", "data.bin"]);
    const externalData = entries.map(([key, value]) => create(StringStringEntryProtoSchema, { key, value }));
    Object.assign(tensor, { externalData, dataLocation: 1 });
    if (draws.chance(0.7)) tensor.rawData = new Uint8Array(0);
    if (draws.chance(0.2))
      tensor.dims = tensor.dims.map((dim) => (draws.chance(0.5) ? dim : BigInt.asIntN(64, BigInt(draws.number()))));
    if (draws.chance(0.1)) tensor.dataType = draws.below(24);
  }
  const data = new Uint8Array(draws.pick([0, 3, 8, 16, 24, 64])).fill(draws.below(256));
  const files: { [name: string]: FileContent } = { "data.bin": data };
  files["link.bin"] = { link: draws.pick(["data.bin", "nowhere", "/dev/zero", "/dev/null", "/etc", "link.bin"]) };
  files["loop.bin"] = { link: "loop.bin" };
  return { model: toBinary(ModelProtoSchema, model), files };
}

const NAMES = [
  "x",
  "y",
  "w",
  "",
  "__proto__",
  "constructor",
  "toString",
  "a\u001b[31mb",
  "two\nlines",
  "\ud800",
  "n".repeat(5000),
];

/** Names that objects inherit or terminals obey, twice or of nothing, and inputs of any declared shape. */
function oddlyDeclared(draws: Draws): TinyModel {
  const name = () => draws.pick(NAMES);
  const dims = (): ValueInfo["dims"] =>
    draws.chance(0.1)
      ? null
      : Array.from({ length: draws.below(4) }, () => (draws.chance(0.3) ? name() : Math.min(draws.number(), 2 ** 62)));
  const types = ["float32", "float64", "float16", "int64", "bool", "string", "uint8", "complex64", null] as const;
  const [input, output] = [name(), name()];
  return {
    inputs: [
      { name: input, dtype: draws.pick(types), dims: dims() },
      ...(draws.chance(0.3) ? [{ name: name(), dtype: draws.pick(types), dims: dims() }] : []),
    ],
    outputs: draws.chance(0.1) ? [] : [output, ...(draws.chance(0.2) ? [name()] : [])],
    weights: { [draws.chance(0.5) ? "w" : name()]: [[1, 2, 3, 4], draws.pick([[2, 2], [4], [4, 1], [1, 1, 2, 2]])] },
    opsets: { "": draws.chance(0.7) ? 17 : draws.pick(NUMBERS) },
    nodes: [
      {
        op: draws.pick(["MatMul", "Add", "Mul"]),
        name: name(),
        inputs: [input, "w"],
        outputs: [draws.chance(0.7) ? "h" : name()],
      },
      {
        op: draws.pick(["Identity", "Relu", "Softmax"]),
        inputs: [draws.chance(0.8) ? "h" : name()],
        outputs: [output],
      },
    ],
  };
}
