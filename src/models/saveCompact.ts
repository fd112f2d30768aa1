import { writeWhole } from "#files";
import { CurvatureError } from "../errors/index.ts";
import { type AxisCut, cutTensors, modelContents, readModel } from "../onnx/index.ts";
import type { Vector } from "../tensors/index.ts";
import { type FixedUnits, type HiddenUnits, hiddenUnits } from "./hiddenUnits.ts";
import type { FileModel } from "./loadModel.ts";
import type { Model } from "./model.ts";
import { modelFile, type NewWeights, type SavedTensor } from "./saveModel.ts";

/** A layer that has lost hidden units. */
export interface CompactLayer {
  readonly parameter: string;
  /** Units of the layer before. */
  readonly units: number;
  /** Units that were taken out, by position. */
  readonly removed: readonly number[];
}

/** Result of `saveCompact`. */
export interface CompactModel {
  readonly path: string;
  /** Size of the file in bytes, and of the same file with zeros. */
  readonly bytes: number;
  readonly bytesWithZeros: number;
  readonly layers: readonly CompactLayer[];
  /** Layers whose units must stay, so that zeros stay zeros there, with the reason. */
  readonly fixed: readonly FixedUnits[];
  readonly tensors: readonly SavedTensor[];
}

/**
 * Writes the file of a model again with other weights, as `saveModel` does, and without the hidden units that nothing depends on: those whose outgoing weights are all zero, as `prune` with
 * `units: "channels"` leaves them. Rows, columns and channels of the tensors around them are cut out, so that the file is smaller and computes the same; all other tensors are as `saveModel` writes
 * them. It works for units of Gemm, MatMul and Conv layers up to the next such layers through operators that treat each unit by itself; elsewhere zeros stay, and `fixed` says why.
 *
 * @throws CurvatureError as `saveModel`; "unsupported" for a file with external data
 */
export async function saveCompact(model: Model, theta: NewWeights, path: string): Promise<CompactModel> {
  const { bytes, externalData, tensors } = await modelFile(model, theta);
  if (Object.keys(externalData).length > 0) {
    throw new CurvatureError(
      "unsupported",
      `saveCompact cannot cut tensors in external files, which ${model.name} has; write zeros with saveModel`,
    );
  }
  const { layers: all, fixed } = await hiddenUnits(model as FileModel);
  const { graph } = modelContents(await readModel(bytes));
  const numbers = new Map(graph.initializers.map((each) => [each.name, each]));
  const layers: (CompactLayer & { readonly units: number; readonly source: HiddenUnits })[] = [];
  for (const source of all) {
    const removed = await unusedUnits(source, async (name) => numbers.get(name)!.load());
    if (removed.length > 0) layers.push({ parameter: source.parameter, units: source.count, removed, source });
  }
  const cuts = new Map<string, AxisCut[]>();
  for (const { removed, source } of layers) {
    for (const { tensor, axis, block } of source.axes) {
      const gone = new Set(removed);
      const kept = Array.from({ length: source.count * block }, (_, k) => k).filter(
        (k) => !gone.has(Math.floor(k / block)),
      );
      cuts.set(tensor, [...(cuts.get(tensor) ?? []), { axis, kept }]);
    }
  }
  const values = new Set(layers.flatMap(({ source }) => source.values));
  const compact = layers.length === 0 ? bytes : cutTensors(bytes, { cuts, values });
  await written(path, compact);
  return {
    path,
    bytes: compact.length,
    bytesWithZeros: bytes.length,
    layers: layers.map(({ source: _, ...layer }) => layer),
    fixed,
    tensors,
  };
}

async function written(path: string, bytes: Uint8Array): Promise<void> {
  if (typeof path !== "string" || path === "") {
    throw new CurvatureError(
      "argument",
      `saveCompact expects the path of the file to write, got ${JSON.stringify(path)}`,
    );
  }
  try {
    await writeWhole(path, [bytes]);
  } catch (cause) {
    const { code } = cause as { readonly code?: string };
    throw new CurvatureError("file", `saveCompact cannot write ${path} (${code ?? cause}); choose another path`, {
      cause,
    });
  }
}

/** Units whose outgoing weights are all zero; one is left where that are all. */
async function unusedUnits(
  { axes, count }: HiddenUnits,
  load: (name: string) => Promise<{ readonly data: ArrayLike<unknown>; readonly dims: readonly number[] }>,
): Promise<readonly number[]> {
  const isUsed = new Uint8Array(count);
  for (const { tensor, axis, block, side } of axes) {
    if (side !== "out") continue;
    const { data, dims } = await load(tensor);
    const inner = dims.slice(axis + 1).reduce((product, dim) => product * dim, 1);
    const numbers = data as Vector;
    for (let k = 0; k < numbers.length; k++) {
      if (numbers[k] !== 0) isUsed[Math.floor((Math.floor(k / inner) % dims[axis]) / block)] = 1;
    }
  }
  const unused = Array.from({ length: count }, (_, k) => k).filter((k) => isUsed[k] === 0);
  return unused.length === count ? unused.slice(1) : unused;
}
