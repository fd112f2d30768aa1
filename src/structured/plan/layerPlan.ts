import { type Memoized, memoized } from "../../concurrency/index.ts";
import { printGraph, type Value } from "../../graph/index.ts";
import type { LayeredBatchGraph, Risk } from "../../operators/engine/risk.ts";
import { sizeOf } from "../../tensors/index.ts";
import { entryIndices, type TakenEntries } from "./entryIndices.ts";
import { type MatrixUse, type ParameterUses, parameterUses } from "./parameterUses.ts";

/** A matrix that one or several layers multiply by, made of entries of one parameter. */
export interface PlannedMatrix {
  /** Key of the matrix among those of the parameter: `MatrixUse.entries`. */
  readonly entries: string;
  readonly groups: number;
  readonly sizes: readonly [inputs: number, outputs: number];
  readonly isTable: boolean;
  readonly isTransposedConvolution: boolean;
  /** Number of layers that multiply by it. */
  readonly uses: number;
  /** Positions of a row at which it is applied, in all of its uses. */
  readonly positions: number;
  /** Index within the flat vector of all parameters of each entry [groups, in, out]. */
  readonly indices: Int32Array;
  /** The bias that is added wherever the matrix is used and nowhere else: its parameter, and the flat index of each entry [groups, out]. */
  readonly bias?: { readonly parameter: number; readonly indices: Int32Array };
}

/** How a parameter takes part in the layers of a network. */
export type ParameterPlan =
  /** It is made of matrices that share no entry. */
  | { readonly form: "matrices"; readonly matrices: readonly PlannedMatrix[]; readonly unused: Int32Array }
  /** It enters layers in other ways: as scale, shift or bias, or in matrices of different orientation. */
  | { readonly form: "layers"; readonly reason: "affine" | "tied" }
  /** It enters outside of layers, also or only. */
  | { readonly form: "outside" }
  /** The outputs do not depend on it. */
  | { readonly form: "unused" };

/** The plans of all parameters of a risk, in their order. */
export interface LayerPlan {
  readonly parameters: readonly ParameterPlan[];
  /** Indices of the parameters of each layer; layers that share a parameter are one. Every parameter is in one of them. */
  readonly layers: readonly (readonly number[])[];
  /** Numbers that the layers return for a row, of one reverse pass; decides how many passes run at once. */
  readonly rowEntries: number;
}

/** Plans of a family of risks by the shape of a batch, which they depend on besides. */
const plans = new WeakMap<object, Map<string, Memoized<LayerPlan>>>();

/** Reads off the layers of a batch which parameter is what. No pass over the data; made once for all views of a risk. */
export function layerPlan(risk: Risk): Promise<LayerPlan> {
  const { engine, data } = risk;
  const known = plans.get(engine.family) ?? new Map<string, Memoized<LayerPlan>>();
  plans.set(engine.family, known);
  const inputs = Object.entries(data.inputs).map(([name, { dims }]) => [name, dims]);
  const key = JSON.stringify([data.batchSize, inputs]);
  const plan = known.get(key) ?? memoized(() => madePlan(risk));
  known.set(key, plan);
  return plan();
}

async function madePlan(risk: Risk): Promise<LayerPlan> {
  // One row alone hides along which axes rows lie.
  const batch = (await risk.engine.graph(Math.max(2, risk.data.batchSize))).layered();
  const uses = parameterUses(batch.layers, risk.parameters.length);
  const taken = takenEntries(uses, batch);
  const found = await entryIndices(taken.list);
  const indicesOf = (value: Value, parameter: number): Int32Array => {
    const own = found[taken.position(value)];
    return own.map((entry) => entry + risk.parameters[parameter].offset);
  };
  return {
    parameters: uses.map((own, index) => planOf(own, { index, risk, batch, uses, indicesOf })),
    layers: parametersByLayer(batch, risk.parameters.length),
    rowEntries: Math.ceil(batch.layers.reduce((sum, { output }) => sum + sizeOf(output.shape), 0) / batch.rows),
  };
}

interface Planning {
  readonly index: number;
  readonly risk: Risk;
  readonly batch: LayeredBatchGraph;
  readonly uses: readonly ParameterUses[];
  readonly indicesOf: (value: Value, parameter: number) => Int32Array;
}

function planOf(own: ParameterUses, planning: Planning): ParameterPlan {
  const { index, batch, risk } = planning;
  if (batch.elsewhere.includes(index)) return { form: "outside" };
  const { matrices, scales, shifts } = own;
  if (matrices.length + scales.length + shifts.length === 0) return { form: "unused" };
  if (scales.length + shifts.length > 0) {
    return { form: "layers", reason: matrices.length > 0 ? "tied" : "affine" };
  }
  const byEntries = new Map<string, MatrixUse[]>();
  for (const use of matrices) byEntries.set(use.entries, [...(byEntries.get(use.entries) ?? []), use]);
  const planned = [...byEntries.values()]
    .map((same) => plannedMatrix(same, planning))
    .sort((a, b) => a.indices[0] - b.indices[0]);
  const { offset, size } = risk.parameters[index];
  const counts = new Uint8Array(size);
  for (const { indices } of planned) for (const entry of indices) counts[entry - offset]++;
  if (counts.some((count) => count > 1)) return { form: "layers", reason: "tied" };
  const unused = Int32Array.from({ length: size }, (_, entry) => entry).filter((entry) => counts[entry] === 0);
  return { form: "matrices", matrices: planned, unused: unused.map((entry) => entry + offset) };
}

function plannedMatrix(same: readonly MatrixUse[], planning: Planning): PlannedMatrix {
  const [{ matrix, entries }] = same;
  const bias = sharedBias(same, planning);
  const layer = planning.batch.layers[same[0].layer];
  return {
    entries,
    groups: matrix.groups,
    sizes: matrix.sizes,
    isTable: matrix.inputs.kind === "table",
    isTransposedConvolution: layer.kind === "convolution" && layer.transposed,
    uses: same.length,
    positions: same.reduce((sum, use) => sum + use.matrix.positions, 0),
    indices: planning.indicesOf(matrix.matrix!, planning.index),
    ...(bias && { bias }),
  };
}

/** The bias of all uses of a matrix, if it is one and the same, and is used nowhere else. */
function sharedBias(same: readonly MatrixUse[], { uses, indicesOf }: Planning): PlannedMatrix["bias"] {
  const [first] = same;
  if (first.bias === undefined || first.matrix.inputs.kind === "table") return undefined;
  const text = printGraph([first.bias.value]);
  const isShared = same.every(({ bias }) => bias?.index === first.bias!.index && printGraph([bias.value]) === text);
  const own = uses[first.bias.index];
  const isAlone = own.shifts.length === same.length && own.matrices.length + own.scales.length === 0;
  if (!isShared || !isAlone) return undefined;
  return { parameter: first.bias.index, indices: indicesOf(first.bias.value, first.bias.index) };
}

function parametersByLayer({ layers }: LayeredBatchGraph, count: number): readonly (readonly number[])[] {
  const first = Array.from({ length: count }, (_, index) => index);
  const rootOf = (index: number): number => (first[index] === index ? index : rootOf(first[index]));
  for (const { weight, bias } of layers) {
    if (weight === undefined || bias === undefined) continue;
    const [a, b] = [rootOf(weight.index), rootOf(bias.index)];
    first[Math.max(a, b)] = Math.min(a, b);
  }
  const groups = new Map<number, number[]>();
  for (let index = 0; index < count; index++) {
    const root = rootOf(index);
    groups.set(root, [...(groups.get(root) ?? []), index]);
  }
  return [...groups.values()];
}

/** The values of all matrices and biases, once each. */
function takenEntries(uses: readonly ParameterUses[], batch: LayeredBatchGraph) {
  const list: TakenEntries[] = [];
  const positions = new Map<Value, number>();
  const take = (parameter: number, value: Value) => {
    if (positions.has(value)) return;
    positions.set(value, list.length);
    list.push({ parameter: batch.parameters[parameter], value });
  };
  uses.forEach(({ matrices }, index) => {
    for (const { matrix, bias } of matrices) {
      take(index, matrix.matrix!);
      if (bias !== undefined) take(bias.index, bias.value);
    }
  });
  return { list, position: (value: Value) => positions.get(value)! };
}
