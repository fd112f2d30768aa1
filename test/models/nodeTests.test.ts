import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { afterAll, describe, expect, test } from "vitest";
import { CurvatureError } from "../../src/errors/index.ts";
import { isOpaque, topologicalOrder } from "../../src/graph/index.ts";
import { ruleOf } from "../../src/models/import/index.ts";
import { loadModel } from "../../src/models/index.ts";
import {
  AttributeProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  type ValueInfoProto,
} from "../../src/onnx/generated/onnx_pb.ts";
import { fromTensorProto } from "../../src/onnx/index.ts";
import { type Dtype, dtypeOf, type Tensor } from "../../src/tensors/index.ts";
import { sampled } from "../sampled.ts";
import { inputsOf, numbers, parameterFeeds, withProgram } from "./running.ts";

/*
 * The standard's own tests of single nodes, written by scripts/writeNodeTests.py into the folder that the environment variable
 * names. Every float input is made a parameter, so that our rules run and nothing is carried; other inputs are bound. Half
 * precision is read as float32, as it is in files.
 */
const folder = process.env.ONNX_CURVATURE_NODE_TESTS;
const cases =
  folder === undefined ? [] : readdirSync(folder).filter((name) => existsSync(join(folder, name, "model.onnx")));

interface NodeTest {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly operators: readonly { readonly op: string; readonly domain: string }[];
  readonly inputs: readonly TensorProto[];
  readonly outputs: readonly TensorProto[];
}

function readCase(name: string): NodeTest {
  const path = (file: string) => join(folder!, name, file);
  const tensors = (kind: string) => {
    const found: TensorProto[] = [];
    for (let i = 0; existsSync(path(`${kind}_${i}.pb`)); i++)
      found.push(fromBinary(TensorProtoSchema, readFileSync(path(`${kind}_${i}.pb`))));
    return found;
  };
  const proto = fromBinary(ModelProtoSchema, new Uint8Array(readFileSync(path("model.onnx"))));
  // The package is newer than ONNX Runtime; an operator that has changed since fails or gives other numbers there.
  if (proto.irVersion > 13n) proto.irVersion = 13n;
  for (const each of proto.opsetImport) if (each.domain === "" && each.version > 26n) each.version = 26n;
  const operators = proto.graph!.node.map(({ opType, domain }) => ({ op: opType, domain }));
  return {
    name,
    bytes: toBinary(ModelProtoSchema, proto),
    operators,
    inputs: tensors("input"),
    outputs: tensors("output"),
  };
}

const [FLOAT, FLOAT16, DOUBLE, BFLOAT16] = [1, 10, 11, 16];
const FLOATS: ReadonlySet<number> = new Set([FLOAT, FLOAT16, DOUBLE, BFLOAT16]);
const HALVES: ReadonlySet<number> = new Set([FLOAT16, BFLOAT16]);

/** Float inputs that say how large a result is, and must be known as integers must. */
const SIZES: ReadonlySet<string> = new Set(["roi", "scales"]);

/** Names of tests, and why one was skipped. */
const results: Record<"passed" | "skipped", Record<string, string>> = { passed: {}, skipped: {} };

/** Tests of float operators that have a rule, by operator. */
const byOperator = new Map<string, NodeTest[]>();
for (const name of cases) {
  const one = readCase(name);
  const [first] = one.operators;
  const isSupported = first !== undefined && one.operators.every((each) => each.op === "Constant" || ruleOf(each));
  const isFloat = one.inputs.some(({ dataType }) => FLOATS.has(dataType));
  if (!isSupported || !isFloat) continue;
  const key = name.endsWith("_expanded") || one.operators.length > 1 ? "functions written out" : first.op;
  byOperator.set(key, [...(byOperator.get(key) ?? []), one]);
}

describe.skipIf(folder === undefined)("the standard's own tests", () => {
  const chosen = sampled([...byOperator.keys()], 40);
  test.each(chosen)("%s", async (operator) => {
    const failures: string[] = [];
    for (const one of byOperator.get(operator)!) {
      const skipped = await check(one).catch((error: unknown) => {
        failures.push(`${one.name}: ${error instanceof Error ? error.message.split("\n")[0] : error}`);
        return undefined;
      });
      results[skipped === undefined ? "passed" : "skipped"][one.name] = skipped ?? "";
      if (failures.some((failure) => failure.startsWith(`${one.name}:`))) delete results.passed[one.name];
    }
    expect(failures).toEqual([]);
  });

  test("are many", () => {
    const least = chosen.length === byOperator.size ? 400 : 2 * chosen.length;
    expect(Object.keys(results.passed).length).toBeGreaterThan(least);
  });

  afterAll(() => writeFileSync(join(folder!, "result.json"), JSON.stringify(results, undefined, 2)));
});

/** Our forward against the stored outputs; the reason where ONNX Runtime itself does not compute them. */
async function check(one: NodeTest): Promise<string | undefined> {
  const isHalf = [...one.inputs, ...one.outputs].some(({ dataType }) => HALVES.has(dataType));
  const limits = isHalf ? { stored: 5e-3, own: 5e-3 } : { stored: 1e-3, own: 2e-5 };
  const expected = one.outputs.map((proto) => fromTensorProto(proto).tensor);
  const own = await ownRun(one);
  if (typeof own === "string") return own;
  const wrong = one.outputs.find(
    ({ name }, i) => own[name] !== undefined && error(own[name], expected[i]!) > limits.stored,
  );
  if (wrong !== undefined) return `ONNX Runtime gives other numbers for ${wrong.name}`;
  const model = await loadRewritten(one);
  if (typeof model === "string") return model;
  const names = model.outputs.map(({ name }) => name);
  const graph = await model.graph({ shapes: {}, outputs: names });
  const carried = topologicalOrder(Object.values(graph.outputs)).filter(isOpaque);
  expect(carried.map(({ params }) => params.node.op)).toEqual([]);
  const ours = await withProgram(inputsOf(model, graph), graph.outputs, {
    precision: "float32",
    use: (program) => program.run(parameterFeeds(model)),
  });
  for (const name of names) {
    const i = one.outputs.findIndex((proto) => proto.name === name);
    if (i < 0) continue;
    expect(ours[name]!.dims, `${one.name}: shape of ${name}`).toEqual(expected[i]!.dims);
    expect(error(ours[name]!, expected[i]!), `${one.name}: ${name}`).toBeLessThan(limits.stored);
    expect(error(ours[name]!, own[name]!), `${one.name}: ${name} of ONNX Runtime`).toBeLessThan(limits.own);
  }
  return undefined;
}

async function ownRun({ bytes, inputs, outputs }: NodeTest): Promise<Record<string, Tensor> | string> {
  try {
    const session = await InferenceSession.create(withFloatEnds(bytes), {
      logSeverityLevel: 4,
      graphOptimizationLevel: "disabled",
    });
    const feeds = inputs.map((proto) => {
      const { data, dims, ...rest } = fromTensorProto(proto).tensor;
      return [
        proto.name,
        new OrtTensor(dtypeOf({ data, dims, ...rest }) as "float32", data as Float32Array, dims),
      ] as const;
    });
    const found = await session.run(Object.fromEntries(feeds.filter(([name]) => session.inputNames.includes(name))));
    await session.release();
    return Object.fromEntries(
      outputs.flatMap(({ name }) => {
        const tensor = found[name];
        return tensor === undefined
          ? []
          : [[name, { data: tensor.data as Float32Array, dims: tensor.dims, dtype: tensor.type as Dtype }]];
      }),
    );
  } catch (cause) {
    return `ONNX Runtime: ${(cause as Error).message.split("\n")[0]!.replace(/\/\S*onnxruntime\S*/g, "")}`;
  }
}

/** The model with inputs and outputs in float32 where they are in half precision, which the engine's interface has not. */
function withFloatEnds(bytes: Uint8Array): Uint8Array {
  const proto = fromBinary(ModelProtoSchema, bytes);
  const graph = proto.graph!;
  const inner = (name: string) => `half ${name}`;
  const [inputs, outputs] = [halves(graph.input), halves(graph.output)];
  const names = new Set([...inputs.keys(), ...outputs.keys()]);
  if (names.size === 0) return bytes;
  for (const node of graph.node) {
    node.input = node.input.map((name) => (names.has(name) ? inner(name) : name));
    node.output = node.output.map((name) => (names.has(name) ? inner(name) : name));
  }
  graph.node.unshift(...[...inputs].map(([name, type]) => castNode(name, inner(name), type)));
  graph.node.push(...[...outputs.keys()].map((name) => castNode(inner(name), name, FLOAT)));
  return toBinary(ModelProtoSchema, proto);
}

/** Types of the infos in half precision, by name; the infos are made float32. */
function halves(infos: readonly ValueInfoProto[]): Map<string, number> {
  const found = new Map<string, number>();
  for (const { name, type } of infos) {
    if (type?.value.case !== "tensorType" || !HALVES.has(type.value.value.elemType)) continue;
    found.set(name, type.value.value.elemType);
    type.value.value.elemType = FLOAT;
  }
  return found;
}

function castNode(from: string, to: string, type: number) {
  const attribute = [create(AttributeProtoSchema, { name: "to", type: 2, i: BigInt(type) })];
  return create(NodeProtoSchema, { opType: "Cast", input: [from], output: [to], attribute });
}

/** The model with its float inputs as parameters, the others bound; the reason where it cannot be one with derivatives. */
async function loadRewritten({ bytes, inputs, outputs }: NodeTest) {
  const proto = fromBinary(ModelProtoSchema, bytes);
  const isFloat = ({ dataType, name }: TensorProto) => FLOATS.has(dataType) && !SIZES.has(name);
  const free = inputs.filter(isFloat);
  const names = free.map(({ name }) => name);
  proto.graph!.initializer.push(...free);
  proto.graph!.input = proto.graph!.input.filter(({ name }) => !names.includes(name));
  const bind = Object.fromEntries(
    inputs.filter((each) => !isFloat(each)).map((each) => [each.name, fromTensorProto(each).tensor]),
  );
  // Truth values and integers only where there is nothing else: our comparisons run too.
  const floats = outputs.filter(isFloat);
  const compared = (floats.length > 0 ? floats : outputs).map(({ name }) => name);
  try {
    return await loadModel(toBinary(ModelProtoSchema, proto), {
      parameters: { include: names },
      bind,
      output: compared,
    });
  } catch (cause) {
    if (cause instanceof CurvatureError && (cause.code === "model" || cause.code === "argument")) return cause.message;
    throw cause;
  }
}

/** Largest difference over the larger of 1e-3 and the largest finite entry; infinities and NaN must be the same ones. */
function error(a: Tensor, b: Tensor): number {
  const [x, y] = [numbers(a), numbers(b)];
  if (x.length !== y.length) return Infinity;
  const scale = Math.max(1e-3, ...y.filter(Number.isFinite).map(Math.abs));
  return (
    Math.max(0, ...x.map((each, i) => (Object.is(each, y[i]) || each === y[i] ? 0 : Math.abs(each - y[i]!) / scale))) ||
    (x.some((each, i) => Number.isNaN(each) !== Number.isNaN(y[i]!)) ? Infinity : 0)
  );
}
