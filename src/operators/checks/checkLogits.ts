import { CurvatureError } from "../../errors/index.ts";
import type { TermLayout } from "../../losses/index.ts";
import { stream } from "../../random/index.ts";
import { sizeOf, type Vector } from "../../tensors/index.ts";
import type { FedBatchGraph } from "../engine/batchGraph.ts";
import { type ForwardProgram, forwardProgram } from "../engine/forwardProgram.ts";
import type { BoundBatch, BoundData } from "../engine/riskData.ts";
import type { RiskFamily } from "../engine/riskFamily.ts";

/** Largest rounding error of a float32 probability, or of a sum of many. */
const ROUNDING = 1e-4;

/** Factors by which the random weights of the repeated checks are larger than the model's. */
const FACTORS: readonly number[] = [10, 100, 1000];

/** An objective and its first batch. */
interface FirstBatch extends RiskFamily {
  readonly graph: FedBatchGraph;
  readonly batch: BoundBatch;
}

/**
 * Rejects outputs that are probabilities although the loss takes logits: its Softmax or Sigmoid would be applied a second time. Outputs
 * count as probabilities if, in all terms of the first batch, they are in [0, 1] and sum to 1 over the classes (for a loss that contains
 * Softmax) or are in [0, 1] and not all equal (Sigmoid), and if the same holds, with other values, for weights times random factors in
 * [-10, 10], [-100, 100] and [-1000, 1000]. Logits may be in [0, 1] by accident, as after a ReLU or in a single row, but not under other
 * weights. Weights that make all outputs NaN are ignored. Log-probabilities pass, because they are logits of their own probabilities:
 * softmax(log softmax(z)) = softmax(z).
 *
 * Costs one forward pass over the first batch, and three more only if the first looks like probabilities. It costs nothing for a loss
 * without an activation, or for outputs that were cut before their activation.
 *
 * @throws CurvatureError "model" for outputs that are probabilities
 */
export async function checkLogits(family: RiskFamily, { data, bind }: BoundData): Promise<void> {
  const { model, loss, outputs } = family;
  const kind = loss.absorbs.find((name) => name === "Softmax" || name === "Sigmoid");
  const isCut = outputs.every((name) => {
    const { activation } = model.outputs.find((output) => output.name === name) ?? {};
    return activation !== undefined && loss.absorbs.includes(activation);
  });
  if (kind === undefined || isCut) return;
  for await (const rows of data.batches()) {
    const batch = bind(rows);
    const first: FirstBatch = { ...family, batch, graph: await family.engine.graph(batch.shape) };
    if (await holdsProbabilities(first, kind)) throw refusal(first, kind);
    return;
  }
}

type Kind = "Softmax" | "Sigmoid";

async function holdsProbabilities(first: FirstBatch, kind: Kind): Promise<boolean> {
  const { graph, dtype: precision } = first;
  const program = await forwardProgram([graph.f], { graph, model: first.model, precision });
  try {
    const given = await termsOf(program, first);
    if (appearance(given, { kind, layout: graph.layout }) !== "probabilities") return false;
    const random = stream(0, "other weights");
    let confirmed = false;
    for (const factor of FACTORS) {
      const other = await termsOf(program, first, (data) => data.map((x) => x * factor * (2 * random.uniform() - 1)));
      const found = appearance(other, { kind, layout: graph.layout });
      if (found === "other") return false;
      const differs = other.some((x, i) => Math.abs(x - given[i]) > ROUNDING);
      if (found === "probabilities" && differs) confirmed = true;
    }
    return confirmed;
  } finally {
    await program.release();
  }
}

async function termsOf(
  program: ForwardProgram,
  { batch }: FirstBatch,
  weights?: (data: Vector) => Vector,
): Promise<Vector> {
  const [terms] = await program.run(batch.inputs, weights);
  return terms.data as Vector;
}

/** Whether terms [T, C] look like probabilities; terms with a NaN are ignored. */
function appearance(
  terms: Float32Array | Float64Array,
  { kind, layout: { outputs } }: { readonly kind: Kind; readonly layout: TermLayout },
): "probabilities" | "other" | "unknown" {
  if (kind === "Softmax" && outputs < 2) return "other";
  let counted = 0;
  let [least, largest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let start = 0; start < terms.length; start += outputs) {
    const term = Array.from(terms.subarray(start, start + outputs));
    if (term.some((x) => Number.isNaN(x))) continue;
    if (term.some((x) => x < -ROUNDING || x > 1 + ROUNDING)) return "other";
    if (kind === "Softmax" && Math.abs(term.reduce((sum, x) => sum + x, 0) - 1) > ROUNDING) return "other";
    for (const x of term) [least, largest] = [Math.min(least, x), Math.max(largest, x)];
    counted++;
  }
  return counted > 0 && (kind === "Softmax" || largest - least > ROUNDING) ? "probabilities" : "unknown";
}

function refusal({ model, loss, outputs, graph }: FirstBatch, kind: Kind): CurvatureError {
  const names = outputs.map((name) => `"${name}"`).join(" and ");
  const terms = sizeOf(graph.f.shape) / graph.layout.outputs;
  const sums = kind === "Softmax" ? ` and sum to 1 over the ${graph.layout.outputs} classes` : "";
  return new CurvatureError(
    "model",
    `output ${names} of ${model.name} holds probabilities: the numbers of each of the ${terms} terms of the first batch are in [0, 1]${sums}, also with other weights; but the loss ${loss.name} takes logits and would apply ${kind} a second time. Choose the output before the activation (output, --output), or pass assumeLogits: true (--assume-logits) to take them as logits nevertheless`,
  );
}
