import { countUses, sameShape, topologicalOrder, type Value } from "../../graph/index.ts";
import { reshapedFrom } from "../../primitives/index.ts";
import { sizeOf } from "../../tensors/index.ts";
import { scaling, shifting } from "./affine.ts";
import type { BatchLayer, BatchLayers, LayerParameter } from "./batchLayer.ts";
import { convolution } from "./convolution.ts";
import { embedding } from "./embedding.ts";
import { linear } from "./linear.ts";
import { entrances, movedParameters } from "./parameterPaths.ts";
import type { FoundLayer, Place } from "./place.ts";
import { rowStrides } from "./rowStrides.ts";

/** A graph to search for layers. */
export interface LayerSearch {
  readonly outputs: readonly Value[];
  /** Inputs of the model; rows are tracked from those whose first axis is the rows. */
  readonly inputs: readonly Value[];
  readonly rows: number;
  /** All parameters of the model, with their names. */
  readonly parameters: readonly { readonly name: string; readonly value: Value }[];
  /** Indices of the differentiated parameters among the model's. */
  readonly chosen: readonly number[];
}

/** A layer before its bias is assigned: its result, and the axis of the result along which a bias lies, counted from the last as 1. */
interface Draft extends FoundLayer {
  readonly place: Place;
  readonly biasPlace?: Place;
}

/**
 * Finds every place where chosen parameters enter an affine map. A parameter that is used at several places appears at each. A parameter
 * that is only added to a layer's result, with one number per channel, is the bias of that layer.
 */
export function findLayers({ outputs, inputs, rows, parameters, chosen }: LayerSearch): BatchLayers {
  const order = topologicalOrder(outputs);
  const moved = movedParameters(
    order,
    parameters.map(({ value }) => value),
  );
  const strides = rowStrides(order, { inputs, rows });
  const all = entrances(order, moved).map((entrance): Place => ({ ...entrance, strides, rows }));
  const drafts = all.flatMap((place): Draft[] => {
    const found = layerAt(place);
    return found === undefined ? [] : [{ ...found, place }];
  });
  const joined = withBiases(drafts, countUses(order, outputs));
  const told = new Set(joined.flatMap(({ place, biasPlace }) => [place, ...(biasPlace ? [biasPlace] : [])]));
  const outside = [
    ...all.filter((place) => !told.has(place)).map(({ index }) => index),
    ...outputs.flatMap((output) => moved.get(output) ?? []),
  ];
  const known = new Map(chosen.map((index, i) => [index, i]));
  return {
    layers: joined.flatMap((draft) => finished(draft, { known, parameters, rows })),
    elsewhere: [...new Set(outside.flatMap((index) => known.get(index) ?? []))].sort((a, b) => a - b),
  };
}

function layerAt(place: Place): FoundLayer | undefined {
  const form = place.value.primitive.affine?.(place.value);
  switch (form?.kind) {
    case "product":
      return linear(place, form);
    case "convolution":
      return convolution(place, form);
    case "table":
      return embedding(place);
    case "scale":
      return scaling(place);
    case "shift":
      return shifting(place);
    default:
      return undefined;
  }
}

/** Turns the shift of a layer's result into its bias if nothing else reads that result. */
function withBiases(drafts: readonly Draft[], uses: ReadonlyMap<Value, number>): readonly Draft[] {
  const byResult = new Map(drafts.map((draft) => [draft.place.value, draft]));
  const biases = new Map<Draft, Draft>();
  for (const shift of drafts) {
    if (shift.bias === undefined) continue;
    const { value, operand } = shift.place;
    const shifted = value.inputs[1 - operand];
    const inner = reshapedFrom(shifted) ?? shifted;
    const layer = byResult.get(inner);
    const isOnly = uses.get(inner) === 1 && uses.get(shifted) === 1;
    if (layer?.weight === undefined || !isOnly || biases.has(layer)) continue;
    if (isBiasOf(layer, { shift, shifted })) biases.set(layer, shift);
  }
  const taken = new Set(biases.values());
  return drafts.flatMap((draft): Draft[] => {
    if (taken.has(draft)) return [];
    const shift = biases.get(draft);
    return [shift ? { ...draft, bias: shift.bias!, biasPlace: shift.place } : draft];
  });
}

/** Whether a shift adds one number per channel of a layer's result, or has the shape of the layer's scale. */
function isBiasOf(
  { layer, place }: Draft,
  { shift, shifted }: { readonly shift: Draft; readonly shifted: Value },
): boolean {
  const bias = shift.bias!;
  const result = place.value.shape;
  if (!sameShape(shift.place.value.shape, shifted.shape)) return false;
  if (layer.kind === "affine") return shifted === place.value;
  if (layer.kind === "embedding") return false;
  const fromLast = layer.kind === "convolution" ? result.length - 1 : place.operand === 0 ? 2 : 1;
  const isKept = shifted === place.value || (fromLast === 1 && shifted.shape.at(-1) === result.at(-1));
  return isKept && isAlong(bias, { fromLast, size: result[result.length - fromLast] });
}

/** Whether a value varies along only this axis, counted from the last as 1. */
function isAlong({ shape }: Value, { fromLast, size }: { readonly fromLast: number; readonly size: number }): boolean {
  return shape.every((dim, axis) => dim === (shape.length - axis === fromLast ? size : 1)) && shape.length >= fromLast;
}

interface Naming {
  readonly known: ReadonlyMap<number, number>;
  readonly parameters: LayerSearch["parameters"];
  readonly rows: number;
}

function finished({ layer, weight, bias, place, biasPlace }: Draft, { known, parameters, rows }: Naming): BatchLayer[] {
  const entered = (value: Value | undefined, from: Place | undefined): LayerParameter | undefined => {
    const index = from && known.get(from.index);
    return value === undefined || index === undefined ? undefined : { index, value };
  };
  const own = {
    weight: entered(weight, place),
    bias: entered(bias, biasPlace ?? (weight === undefined ? place : undefined)),
  };
  if (own.weight === undefined && own.bias === undefined) return [];
  const { value } = place;
  const entries = sizeOf((weight ?? bias)!.shape);
  const positions = layer.kind === "affine" ? sizeOf(value.shape) / (rows * entries) : layer.arrange(value).shape[1];
  const name = moduleName(parameters[place.index].name);
  const present = { ...(own.weight && { weight: own.weight }), ...(own.bias && { bias: own.bias }) };
  return [{ ...layer, ...present, name, positions, output: value }];
}

/** The name of a parameter without its last part. */
function moduleName(parameter: string): string {
  const end = Math.max(parameter.lastIndexOf("."), parameter.lastIndexOf("/"));
  return end > 0 ? parameter.slice(0, end) : parameter;
}
