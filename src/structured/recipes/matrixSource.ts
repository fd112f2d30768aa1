import type { PlacedBlock } from "../blocks/index.ts";
import type { PlannedMatrix } from "../plan/layerPlan.ts";
import { placeOf } from "./places.ts";

/** A matrix of the plan, and how its blocks are called. */
export interface MatrixSource {
  readonly id: string;
  readonly name: string;
  /** Index of its parameter. */
  readonly parameter: number;
  readonly matrix: PlannedMatrix;
  /** Whether its bias is a last row of the matrix. */
  readonly joint: boolean;
}

/** Name, parameters and place of the block of a group. */
export function matrixPlace(source: MatrixSource, group: number): Pick<PlacedBlock, "name" | "parameters" | "place"> {
  const { name, parameter, matrix, joint } = source;
  const { groups, sizes, bias } = matrix;
  const [inputs, outputs] = sizes;
  const own = matrix.indices.subarray(group * inputs * outputs, (group + 1) * inputs * outputs);
  const ofBias = bias?.indices.subarray(group * outputs, (group + 1) * outputs);
  const indices = joint ? Int32Array.from([...own, ...ofBias!]) : own;
  return {
    name: groups === 1 ? name : `${name} group ${group}`,
    parameters: joint ? [parameter, bias!.parameter] : [parameter],
    place: placeOf(indices, outputs),
  };
}
