import type { Data } from "../data/index.ts";
import { checkObject } from "../errors/index.ts";
import type { RunOptions } from "../linalg/index.ts";
import type { Risk } from "../operators/index.ts";
import type { Tensor } from "../tensors/index.ts";
import type { DataSummary, InputSummary } from "./report.ts";

/**
 * Ranges of the inputs of a risk, and its targets: the number of rows or tokens of each class, or the range and spread of values. One pass
 * over the data, no evaluation of the model.
 *
 * @param options.data the rows; default: those of the risk, which are this rank's alone where there are several
 * @throws CurvatureError "aborted" when the signal stops it
 */
export async function dataSummary(
  risk: Risk,
  { signal, data }: RunOptions & { readonly data?: Data } = {},
): Promise<DataSummary> {
  checkObject(risk, "dataSummary expects a risk made by empiricalRisk", ["model", "parameters", "engine"]);
  const inputs = new Map<string, Range>();
  const targets = targetCounter(risk);
  for await (const batch of (data ?? risk.data).batches(signal ? { signal } : {})) {
    for (const [given, tensor] of Object.entries(batch.inputs)) {
      const name = given === "" ? (risk.model.inputs[0]?.name ?? "") : given;
      const range = inputs.get(name) ?? EMPTY;
      inputs.set(name, extended(range, tensor));
    }
    if (batch.targets !== undefined) targets.add(batch.targets);
  }
  const found = withNames(targets.summary(), (data ?? risk.data).classes);
  return {
    inputs: [...inputs].filter(([, { count }]) => count > 0).map(inputSummary),
    ...(found === undefined ? {} : { targets: found }),
  };
}

function withNames(targets: DataSummary["targets"], names: readonly string[] | undefined): DataSummary["targets"] {
  return targets?.kind === "classes" && names !== undefined ? { ...targets, names } : targets;
}

/** The range of no numbers. */
const EMPTY: Range = {
  minimum: Number.POSITIVE_INFINITY,
  maximum: Number.NEGATIVE_INFINITY,
  sum: 0,
  count: 0,
  whole: true,
};

interface Range {
  readonly minimum: number;
  readonly maximum: number;
  readonly sum: number;
  readonly count: number;
  readonly whole: boolean;
}

function extended(range: Range, { data }: Tensor): Range {
  let { minimum, maximum, sum, whole } = range;
  for (let i = 0; i < data.length; i++) {
    const value = Number(data[i]);
    if (value < minimum) minimum = value;
    if (value > maximum) maximum = value;
    sum += value;
    whole &&= Number.isInteger(value);
  }
  return { minimum, maximum, sum, whole, count: range.count + data.length };
}

function inputSummary([name, { minimum, maximum, sum, count, whole }]: readonly [string, Range]): InputSummary {
  return { name, minimum, maximum, mean: sum / count, whole };
}

interface TargetCounter {
  add(targets: Tensor): void;
  summary(): DataSummary["targets"];
}

function targetCounter({ lossFunction, layout, data }: Risk): TargetCounter {
  const { dtype = "int32" } = data.targets ?? {};
  const integer = !dtype.startsWith("float") && lossFunction.labelDims !== undefined;
  return integer ? classCounter(layout.outputs) : valueCounter();
}

function classCounter(classes: number): TargetCounter {
  const counts = new Array<number>(classes).fill(0);
  let ignored = 0;
  return {
    add({ data }) {
      for (let i = 0; i < data.length; i++) {
        const label = Number(data[i]);
        if (label >= 0 && label < classes) counts[label]!++;
        else ignored++;
      }
    },
    summary: () => ({ kind: "classes", counts, ignored }),
  };
}

/** Sums over rows for each element of a row, so that the spread is that about the mean of each. */
function valueCounter(): TargetCounter {
  let range = EMPTY;
  let shift: Float64Array | undefined;
  let [sums, squares, rows] = [new Float64Array(0), new Float64Array(0), 0];
  return {
    add(targets) {
      range = extended(range, targets);
      const width = targets.data.length / targets.dims[0]!;
      // Differences from the first row lose no digits where the spread is small beside the values.
      shift ??= Float64Array.from({ length: width }, (_, j) => Number(targets.data[j]));
      if (sums.length === 0) [sums, squares] = [new Float64Array(width), new Float64Array(width)];
      for (let i = 0; i < targets.data.length; i++) {
        const difference = Number(targets.data[i]) - shift[i % width]!;
        sums[i % width]! += difference;
        squares[i % width]! += difference * difference;
      }
      rows += targets.dims[0]!;
    },
    summary() {
      if (range.count === 0) return undefined;
      const spreads = squares.map((square, j) => Math.max(0, square / rows - (sums[j]! / rows) ** 2));
      const { minimum, maximum, sum, count } = range;
      const variance = spreads.reduce((total, spread) => total + spread, 0) / spreads.length;
      return { kind: "values", minimum, maximum, mean: sum / count, variance };
    },
  };
}
