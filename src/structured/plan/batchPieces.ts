import { pullback, transpose, vectorize, vjp } from "../../autodiff/index.ts";
import { input, type Value } from "../../graph/index.ts";
import type { BatchGraph, LayeredBatchGraph } from "../../operators/engine/risk.ts";
import { add, broadcast, concat, permute, reshape, zeros } from "../../primitives/index.ts";
import { sizeOf } from "../../tensors/index.ts";
import { scalePieces, shiftPieces } from "../layers/affine.ts";
import type { LayerInputs, MatrixLayer } from "../layers/matrixLayer.ts";
import type { OutputRoot } from "../roots/outputRoot.ts";
import { type LayerPieces, wholePieces } from "../sums/pieceSums.ts";
import { type MatrixUse, type ParameterUses, parameterUses } from "./parameterUses.ts";

/** One batch, the root of its output matrix, and u of K passes, [K, T, V]. */
export interface PiecesRequest {
  readonly batch: BatchGraph;
  readonly root: OutputRoot;
  readonly constants: { readonly [name: string]: Value };
  readonly passes: Value;
}

/** The pieces of a batch in K passes. */
export interface BatchPieces {
  /** The batch with its layers. */
  readonly layered: LayeredBatchGraph;
  /** What each use of a matrix contributes, stacked along the positions; undefined where the outputs do not depend on it. */
  matrix(parameter: number, entries: string): LayerPieces | undefined;
  /**
   * The pieces of a whole parameter, [K, rows, size]; undefined where the outputs do not depend on it. For one that enters outside of layers
   * the batch must be one row, whose pieces are gradients.
   */
  parameter(index: number): Value | undefined;
}

/** Takes the columns of the root back to the layers, in one reverse pass for all K choices. */
export function batchPieces({ batch, root, constants, passes }: PiecesRequest): BatchPieces {
  const layered = batch.layered();
  const { layers, parameters, f } = layered;
  const [size, terms, columns] = passes.shape;
  const u = input("u", [terms, columns]);
  const cotangent = broadcast(root.apply(layered, u, constants), f.shape);
  const cotangents = pullback(
    [f],
    layers.map(({ output }) => output),
    [cotangent],
  );
  const inPasses = (value: Value) => vectorize([value], [u], { replacements: [passes], size })[0];
  const uses = parameterUses(layers, parameters.length);
  return {
    layered,
    matrix(parameter, entries) {
      const same = uses[parameter].matrices.filter((use) => use.entries === entries && cotangents[use.layer] !== null);
      return same.length === 0 ? undefined : stacked(same, { cotangents, inPasses });
    },
    parameter: (index) => {
      if (layered.rows === 1) {
        const [gradient] = vjp([f], [parameters[index]], [cotangent]);
        return inPasses(reshape(gradient, [1, sizeOf(gradient.shape)]));
      }
      const parts = partsOf(uses[index], { cotangents, parameter: parameters[index], rows: layered.rows });
      if (parts.length === 0) return undefined;
      return inPasses(parts.reduce((sum, part) => add(sum, part)));
    },
  };
}

interface Cotangents {
  readonly cotangents: readonly (Value | null)[];
  readonly inPasses: (value: Value) => Value;
}

function stacked(same: readonly MatrixUse[], { cotangents, inPasses }: Cotangents): LayerPieces {
  const g = same.map(({ layer, matrix }) => matrix.cotangents(cotangents[layer]!));
  return {
    inputs: stackedInputs(same.map(({ matrix }) => matrix)),
    g: inPasses(g.length === 1 ? g[0] : concat(g, 2)),
  };
}

/** The inputs of several uses of a matrix, as positions of one. */
export function stackedInputs(matrices: readonly MatrixLayer[]): LayerInputs {
  const [{ inputs: first }] = matrices;
  if (matrices.length === 1) return first;
  const lists = matrices.map(({ inputs }) => (inputs.kind === "table" ? inputs.indices : inputs.vectors));
  return first.kind === "table"
    ? { ...first, indices: concat(lists, 1) }
    : { kind: "vectors", vectors: concat(lists, 2) };
}

/** What each use contributes to the gradient of a parameter row by row, [rows, size]. */
function partsOf(
  { matrices, scales, shifts }: ParameterUses,
  request: { readonly cotangents: readonly (Value | null)[]; readonly parameter: Value; readonly rows: number },
): Value[] {
  const { cotangents, parameter, rows } = request;
  const back = (part: Value, entered: Value) => inParameter(part, { entered, parameter, rows });
  const at = <T>(index: number, make: (cotangent: Value) => T): T[] => {
    const cotangent = cotangents[index];
    return cotangent === null ? [] : [make(cotangent)];
  };
  return [
    ...matrices.flatMap(({ layer, matrix }) => at(layer, (c) => back(matrixPart(matrix, c), matrix.matrix!))),
    ...scales.flatMap(({ index, layer }) => at(index, (c) => back(scalePieces(layer, c), layer.weight!.value))),
    ...shifts.flatMap(({ index, layer }) => at(index, (c) => back(shiftPieces(layer, c), layer.bias!.value))),
  ];
}

/** [rows, groups, in, out] */
function matrixPart({ inputs, cotangents }: MatrixLayer, cotangent: Value): Value {
  const g = cotangents(cotangent);
  const [piece] = [wholePieces({ inputs, g: reshape(g, [1, ...g.shape]) })];
  const [, groups, rows, size, outputs] = piece.shape;
  return permute(reshape(piece, [groups, rows, size, outputs]), [1, 0, 2, 3]);
}

/** Row by row, the entries of a parameter as it enters put back where they are in the parameter, [rows, size]. */
function inParameter(
  part: Value,
  { entered, parameter, rows }: { readonly entered: Value; readonly parameter: Value; readonly rows: number },
): Value {
  const one = input("entries", entered.shape);
  const [back] = transpose([entered], [parameter], [one]);
  const size = sizeOf(parameter.shape);
  if (back === null) return zeros([rows, size]);
  const [whole] = vectorize([back], [one], { replacements: [part], size: rows });
  return reshape(whole, [rows, size]);
}
