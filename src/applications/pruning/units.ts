import type { Risk, RiskParameter } from "../../operators/index.ts";
import { sizeOf } from "../../tensors/index.ts";
import { type WeightMatrix, weightMatrices } from "../weightMatrices.ts";
import { channelUnits } from "./channelUnits.ts";
import type { PruningUnit } from "./pruningUnit.ts";

/**
 * Rows (all weights into one output: a unit, a filter) or columns (all weights from one input or input channel) of weight matrices, or hidden units with both. Two batches of a program that moves weights around, to know which
 * weights belong to which output.
 */
export async function matrixUnits(
  risk: Risk,
  { kind, tensors }: { readonly kind: "rows" | "columns" | "channels"; readonly tensors: readonly RiskParameter[] },
): Promise<readonly PruningUnit[]> {
  if (kind === "channels") return channelUnits(risk, tensors);
  const chosen = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const matrices = (await weightMatrices(risk)).filter(({ parameter }) => chosen.has(parameter));
  return matrices.flatMap((matrix) =>
    kind === "rows" ? rowsOf(matrix) : columnsOf(matrix, chosen.get(matrix.parameter)!.dims),
  );
}

function rowsOf({ parameter, rows, columns, index }: WeightMatrix): readonly PruningUnit[] {
  return Array.from({ length: rows }, (_, row) => ({
    name: `${parameter} row ${row}`,
    tensor: parameter,
    indices: index.slice(row * columns, (row + 1) * columns).sort(),
  }));
}

function columnsOf({ parameter, rows, columns, index }: WeightMatrix, dims: readonly number[]): readonly PruningUnit[] {
  // All positions of a kernel belong to one input channel.
  const kernel = sizeOf(dims.slice(2));
  const width = columns % kernel === 0 ? kernel : 1;
  return Array.from({ length: columns / width }, (_, column) => ({
    name: `${parameter} column ${column}`,
    tensor: parameter,
    indices: Int32Array.from(
      Array.from({ length: rows * width }, (_, k) => {
        const [row, at] = [Math.floor(k / width), k % width];
        return index[row * columns + column * width + at]!;
      }),
    ).sort(),
  }));
}

/**
 * Groups of `length` consecutive inputs of each output, the last of a row shorter: the axis along which accelerators expect N:M patterns.
 */
export async function consecutiveGroups(
  risk: Risk,
  { length, tensors }: { readonly length: number; readonly tensors: readonly RiskParameter[] },
): Promise<readonly Int32Array[]> {
  const chosen = new Set(tensors.map(({ name }) => name));
  const matrices = (await weightMatrices(risk)).filter(({ parameter }) => chosen.has(parameter));
  return matrices.flatMap(({ rows, columns, index }) =>
    Array.from({ length: rows }, (_, row) =>
      Array.from({ length: Math.ceil(columns / length) }, (__, k) =>
        index.slice(row * columns + k * length, row * columns + Math.min((k + 1) * length, columns)),
      ),
    ).flat(),
  );
}
