import { jvp, vectorize, vjp } from "../../src/autodiff/index.ts";
import { type ElementType, input, type Shape, type Value } from "../../src/graph/index.ts";
import { readModel } from "../../src/onnx/index.ts";
import { filled, zeros } from "../../src/primitives/index.ts";
import { type Stream, stream } from "../../src/random/index.ts";
import { compile, lower } from "../../src/runtime/index.ts";
import { openSession } from "../../src/runtime/node.ts";
import { formatDims, sizeOf, type Tensor } from "../../src/tensors/index.ts";
import { fill, type NdArray } from "./ndarray.ts";
import type { Case, Operand } from "./sample.ts";

type Feeds = Record<string, Tensor>;
type Results = { readonly [name: string]: Tensor };
type Named = Record<string, Value>;

/** Vectors at once in the checks of `vectorize`. */
const K = 3;
/** Step of differences: Richardson's extrapolation of central ones has error step^4. */
const STEP = 1e-3;
/** Numbers that operands are replaced by, to check that what is simplified for known numbers is right. */
const KNOWN = [0, 1, -1, 0.5];

/** A case with its graph. */
interface Setup {
  readonly sample: Case;
  readonly inputs: Named;
  readonly feeds: Feeds;
  readonly operands: readonly Value[];
  readonly floats: readonly number[];
  readonly value: Value;
  readonly outputs: Named;
}

/** Everything that is wrong with a primitive on one case; nothing if every rule holds. */
export async function violations(sample: Case, seed = 0): Promise<string[]> {
  const setup = prepare(sample, stream(seed, "violations"));
  const found: string[] = [];
  const program = await compile(setup, { precision: "float64" });
  try {
    const here = await program.run(setup.feeds);
    found.push(...checkValue(setup, here));
    if ("tangent" in setup.outputs) {
      found.push(...(await checkFirstOrder(setup, here, program.run)));
      found.push(...(await checkSecondOrder(setup, here, program.run)));
    }
    found.push(...(await checkVectorized(setup, program.run, stream(seed, "vectorized"))));
    found.push(...(await checkKnown(setup, program.run)));
    found.push(...(await checkPrecisions(setup, here)));
  } finally {
    await program.release();
  }
  return found;
}

function prepare(sample: Case, random: Stream): Setup {
  const inputs: Named = {};
  const feeds: Feeds = {};
  const add = (name: string, operand: Operand): Value => {
    const { shape, type } = operand;
    feeds[name] = tensorOf(operand.draw(random, sizeOf(shape)), shape, type);
    inputs[name] = input(name, shape, type);
    return inputs[name];
  };
  const operands = sample.operands.map((operand, i) => add(`x${i}`, operand));
  const floats = operands.flatMap(({ type }, i) => (type === "float" ? [i] : []));
  const value = sample.build(...operands);
  const outputs: Named = { value };
  if (value.type === "float" && floats.length > 0) {
    const normal = (shape: Shape): Operand => ({
      shape,
      type: "float",
      draw: (r, count) => Array.from({ length: count }, () => r.normal()),
    });
    const variables = floats.map((i) => operands[i]);
    const v = floats.map((i) => add(`v${i}`, normal(operands[i].shape)));
    const w = floats.map((i) => add(`w${i}`, normal(operands[i].shape)));
    const u = add("u", normal(value.shape));
    outputs.tangent = jvp([value], variables, v)[0] ?? zeros(value.shape);
    const gradients = vjp([value], variables, [u]);
    const alongV = jvp(gradients, variables, v);
    const alongW = jvp(gradients, variables, w);
    gradients.forEach((gradient, k) => {
      outputs[`gradient${floats[k]}`] = gradient;
      outputs[`alongV${floats[k]}`] = alongV[k] ?? zeros(gradient.shape);
      outputs[`alongW${floats[k]}`] = alongW[k] ?? zeros(gradient.shape);
    });
  }
  return { sample, inputs, feeds, operands, floats, value, outputs };
}

/** Floats are rounded to float32, so that both precisions see the same operands. */
function tensorOf(numbers: readonly number[], dims: Shape, type: ElementType): Tensor {
  if (type === "float") return { data: Float64Array.from(numbers, Math.fround), dims };
  if (type === "int64") return { data: BigInt64Array.from(numbers, BigInt), dims };
  return { data: Uint8Array.from(numbers), dims, dtype: "bool" };
}

const numbersOf = ({ data }: Tensor): number[] => Array.from(data as ArrayLike<number | bigint>, Number);

/** Largest difference over the largest entry (over 1 where entries are small); infinite where only one is not a number. */
function distance(a: readonly number[], b: readonly number[]): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let largest = 1;
  let difference = 0;
  for (let i = 0; i < a.length; i++) {
    if (Object.is(a[i], b[i]) || a[i] === b[i]) continue;
    const gap = Math.abs(a[i] - b[i]);
    difference = Math.max(difference, Number.isNaN(gap) ? Number.POSITIVE_INFINITY : gap);
    largest = Math.max(largest, Math.abs(b[i]));
  }
  return difference / largest;
}

function compare(
  what: string,
  [got, expected]: readonly [readonly number[], readonly number[]],
  tolerance: number,
): string[] {
  const gap = distance(got, expected);
  return gap <= tolerance ? [] : [`${what}: off by ${gap.toExponential(1)}`];
}

function checkValue({ sample, feeds, operands, outputs, value }: Setup, here: Results): string[] {
  const plain = operands.map(({ shape }, i): NdArray => ({ shape, data: numbersOf(feeds[`x${i}`]) }));
  const expected = sample.reference(...plain);
  const shapes = Object.entries(outputs).flatMap(([name, { shape }]) =>
    formatDims(shape) === formatDims(here[name].dims)
      ? []
      : [`shape of ${name}: ${formatDims(shape)} by rule, ${formatDims(here[name].dims)} by ONNX Runtime`],
  );
  const reference =
    formatDims(expected.shape) === formatDims(value.shape)
      ? compare("value against plain loops", [numbersOf(here.value), expected.data], 1e-13)
      : [`shape: ${formatDims(value.shape)}, ${formatDims(expected.shape)} by plain loops`];
  return [...shapes, ...reference];
}

type Run = (feeds: Feeds) => Promise<Results>;

/** Derivative of outputs along a direction by differences. */
async function differences(
  { feeds, floats }: Setup,
  { run, direction, names }: { readonly run: Run; readonly direction: string; readonly names: readonly string[] },
): Promise<number[][]> {
  const moved = async (step: number) => {
    const shifted = { ...feeds };
    for (const i of floats) {
      const along = numbersOf(feeds[`${direction}${i}`]);
      const data = Float64Array.from(numbersOf(feeds[`x${i}`]), (x, j) => x + step * along[j]);
      shifted[`x${i}`] = { data, dims: feeds[`x${i}`].dims };
    }
    return run(shifted);
  };
  const [a, b, c, d] = [await moved(STEP), await moved(-STEP), await moved(2 * STEP), await moved(-2 * STEP)];
  return names.map((name) =>
    numbersOf(a[name]).map((x, j) => {
      const [y, z, t] = [b, c, d].map((results) => Number(results[name].data[j]));
      return (8 * (x - y) - (z - t)) / (12 * STEP);
    }),
  );
}

const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, x, i) => sum + x * b[i], 0);
const norm = (a: readonly number[]) => Math.sqrt(dot(a, a));

function checkDots(what: string, left: readonly number[][][], right: readonly number[][][]): string[] {
  const total = (pairs: readonly number[][][]) => pairs.reduce((sum, [a, b]) => sum + dot(a, b), 0);
  const size = 1 + [...left, ...right].reduce((sum, [a, b]) => sum + norm(a) * norm(b), 0);
  const gap = Math.abs(total(left) - total(right)) / size;
  return gap <= 1e-12 ? [] : [`${what}: off by ${gap.toExponential(1)}`];
}

async function checkFirstOrder(setup: Setup, here: Results, run: Run): Promise<string[]> {
  const { feeds, floats } = setup;
  const [slope] = await differences(setup, { run, direction: "v", names: ["value"] });
  return [
    ...compare("jvp against differences", [numbersOf(here.tangent), slope], 1e-8),
    ...checkDots(
      "<u, J v> = <J' u, v>",
      [[numbersOf(feeds.u), numbersOf(here.tangent)]],
      floats.map((i) => [numbersOf(here[`gradient${i}`]), numbersOf(feeds[`v${i}`])]),
    ),
  ];
}

async function checkSecondOrder(setup: Setup, here: Results, run: Run): Promise<string[]> {
  const { feeds, floats } = setup;
  const slopes = await differences(setup, { run, direction: "w", names: floats.map((i) => `gradient${i}`) });
  return [
    ...floats.flatMap((i, k) =>
      compare(`jvp of vjp in operand ${i} against differences`, [numbersOf(here[`alongW${i}`]), slopes[k]], 1e-8),
    ),
    ...checkDots(
      "symmetry of the second derivative",
      floats.map((i) => [numbersOf(here[`alongV${i}`]), numbersOf(feeds[`w${i}`])]),
      floats.map((i) => [numbersOf(here[`alongW${i}`]), numbersOf(feeds[`v${i}`])]),
    ),
  ];
}

/** The value, its tangent and its gradients. */
function firstOrder({ outputs }: Setup): [string, Value][] {
  return Object.entries(outputs).filter(([name]) => !name.startsWith("along"));
}

async function checkVectorized(setup: Setup, run: Run, random: Stream): Promise<string[]> {
  const { sample, inputs, feeds, operands } = setup;
  const several = operands.map((operand, i) => input(`X${i}`, [K, ...operand.shape], operand.type));
  const batches = sample.operands.map(({ draw, shape, type }) =>
    Array.from({ length: K }, () => tensorOf(draw(random, sizeOf(shape)), shape, type)),
  );
  const outputs: Named = {};
  const subsets = Array.from({ length: 2 ** operands.length - 1 }, (_, k) =>
    operands.map((_, i) => i).filter((i) => ((k + 1) >> i) & 1),
  );
  const parts = firstOrder(setup);
  for (const subset of subsets) {
    const replacements = subset.map((i) => several[i]);
    const variables = subset.map((i) => operands[i]);
    const results = vectorize(
      parts.map(([, value]) => value),
      variables,
      { replacements, size: K },
    );
    parts.forEach(([name], j) => {
      outputs[`${subset} ${name}`] = results[j];
    });
  }
  const all = { ...inputs, ...Object.fromEntries(several.map((value, i) => [`X${i}`, value])) };
  const stacked = Object.fromEntries(
    batches.map((batch, i) => [
      `X${i}`,
      tensorOf(batch.flatMap(numbersOf), [K, ...operands[i].shape], operands[i].type),
    ]),
  );
  const together = await runOnce({ inputs: all, outputs }, { ...feeds, ...stacked });
  const found: string[] = [];
  for (const subset of subsets) {
    const singles: Results[] = [];
    for (let k = 0; k < K; k++) {
      singles.push(await run({ ...feeds, ...Object.fromEntries(subset.map((i) => [`x${i}`, batches[i][k]])) }));
    }
    for (const [name] of parts) {
      const expected = singles.flatMap((single) => numbersOf(single[name]));
      const what = `vectorize ${name} over operands ${subset}`;
      found.push(...compare(what, [numbersOf(together[`${subset} ${name}`]), expected], 1e-13));
    }
  }
  return found;
}

async function runOnce(graph: { readonly inputs: Named; readonly outputs: Named }, feeds: Feeds): Promise<Results> {
  const program = await compile(graph, { precision: "float64" });
  try {
    return await program.run(feeds);
  } finally {
    await program.release();
  }
}

/** The value where an operand is a known number, against the same number given at run time. */
async function checkKnown({ sample, inputs, feeds, operands, floats }: Setup, run: Run): Promise<string[]> {
  const outputs: Named = {};
  for (const i of floats) {
    for (const number of KNOWN) {
      const replaced = operands.map((operand, j) => (i === j ? filled(operand.shape, number) : operand));
      outputs[`${i} ${number}`] = sample.build(...replaced);
    }
  }
  if (floats.length === 0) return [];
  const known = await runOnce({ inputs, outputs }, feeds);
  const found: string[] = [];
  for (const i of floats) {
    for (const number of KNOWN) {
      const { shape } = operands[i];
      const { value } = await run({ ...feeds, [`x${i}`]: tensorOf(fill(shape, () => number).data, shape, "float") });
      const expected = numbersOf(value);
      // Outside the domain there is nothing to agree on.
      if (!expected.every(Number.isFinite)) continue;
      found.push(
        ...compare(`operand ${i} known to be ${number}`, [numbersOf(known[`${i} ${number}`]), expected], 1e-13),
      );
    }
  }
  return found;
}

async function checkPrecisions(setup: Setup, here: Results): Promise<string[]> {
  const { inputs, feeds } = setup;
  const parts = firstOrder(setup);
  const graph = { inputs, outputs: Object.fromEntries(parts) };
  const program = await compile(graph, { precision: "float32" });
  const single = await program.run(feeds);
  await program.release();
  const found = parts.flatMap(([name]) =>
    compare(`${name} in float32`, [numbersOf(single[name]), numbersOf(here[name])], 1e-5),
  );
  for (const precision of ["float32", "float64"] as const) {
    const { bytes } = lower(graph, { precision, portable: true });
    const { model } = await readModel(bytes);
    const foreign = model.graph.node.filter(({ domain }) => domain !== "");
    found.push(...foreign.map(({ opType }) => `portable ${precision}: operator ${opType} is not a standard one`));
    const session = await openSession(bytes, { optimization: "basic" });
    const converted = Object.fromEntries(
      Object.entries(feeds).map(([name, tensor]) => [
        name,
        precision === "float32" && tensor.data instanceof Float64Array
          ? { data: Float32Array.from(tensor.data), dims: tensor.dims }
          : tensor,
      ]),
    );
    const results = await session.run(converted, Object.keys(graph.outputs));
    await session.release();
    const [expected, tolerance] = precision === "float32" ? [single, 1e-5] : [here, 1e-13];
    for (const [name] of parts) {
      const pair = [numbersOf(results[name]), numbersOf(expected[name])] as const;
      found.push(...compare(`portable ${precision} ${name}`, pair, tolerance));
    }
  }
  return found;
}
