import { checkFinite, checkLabelTensor, type Data } from "../../data/index.ts";
import { CurvatureError } from "../../errors/index.ts";
import type { Loss, TermLayout } from "../../losses/index.ts";
import type { Tensor } from "../../tensors/index.ts";
import type { BoundBatch, BoundData } from "../engine/riskData.ts";

/**
 * Checks all rows of a data set for a loss. Returns the loss's denominator for "mean" (0 where all terms are ignored), 1 for "sum".
 *
 * @throws CurvatureError "data" naming the first number that is not finite, label or target out of range, or weight below 0;
 *   "nondeterministic" where a second pass gives other data
 */
export async function checkData(
  bound: BoundData,
  { loss, layout }: { readonly loss: Loss; readonly layout: TermLayout },
): Promise<number> {
  const { data } = bound;
  await checkFinite(data);
  const fingerprints: number[] = [];
  let denominator = 0;
  for await (const batch of data.batches()) {
    const { targets, weights, inputs, shape } = bound.bind(batch);
    checkTargets(targets, { data, loss, layout, start: batch.start, integer: shape.targets.integer });
    if (weights !== undefined) checkWeights(weights, { data, start: batch.start });
    denominator += loss.denominator(targets, {
      layout,
      ...(weights && { rowWeights: weights.data as ArrayLike<number> }),
    });
    fingerprints.push(fingerprint({ inputs, targets, weights }));
  }
  let index = 0;
  for await (const batch of data.batches()) {
    if (fingerprint(bound.bind(batch)) !== fingerprints[index]) throw changed(data, `batch ${index} has other numbers`);
    index++;
  }
  if (index !== fingerprints.length) throw changed(data, `${index} batches instead of ${fingerprints.length}`);
  return loss.reduction === "sum" ? 1 : denominator;
}

function changed(data: Data, what: string): CurvatureError {
  return new CurvatureError(
    "nondeterministic",
    `${data.description}: two passes over the data differ: ${what}; every pass must give the same rows in the same order (no shuffling, no augmentation)`,
  );
}

function checkTargets(
  targets: Tensor,
  facts: {
    readonly data: Data;
    readonly loss: Loss;
    readonly layout: TermLayout;
    readonly start: number;
    readonly integer: boolean;
  },
): void {
  const { data, loss, layout, start, integer } = facts;
  const bounds = loss.labels?.(layout, { dims: targets.dims, integer });
  if (bounds !== undefined) checkLabelTensor(targets, { ...bounds, start, where: data.description });
  const { targetRange } = loss;
  if (targetRange === undefined || bounds !== undefined) return;
  const values = targets.data as ArrayLike<number>;
  const perRow = values.length / Math.max(targets.dims[0], 1);
  for (let i = 0; i < values.length; i++) {
    if (values[i] >= targetRange.from && values[i] <= targetRange.to) continue;
    const range =
      targetRange.to === Number.POSITIVE_INFINITY
        ? `not below ${targetRange.from}`
        : `from ${targetRange.from} to ${targetRange.to}`;
    throw new CurvatureError(
      "data",
      `${data.description}: the target of row ${start + Math.floor(i / perRow)} is ${values[i]}; ${loss.name} takes numbers ${range}`,
    );
  }
}

function checkWeights(
  { data: weights }: Tensor,
  { data, start }: { readonly data: Data; readonly start: number },
): void {
  for (let row = 0; row < weights.length; row++) {
    const weight = Number(weights[row]);
    if (weight >= 0 && Number.isFinite(weight)) continue;
    throw new CurvatureError(
      "data",
      `${data.description}: the weight of row ${start + row} is ${weight}; weights must be finite and not negative`,
    );
  }
}

/** Hash of all bytes of a batch (FNV-1a on 32-bit words, the remaining bytes one by one). */
function fingerprint({ inputs, targets, weights }: Pick<BoundBatch, "inputs" | "targets" | "weights">): number {
  let hash = 0x811c9dc5;
  for (const { data } of [...Object.values(inputs), targets, ...(weights ? [weights] : [])]) {
    if (!ArrayBuffer.isView(data)) {
      for (const text of data)
        for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
      continue;
    }
    const aligned = data.byteOffset % 4 === 0;
    const words = aligned ? new Uint32Array(data.buffer, data.byteOffset, data.byteLength >> 2) : new Uint32Array(0);
    for (let i = 0; i < words.length; i++) hash = Math.imul(hash ^ words[i], 0x01000193);
    const rest = new Uint8Array(data.buffer, data.byteOffset + words.byteLength, data.byteLength - words.byteLength);
    for (let i = 0; i < rest.length; i++) hash = Math.imul(hash ^ rest[i], 0x01000193);
  }
  return hash >>> 0;
}
