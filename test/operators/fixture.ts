import { readFile } from "node:fs/promises";
import { expect } from "vitest";
import { arrays, type Data, loadData } from "../../src/data/index.ts";
import type { LinearOperator } from "../../src/linalg/index.ts";
import { bceWithLogits, crossEntropy, type Loss, meanSquaredError, type Reduction } from "../../src/losses/index.ts";
import { type FileModel, loadModel } from "../../src/models/index.ts";
import { empiricalRisk, type Risk } from "../../src/operators/index.ts";
import type { Precision, Tensor, Vector } from "../../src/tensors/index.ts";
import { mnistTest } from "../mnist.ts";

// Numbers computed in float64 by PyTorch and curvlinops, and how they are compared: vectors by the largest difference over the largest
// entry, inner products over the product of norms, eigenvalues over the largest one.

/** How far float64 results may be off. */
export const LIMIT = 1e-9;

/** A stored vector. */
export interface StoredVector {
  readonly norm: number;
  readonly dot_v: number;
  readonly dot_w: number;
  readonly first20: readonly number[];
  readonly last20: readonly number[];
  readonly values?: readonly number[];
}

/** A stored diagonal. */
export interface StoredDiagonal {
  readonly norm: number;
  readonly sum: number;
  readonly first20: readonly number[];
  readonly last20: readonly number[];
}

/** What is stored of a matrix; the Hessian of a large model has no Frobenius norm. */
export interface StoredMatrix {
  readonly product_v: StoredVector;
  readonly trace: number;
  readonly frobenius?: number;
  readonly diagonal: StoredDiagonal;
  readonly eigenvalues_top20?: readonly number[];
  readonly eigenvalues_top10?: readonly number[];
  readonly eigenvalues_bottom10?: readonly number[];
  readonly eigenvalues_bottom3?: readonly number[];
  readonly damped?: {
    readonly damping: number;
    readonly solution_for_mean_gradient: StoredVector;
    readonly logdet: number;
  };
}

/** What is stored of a loss. */
export interface StoredLoss {
  readonly mean: { readonly loss: number; readonly gradient: StoredVector };
  readonly sum: { readonly loss: number; readonly gradient: StoredVector };
  readonly hessian: StoredMatrix;
  readonly ggn: StoredMatrix;
  readonly empirical_fisher: StoredMatrix;
}

/** Names of losses in the fixtures. */
export type LossName = "cross_entropy" | "mse" | "bce_with_logits";

/** A fixture with its model and data. */
export interface Fixture {
  readonly model: FileModel;
  /** Cosines v and sines w, the two test vectors. */
  readonly v: Float64Array;
  readonly w: Float64Array;
  readonly parameters: readonly { readonly name: string; readonly shape: readonly number[] }[];
  /** Stored numbers, and the outputs' shape, norm and sum. */
  stored(caseName: string, loss: LossName): StoredLoss;
  /** The objective of a case. */
  open(options: FixtureRisk): Promise<Risk>;
  readonly classes: Int32Array;
}

/** Which objective of a fixture. */
export interface FixtureRisk {
  readonly caseName: string;
  readonly loss: LossName;
  readonly reduction?: Reduction;
  readonly dtype?: Precision;
  readonly batchSize?: number;
  readonly cache?: number;
  /** The first rows only; default: all of the case. */
  readonly rows?: number;
  /** Names of the parameters; default: all. */
  readonly parameters?: readonly string[];
}

const folder = new URL("../", import.meta.url);

/** Reads the fixture of a model, with its images. */
export async function readFixture(name: string): Promise<Fixture> {
  const stored = JSON.parse(await readFile(new URL(`fixtures/${name}.json`, folder), "utf8"));
  const model = await loadModel(new URL(`models/${name}.onnx`, folder));
  const { inputs, classes } = name.startsWith("digits") ? await digits(model) : await mnist(model, 64);
  const size: number = stored.num_params;
  return {
    model,
    v: Float64Array.from({ length: size }, (_, i) => Math.cos(0.37 * i + 0.1)),
    w: Float64Array.from({ length: size }, (_, i) => Math.sin((0.11 * i * i) % 100)),
    parameters: stored.params,
    stored: (caseName, loss) => stored.cases[caseName][loss],
    open({ caseName, loss, reduction = "mean", dtype = "float64", ...rest }) {
      const { rows = stored.cases[caseName].data.size as number, cache, parameters } = rest;
      const { batchSize = rows } = rest;
      const data = fixtureData({ inputs, classes, rows, oneHot: loss !== "cross_entropy", batchSize });
      return empiricalRisk({
        model,
        loss: lossOf(loss, reduction),
        data,
        dtype,
        ...(cache !== undefined && { cache }),
        ...(parameters !== undefined && { parameters }),
      });
    },
    classes,
  };
}

function lossOf(name: LossName, reduction: Reduction): Loss {
  if (name === "cross_entropy") return crossEntropy({ reduction });
  return name === "mse" ? meanSquaredError({ reduction }) : bceWithLogits({ reduction });
}

interface Images {
  readonly inputs: Tensor;
  readonly classes: Int32Array;
}

async function digits({ inputs: [{ name }] }: FileModel): Promise<Images> {
  const data = await loadData({
    wanted: { [name]: { dims: [null, 64], dtype: "float32" } },
    data: new URL("../examples/digits/digits_train.csv.gz", folder),
    scale: 16,
    batchSize: 2000,
  });
  for await (const batch of data.batches())
    return { inputs: Object.values(batch.inputs)[0], classes: Int32Array.from(batch.targets!.data as Int32Array) };
  throw new Error("no digits");
}

/** The first n of MNIST's test images as the model takes them, float32 from 0 to 1. */
async function mnist({ inputs: [{ dims }] }: FileModel, n: number): Promise<Images> {
  const { images, labels } = await mnistTest(n);
  const inputs = {
    data: Float32Array.from(images.data as Uint8Array, (pixel) => pixel / 255),
    dims: [n, ...(dims.slice(1) as number[])],
  };
  return { inputs, classes: Int32Array.from(labels.data as Uint8Array) };
}

function fixtureData(
  options: Images & { readonly rows: number; readonly oneHot: boolean; readonly batchSize: number },
): Data {
  const { inputs, classes, rows, oneHot, batchSize } = options;
  const size = inputs.data.length / inputs.dims[0];
  const cut: Tensor = {
    data: (inputs.data as Float32Array).subarray(0, rows * size),
    dims: [rows, ...inputs.dims.slice(1)],
  };
  const labels = classes.subarray(0, rows);
  const targets: Tensor = oneHot
    ? {
        data: Float32Array.from({ length: rows * 10 }, (_, i) => (labels[Math.floor(i / 10)] === i % 10 ? 1 : 0)),
        dims: [rows, 10],
      }
    : { data: labels, dims: [rows] };
  return arrays({ inputs: cut, targets, batchSize });
}

function dot(x: Vector, y: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i] * y[i];
  return sum;
}

/** Euclidean norm. */
export const norm = (x: Vector) => Math.sqrt(dot(x, x));

/** Expects a vector to be the stored one. */
export function expectVector(
  actual: Vector,
  stored: StoredVector,
  { v, w, limit = LIMIT }: { readonly v: Vector; readonly w: Vector; readonly limit?: number },
): void {
  const length = norm(actual);
  expectNear(length, stored.norm, stored.norm * limit);
  expectNear(dot(actual, v), stored.dot_v, stored.norm * norm(v) * limit);
  expectNear(dot(actual, w), stored.dot_w, stored.norm * norm(w) * limit);
  expectEnds(actual, { stored, limit });
  stored.values?.forEach((x, i) => {
    expectNear(actual[i], x, limit * largest(actual));
  });
}

/** Expects the quadratic form v' A v, which is computed without the product, to be the one of the stored product. */
export async function expectForm(
  A: LinearOperator,
  stored: StoredVector,
  { v, limit = LIMIT }: { readonly v: Vector; readonly limit?: number },
): Promise<void> {
  const [form] = await A.quadraticForms!({ rows: v.length, columns: 1, data: v });
  expectNear(form, stored.dot_v, stored.norm * norm(v) * limit);
}

/** Expects a diagonal to be the stored one. */
export function expectDiagonal(actual: Vector, stored: StoredDiagonal): void {
  expectNear(norm(actual), stored.norm, stored.norm * LIMIT);
  expectNear(
    dot(actual, new Float64Array(actual.length).fill(1)),
    stored.sum,
    stored.norm * Math.sqrt(actual.length) * LIMIT,
  );
  expectEnds(actual, { stored, limit: LIMIT });
}

function expectEnds(
  actual: Vector,
  { stored, limit }: { readonly stored: Pick<StoredVector, "first20" | "last20">; readonly limit: number },
): void {
  const scale = largest(actual);
  stored.first20.forEach((x, i) => {
    expectNear(actual[i], x, limit * scale);
  });
  stored.last20.forEach((x, i) => {
    expectNear(actual[actual.length - 20 + i], x, limit * scale);
  });
}

/** Expects eigenvalues, in the stored order, to agree over the largest of the spectrum. */
export function expectEigenvalues(
  actual: ArrayLike<number>,
  { stored, scale }: { readonly stored: readonly number[]; readonly scale: number },
): void {
  stored.forEach((x, i) => {
    expectNear(actual[i], x, LIMIT * scale);
  });
}

/** Expects two numbers to be at most `limit` apart. */
export function expectNear(actual: number, expected: number, limit: number): void {
  if (Math.abs(actual - expected) <= limit) return;
  expect.fail(`expected ${actual} to be within ${limit} of ${expected}, but it is ${Math.abs(actual - expected)} away`);
}

/** Largest absolute entry. */
export function largest(x: Vector): number {
  let result = 0;
  for (let i = 0; i < x.length; i++) result = Math.max(result, Math.abs(x[i]));
  return result;
}
