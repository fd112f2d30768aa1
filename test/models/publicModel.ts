import { readFileSync } from "node:fs";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { jvp, vjp } from "../../src/autodiff/index.ts";
import { constant, input } from "../../src/graph/index.ts";
import { writePrepared } from "../../src/models/import/index.ts";
import type { ChosenParameter } from "../../src/models/import/parameters/index.ts";
import { type FileModel, inspectModel, type LoadOptions, loadModel } from "../../src/models/index.ts";
import { ModelProtoSchema, ValueInfoProtoSchema } from "../../src/onnx/generated/onnx_pb.ts";
import { stream } from "../../src/random/index.ts";
import { dtypeOf, sizeOf, type Tensor } from "../../src/tensors/index.ts";
import {
  distance,
  type Feeds,
  functional,
  inputsOf,
  type Numbers,
  numbers,
  parameterFeeds,
  randomLike,
  shapesOf,
  withProgram,
} from "./running.ts";

/** How far a model's numbers are from independent ones. */
export interface PublicModelErrors {
  /** Our forward in float32 against ONNX Runtime's run of the file as it is. */
  readonly output: number;
  /** Directional derivatives of a loss against differences of the loss in ONNX Runtime, over three directions. */
  readonly directional: number;
  /** H v against central differences of our float64 gradient. */
  readonly hessian: number;
  readonly parameters: number;
  readonly operators: readonly string[];
  readonly notices: readonly string[];
}

/** Checks a file: what it computes, the gradient and a Hessian-vector product of a random function of its float outputs. */
export async function checkPublicModel(
  path: string,
  {
    shapes,
    options,
    moved = Number.POSITIVE_INFINITY,
  }: {
    readonly shapes: { readonly [input: string]: readonly number[] };
    readonly options: LoadOptions;
    /**
     * How many of the last tensors the direction v of H v moves, all by default. Where a network has so many kinks that every
     * measurable step of all weights crosses one, only the last ones can be moved.
     */
    readonly moved?: number;
  },
): Promise<PublicModelErrors> {
  const model = await loadModel(path, options);
  const feeds = feedsOf(model, shapes);
  const outputs = model.outputs.map(({ name }) => name);
  const graph = await model.graph({ shapes: shapesOf(feeds), outputs });
  const own = await runFile(withOutputs(path, outputs), { ...feeds, ...boundFeeds(options) }, outputs);
  const inputs = inputsOf(model, graph);
  const ours = await withProgram(inputs, graph.outputs, {
    precision: "float32",
    use: (program) => program.run({ ...feeds, ...parameterFeeds(model) }),
  });
  const output = Math.max(...outputs.map((name) => distance(numbers(ours[name]!), numbers(own[name]!))));
  const directions = [0, 1, 2].map((k) => directionOf(model, k));
  const loss = functional(Object.values(graph.outputs));
  const gradients = vjp([loss], graph.parameters, [constant({ data: Float64Array.of(1), dims: [] })]);
  const tangents = graph.parameters.map(({ shape }, i) => input(`tangent ${i}`, shape));
  const products = jvp(gradients, graph.parameters, tangents);
  const named = {
    ...Object.fromEntries(gradients.map((g, i) => [`g${i}`, g])),
    ...Object.fromEntries(products.flatMap((h, i) => (h === null ? [] : [[`h${i}`, h]]))),
  };
  const given = { ...inputs, ...Object.fromEntries(tangents.map((t, i) => [`t${i}`, t])) };
  const count = gradients.length;
  const derivatives = await withProgram(given, named, {
    precision: "float64",
    async use(program) {
      const direction = directions[0]!.map((part, k) => (k < count - moved ? part.map(() => 0) : part));
      const fed = Object.fromEntries(
        tangents.map(({ shape }, i) => [`t${i}`, { data: Float64Array.from(direction[i]!), dims: shape }]),
      );
      const at = (step: number) => program.run({ ...feeds, ...fed, ...parameterFeeds(model, direction, step) });
      const flat = (results: Feeds, kind: string) =>
        Array.from({ length: count }, (_, i) => {
          const tensor = results[`${kind}${i}`];
          return tensor === undefined ? new Array<number>(sizeOf(graph.parameters[i]!.shape)).fill(0) : numbers(tensor);
        });
      const here = await at(0);
      const gradient = flat(here, "g");
      const product = flat(here, "h").flat();
      const hessian: number[] = [];
      // Small steps, since a kink within one spoils the difference; the smallest ones meet rounding.
      for (const step of [1e-6, 1e-7, 1e-8, 1e-9]) {
        const [ahead, behind] = [flat(await at(step), "g").flat(), flat(await at(-step), "g").flat()];
        hessian.push(
          distance(
            product,
            ahead.map((g, i) => (g - behind[i]!) / (2 * step)),
          ),
        );
      }
      return { gradient, hessian: Math.min(...hessian) };
    },
  });
  const directional: number[] = [];
  for (const random of directions) {
    const direction = leaning(model, random, derivatives.gradient);
    const expected = derivatives.gradient
      .flatMap((g, k) => g.map((x, i) => x * direction[k]![i]!))
      .reduce((a, b) => a + b, 0);
    directional.push(await bestDifference(model, { feeds, outputs, direction, expected }));
  }
  const { operators, notices } = inspectModel(model);
  return {
    output,
    directional: Math.max(...directional),
    hessian: derivatives.hessian,
    parameters: model.parameters.reduce((sum, { data }) => sum + data.length, 0),
    operators: operators.map(({ operator }) => operator),
    notices,
  };
}

function feedsOf(model: FileModel, shapes: { readonly [input: string]: readonly number[] }): Feeds {
  return Object.fromEntries(
    model.inputs.map(({ name, dtype, dims }): [string, Tensor] => {
      const shape = shapes[name] ?? dims.map((dim) => (typeof dim === "number" ? dim : 1));
      const random = stream(11, name);
      const size = sizeOf(shape);
      if (dtype === "int64")
        return [name, { data: BigInt64Array.from({ length: size }, () => BigInt(random.integer(2))), dims: shape }];
      if (dtype === "int32")
        return [name, { data: Int32Array.from({ length: size }, () => random.integer(100)), dims: shape }];
      return [name, { data: Float32Array.from({ length: size }, () => 0.5 * random.normal()), dims: shape }];
    }),
  );
}

/** Bound inputs as the original file wants them fed: those whose number fills a shape that other bindings have settled. */
function boundFeeds({ bind = {} }: LoadOptions): Feeds {
  const size: { readonly [name: string]: readonly number[] } = { state: [2, 1, 128], h: [2, 1, 64], c: [2, 1, 64] };
  return Object.fromEntries(
    Object.entries(bind).flatMap(([name, value]): [string, Tensor][] => {
      if (name === "sr") return [[name, { data: BigInt64Array.of(BigInt(value as number)), dims: [] }]];
      const dims = size[name];
      return dims === undefined ? [] : [[name, { data: new Float32Array(sizeOf(dims)).fill(value as number), dims }]];
    }),
  );
}

/** The file with some values within it as outputs, so that ONNX Runtime gives them. */
export function withOutputs(path: string, names: readonly string[]): Uint8Array {
  const model = fromBinary(ModelProtoSchema, new Uint8Array(readFileSync(path)));
  const graph = model.graph!;
  const added = names.filter((name) => !graph.output.some((output) => output.name === name));
  graph.output.push(...added.map((name) => create(ValueInfoProtoSchema, { name })));
  return toBinary(ModelProtoSchema, model);
}

async function runFile(file: Uint8Array, feeds: Feeds, outputs: readonly string[]): Promise<Feeds> {
  const session = await InferenceSession.create(file, { logSeverityLevel: 4 });
  try {
    const given = Object.entries(feeds).map(
      ([name, tensor]) =>
        [name, new OrtTensor(dtypeOf(tensor) as "float32", tensor.data as Float32Array, tensor.dims)] as const,
    );
    const results = await session.run(Object.fromEntries(given), outputs as string[]);
    return Object.fromEntries(
      outputs.map((name) => [name, { data: results[name]!.data as Float32Array, dims: results[name]!.dims }]),
    );
  } finally {
    await session.release();
  }
}

/** A direction in which every tensor moves by about its own size. */
function directionOf(model: FileModel, k: number): number[][] {
  return model.parameters.map(({ data, dims }, i) => {
    const size = Math.sqrt(Array.from(data, (x) => x * x).reduce((sum, x) => sum + x, 0) / data.length) || 1;
    return randomLike(dims, `direction ${k} ${i}`).map((x) => x * size);
  });
}

/**
 * The direction plus as much of the steepest one: in a random direction alone the loss of a large model hardly moves, less than
 * float32 rounds.
 */
function leaning(model: FileModel, direction: readonly Numbers[], gradient: readonly Numbers[]): Numbers[] {
  const steepest = model.parameters.map(({ data }, k) => {
    const square = Array.from(data, (x) => x * x).reduce((sum, x) => sum + x, 0) / data.length;
    return gradient[k]!.map((g) => g * (square || 1));
  });
  const norm = (parts: readonly Numbers[]) => Math.sqrt(parts.flat().reduce((sum, x) => sum + x * x, 0));
  const factor = (0.2 * norm(direction)) / norm(steepest);
  return direction.map((part, k) => part.map((x, i) => x + factor * steepest[k]![i]!));
}

/** Relative error of a central difference of the loss in float32, for the best of some steps: the noise of float32 asks for a large one, curvature and kinks for a small one. */
async function bestDifference(
  model: FileModel,
  {
    feeds,
    outputs,
    direction,
    expected,
  }: {
    readonly feeds: Feeds;
    readonly outputs: readonly string[];
    readonly direction: readonly Numbers[];
    readonly expected: number;
  },
): Promise<number> {
  const { prepared } = model;
  const lossAt = async (step: number) => {
    const moved = new Map(prepared.constants);
    for (const [k, { tensor, data, dims }] of (model.parameters as ChosenParameter[]).entries()) {
      const values = Float32Array.from(data, (x, i) => x + step * direction[k]![i]!);
      moved.set(tensor, { ...prepared.constants.get(tensor)!, load: async () => ({ data: values, dims }) });
    }
    const results = await runFile(await writePrepared({ ...prepared, constants: moved }, prepared), feeds, outputs);
    let loss = 0;
    for (const [i, name] of outputs.entries()) {
      const y = numbers(results[name]!);
      const weights = randomLike(results[name]!.dims, `weights ${i}`);
      loss += y.reduce((sum, each, j) => sum + each * weights[j]!, 0);
    }
    return loss;
  };
  const errors: number[] = [];
  let coarser: number | undefined;
  for (let step = 1e-2; step > 5e-6; step /= 2) {
    const difference = ((await lossAt(step)) - (await lossAt(-step))) / (2 * step);
    // Richardson's extrapolation of two steps takes the curvature out.
    const values = coarser === undefined ? [difference] : [difference, (4 * difference - coarser) / 3];
    for (const value of values) errors.push(Math.abs(value - expected) / Math.abs(expected));
    coarser = difference;
  }
  return Math.min(...errors);
}
