import { filled } from "../../primitives/index.ts";
import type { Place, PlacedBlock } from "../blocks/index.ts";
import type { LayerInputs } from "../layers/matrixLayer.ts";
import type { BatchPieces } from "../plan/batchPieces.ts";
import type { PlannedMatrix } from "../plan/layerPlan.ts";
import { withOne } from "../sums/factorSums.ts";
import { type LayerPieces, outerPieces, rotated, squaredPieces, withOneHot } from "../sums/pieceSums.ts";
import type { KroneckerPieces, Rotation } from "./blockRecipe.ts";
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
  const { groups, bias } = matrix;
  return {
    name: groups === 1 ? name : `${name} group ${group}`,
    parameters: joint ? [parameter, bias!.parameter] : [parameter],
    place: groupPlace(matrix, { group, joint }),
  };
}

/** Places of the groups of planned matrices, which are found once: plans serve many matrices. */
const places = new WeakMap<PlannedMatrix, Map<string, Place>>();

function groupPlace(
  matrix: PlannedMatrix,
  { group, joint }: { readonly group: number; readonly joint: boolean },
): Place {
  const known = places.get(matrix) ?? new Map<string, Place>();
  places.set(matrix, known);
  const key = `${group} ${joint}`;
  const [inputs, outputs] = matrix.sizes;
  const size = inputs * outputs;
  const own = () => matrix.indices.subarray(group * size, (group + 1) * size);
  const ofBias = () => matrix.bias!.indices.subarray(group * outputs, (group + 1) * outputs);
  const place = known.get(key) ?? placeOf(joint ? Int32Array.from([...own(), ...ofBias()]) : own(), outputs);
  known.set(key, place);
  return place;
}

/** Inputs with a last component 1. */
export function withOnes(inputs: LayerInputs): LayerInputs {
  return inputs.kind === "table" ? inputs : { kind: "vectors", vectors: withOne(inputs.vectors) };
}

/** The pieces of a matrix, joined with its bias where the source says so. */
export function joinedPieces(source: MatrixSource, { inputs, g }: LayerPieces): LayerPieces {
  return { inputs: source.joint ? withOnes(inputs) : inputs, g };
}

/** The pieces of the bias of a matrix, which is multiplied by 1 at every position: [1, out]. */
export function biasPieces(source: MatrixSource): KroneckerPieces {
  const { parameter, matrix } = source;
  const own = (pieces: BatchPieces, rotation: Rotation = {}): LayerPieces | undefined => {
    const found = pieces.matrix(parameter, matrix.entries);
    if (found === undefined) return undefined;
    const [, groups, rows, positions] = found.g.shape;
    const ones: LayerInputs = { kind: "vectors", vectors: filled([groups, rows, positions, 1], 1) };
    return rotated({ inputs: ones, g: found.g }, rotation);
  };
  return {
    groups: matrix.groups,
    sizes: [1, matrix.sizes[1]],
    isTable: false,
    spansPieces: false,
    squares(pieces, rotation) {
      const found = own(pieces, rotation);
      return found && squaredPieces(found);
    },
    outer(pieces, { rotation } = {}) {
      const found = own(pieces, rotation);
      return found && outerPieces(found);
    },
  };
}

/** The pieces of a matrix of the plan. */
export function matrixPieces(
  source: MatrixSource,
  { spansPieces }: { readonly spansPieces: boolean },
): KroneckerPieces {
  const { parameter, matrix, joint } = source;
  const { groups, sizes, isTable, entries } = matrix;
  return {
    groups,
    sizes: [sizes[0] + (joint ? 1 : 0), sizes[1]],
    isTable,
    spansPieces,
    squares(pieces, rotation) {
      const own = pieces.matrix(parameter, entries);
      return own && squaredPieces(rotated(joinedPieces(source, own), rotation));
    },
    outer(pieces, { rotation, wholeTable = false } = {}) {
      const own = pieces.matrix(parameter, entries);
      if (own === undefined) return undefined;
      const { vectors, g } = withOneHot(own);
      const joined: LayerPieces = wholeTable ? { inputs: { kind: "vectors", vectors }, g } : joinedPieces(source, own);
      return outerPieces(rotation === undefined ? joined : rotated(joined, rotation));
    },
  };
}
