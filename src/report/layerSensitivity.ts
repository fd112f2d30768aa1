import type { CurvatureReport, LayerRounding, ReportedLayer, RoundedLayer } from "../applications/report.ts";
import { type Finding, finding, STANDARD_ERRORS } from "./finding.ts";
import { formatCount, formatEstimate, formatNumber } from "./format.ts";
import { type NamedMatrix, presentMatrices } from "./matrixText.ts";

/** Bits of a weight in the file, from which bytes saved are counted. */
const STORED_BITS = 32;

/** Bits for which the answer is given, fewest last. */
const ANSWERED_BITS: readonly number[] = [4, 3];

/** Measured increase of the loss of a layer at a number of bits. */
export function measuredAt({ changes }: RoundedLayer, bits: number): number | undefined {
  return changes.find((change) => change.bits === bits)?.measured;
}

/** Bytes that a layer saves at a number of bits, from float32. */
export function bytesSaved({ weights }: RoundedLayer, bits: number): number {
  return (weights * (STORED_BITS - bits)) / 8;
}

/** The layer of largest measured increase at a number of bits; undefined where none was measured. */
export function hurtsMost({ layers }: LayerRounding, bits: number): RoundedLayer | undefined {
  const measured = layers.filter((layer) => measuredAt(layer, bits) !== undefined);
  return [...measured].sort((a, b) => measuredAt(b, bits)! - measuredAt(a, bits)!)[0];
}

/** The layer of least measured increase for each byte saved; where several cost nothing, the one that saves most. */
export function cheapestPerByte({ layers }: LayerRounding, bits: number): RoundedLayer | undefined {
  const measured = layers.filter((layer) => measuredAt(layer, bits) !== undefined);
  const price = (layer: RoundedLayer) => Math.max(0, measuredAt(layer, bits)!) / bytesSaved(layer, bits);
  return [...measured].sort((a, b) => price(a) - price(b) || bytesSaved(b, bits) - bytesSaved(a, bits))[0];
}

/**
 * Finding on the layers: which one hurts most at equal bits and which is cheapest per byte saved, from the measured losses with one layer
 * rounded at a time, and how well the predicted order agrees. Without these measurements, the layers of highest and lowest mean curvature.
 */
export function layerSensitivity(report: CurvatureReport): Finding | undefined {
  const { rounding } = report;
  if (rounding !== undefined && rounding.layers.length > 0) return roundingFinding(report, rounding);
  return curvatureFinding(report);
}

function roundingFinding(report: CurvatureReport, rounding: LayerRounding): Finding {
  const worst = ANSWERED_BITS.flatMap((bits) => {
    const layer = hurtsMost(rounding, bits);
    return layer === undefined ? [] : [{ bits, layer, increase: measuredAt(layer, bits)! }];
  });
  const details = [
    eightBits(rounding),
    cheapest(rounding),
    agreement(report, rounding),
    "Measured on these rows with one layer rounded at a time, per tensor and symmetric, biases kept; rounding several layers adds more.",
  ];
  if (rounding.layers.length === 1) {
    const [only] = rounding.layers;
    const parts = worst.map(({ bits, increase }) => `${signed(increase)} at ${bits} bits`);
    return finding(
      "layers",
      `Rounding the only layer with a weight matrix, ${only.name}: ${parts.join(", ")} on the loss.`,
      details,
    );
  }
  const [first, second] = worst;
  if (first === undefined) return finding("layers", "No layer was rounded to 4 or 3 bits.", details);
  const of = `on a loss of ${formatNumber(rounding.loss, 3)}`;
  const same = second !== undefined && second.layer.name === first.layer.name;
  const answer = same
    ? `At equal bits, rounding layer ${first.layer.name} hurts most: ${signed(first.increase)} at ${first.bits} bits, ${signed(second.increase)} at ${second.bits}, ${of}.`
    : `At equal bits, rounding hurts most in ${worst.map(({ bits, layer, increase }) => `layer ${layer.name} at ${bits} bits (${signed(increase)})`).join(", ")}, ${of}.`;
  return finding("layers", answer, details);
}

function eightBits(rounding: LayerRounding): string | undefined {
  const worst = hurtsMost(rounding, 8);
  return worst && `At 8 bits no layer adds more than ${signed(measuredAt(worst, 8)!)}.`;
}

function cheapest(rounding: LayerRounding): string | undefined {
  const bits = 4;
  const layer = rounding.layers.length > 1 ? cheapestPerByte(rounding, bits) : undefined;
  if (layer === undefined) return undefined;
  return `Cheapest per byte at ${bits} bits: layer ${layer.name}, which saves ${formatCount(bytesSaved(layer, bits))} bytes for ${signed(measuredAt(layer, bits)!)}.`;
}

/** How the order of the predictions agrees with the measured one. */
function agreement(report: CurvatureReport, { rankCorrelations }: LayerRounding): string | undefined {
  const known = rankCorrelations.filter(({ bits, value }) => ANSWERED_BITS.includes(bits) && value !== undefined);
  if (known.length === 0) return undefined;
  const noun = presentMatrices(report)[0]?.text.noun ?? "the matrix";
  const values = known.map(({ bits, value }) => `${formatNumber(value!, 2)} at ${bits} bits`);
  const low = known.some(({ value }) => value! < 0.5);
  const caveat = low ? " Where it is low, trust the measured numbers." : "";
  return `The order predicted by trace · Δ² / 24 of ${noun} has rank correlation ${values.join(", ")} with the measured one, over ${formatCount(known[0].layers)} layers.${caveat}`;
}

function signed(increase: number): string {
  return `${increase < 0 ? "" : "+"}${formatNumber(increase, 2)}`;
}

interface LayerCurvature {
  readonly name: string;
  readonly mean: number;
  readonly standardError: number;
}

function meanCurvature({ name, parameters, trace, standardError }: ReportedLayer): LayerCurvature {
  return { name, mean: trace / parameters, standardError: standardError / parameters };
}

function apart(a: LayerCurvature, b: LayerCurvature): boolean {
  return a.mean - b.mean > STANDARD_ERRORS * Math.hypot(a.standardError, b.standardError);
}

/** What mean curvature means, and what it does not. */
function sensitivityMeaning({ text }: NamedMatrix): string {
  if (!text.curvatureOf) return text.measures;
  const where = text.curvatureOf === "the loss" ? "" : " in the linearized network";
  return (
    `Mean curvature is the effect of equal disturbances of single weights${where}. Rounding to equal bits disturbs layers differently: ` +
    "it adds trace · Δ² / 24, with the step Δ that the layer's largest weight sets."
  );
}

function curvatureFinding(report: CurvatureReport): Finding | undefined {
  const named = presentMatrices(report)[0];
  const layers = named?.matrix.layers.filter(({ parameters }) => parameters > 0) ?? [];
  if (!named || layers.length === 0) return undefined;
  const ordered = layers.map(meanCurvature).sort((a, b) => b.mean - a.mean);
  const first = ordered[0] as LayerCurvature;
  const last = ordered[ordered.length - 1] as LayerCurvature;
  const value = `${formatEstimate(first.mean, first.standardError)} per weight`;
  if (ordered.length === 1)
    return finding("layers", `All weights belong to one layer, ${first.name}: mean curvature ${value}.`);
  if (ordered.every(({ mean }) => mean === 0)) return finding("layers", "No layer has curvature.");
  const meaning = sensitivityMeaning(named);
  if (!apart(first, last)) {
    return finding("layers", "The layers' mean curvatures per weight are not told apart.", [
      `The highest estimate is that of layer ${first.name}, ${value}.`,
      meaning,
    ]);
  }
  const rivals = ordered.slice(1).filter((layer) => !apart(first, layer)).length;
  const answer =
    rivals === 0
      ? `Layer ${first.name} has the highest mean curvature per weight.`
      : `Layer ${first.name} is among those of highest mean curvature per weight.`;
  const unsure = rivals > 0 ? `, not told apart from ${formatCount(rivals)} other${rivals > 1 ? "s" : ""}` : "";
  const least = `The lowest is that of layer ${last.name}, ${formatEstimate(last.mean, last.standardError)}.`;
  return finding("layers", answer, [
    `Its mean curvature (of ${named.text.noun}) is ${value}${unsure}.`,
    least,
    meaning,
  ]);
}
