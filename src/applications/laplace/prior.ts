import { CurvatureError } from "../../errors/index.ts";
import type { RiskParameter } from "../../operators/index.ts";
import type { Vector } from "../../tensors/index.ts";

/**
 * Precision of the Gaussian prior: one number; one for each tensor, by name; or one for each weight of the posterior, [size]. Weight decay w of a mean
 * loss is the precision N w of N rows.
 */
export type PriorPrecision = number | { readonly [tensor: string]: number } | Vector;

/** Mean of the prior: one number, or one for each weight of the posterior, [size]. */
export type PriorMean = number | Vector;

/** A tensor, or the part of it that belongs to a posterior. */
export interface WeightGroup {
  readonly name: string;
  /** Where its entries are in vectors of the posterior. */
  readonly indices: Int32Array;
}

/** The independent Gaussian prior of the weights of a posterior. */
export interface Prior {
  /** [size], positive. */
  readonly precision: Float64Array;
  /** [size] */
  readonly mean: Float64Array;
  /** Which weights have a precision in common. */
  readonly by: "scalar" | "tensor" | "weight";
  /** The precision as it was given. */
  readonly given: PriorPrecision;
}

/** The tensors of the weights of a posterior; of a subnetwork, those that it has a part of. */
export function weightGroups(
  parameters: readonly RiskParameter[],
  indices: Int32Array | undefined,
): readonly WeightGroup[] {
  if (indices === undefined) {
    return parameters.map(({ name, offset, size }) => ({
      name,
      indices: Int32Array.from({ length: size }, (_, i) => offset + i),
    }));
  }
  const groups = parameters.map(({ name, offset, size }) => ({
    name,
    indices: Int32Array.from([...indices.keys()].filter((at) => indices[at] >= offset && indices[at] < offset + size)),
  }));
  return groups.filter(({ indices: own }) => own.length > 0);
}

/**
 * The prior of so many weights.
 *
 * @throws CurvatureError "argument" for precisions that are not positive and finite, or names that are no tensors; "shape" for other lengths
 */
export function priorOf(
  name: string,
  request: {
    readonly precision: PriorPrecision;
    readonly mean: PriorMean;
    readonly size: number;
    readonly groups: readonly WeightGroup[];
  },
): Prior {
  const { precision, mean, size, groups } = request;
  return {
    ...precisionsOf(name, { precision, size, groups }),
    mean: meansOf(name, { mean, size }),
    given: precision,
  };
}

function precisionsOf(
  name: string,
  {
    precision,
    size,
    groups,
  }: { readonly precision: PriorPrecision; readonly size: number; readonly groups: readonly WeightGroup[] },
): Pick<Prior, "precision" | "by"> {
  if (typeof precision === "number") {
    checkPrecision(name, precision);
    return { precision: new Float64Array(size).fill(precision), by: "scalar" };
  }
  if (ArrayBuffer.isView(precision)) {
    checkLength(name, "priorPrecision", { length: precision.length, size });
    for (const value of precision as Vector) checkPrecision(name, value);
    return { precision: Float64Array.from(precision as Vector), by: "weight" };
  }
  const names = groups.map((group) => group.name);
  const wrong = Object.keys(precision ?? {}).find((each) => !names.includes(each));
  const missing = names.find((each) => precision?.[each] === undefined);
  if (wrong !== undefined || missing !== undefined) {
    throw new CurvatureError(
      "argument",
      `${name} expects priorPrecision as a number, a vector, or one number for each of ${names.join(", ")}, got ${wrong === undefined ? `none for ${missing}` : wrong}`,
    );
  }
  const all = new Float64Array(size);
  for (const group of groups) {
    checkPrecision(name, precision[group.name]);
    for (const index of group.indices) all[index] = precision[group.name];
  }
  return { precision: all, by: "tensor" };
}

function meansOf(name: string, { mean, size }: { readonly mean: PriorMean; readonly size: number }): Float64Array {
  const values = typeof mean === "number" ? new Float64Array(size).fill(mean) : Float64Array.from(mean);
  checkLength(name, "priorMean", { length: values.length, size });
  if (values.every(Number.isFinite)) return values;
  throw new CurvatureError("argument", `${name} expects priorMean to be finite`);
}

function checkPrecision(name: string, value: unknown): void {
  if (typeof value === "number" && value > 0 && Number.isFinite(value)) return;
  throw new CurvatureError(
    "argument",
    `${name} expects priorPrecision to be positive and finite, got ${String(value)}; a weight without a prior has no posterior where the data say nothing`,
  );
}

function checkLength(
  name: string,
  option: string,
  { length, size }: { readonly length: number; readonly size: number },
): void {
  if (length === size) return;
  throw new CurvatureError(
    "shape",
    `${name} expects ${option} as a number or as ${size} numbers, one for each weight of the posterior, got ${length}`,
  );
}

/** `sum_i delta_i (theta_i - mu_i)^2` over some weights, or all. */
export function priorEnergy({ precision, mean }: Pick<Prior, "precision" | "mean">, theta: Vector): number {
  let sum = 0;
  for (let i = 0; i < theta.length; i++) sum += precision[i] * (theta[i] - mean[i]) ** 2;
  return sum;
}
