import { sizeOf, type Tensor } from "../../src/tensors/index.ts";

// PyTorch's documented formulas, written in loops over plain numbers.

/** An objective before division. */
export interface Divided {
  readonly sum: number;
  readonly denominator: number;
}

interface ClassOptions {
  readonly dims: readonly number[];
  readonly axis: number;
  readonly classWeights?: readonly number[];
  readonly labelSmoothing?: number;
}

/** The logits of each term, with the index of the term's first logit and the distance to the next. */
function* termsOf(dims: readonly number[], axis: number): Generator<{ readonly at: (c: number) => number }> {
  const inner = sizeOf(dims.slice(axis + 1));
  const outer = sizeOf(dims.slice(0, axis));
  for (let o = 0; o < outer; o++) for (let i = 0; i < inner; i++) yield { at: (c) => (o * dims[axis] + c) * inner + i };
}

function logSoftmaxOf(
  f: Float64Array,
  { at, classes }: { readonly at: (c: number) => number; readonly classes: number },
) {
  const logits = Array.from({ length: classes }, (_, c) => f[at(c)]);
  const largest = Math.max(...logits);
  const log = largest + Math.log(logits.reduce((sum, x) => sum + Math.exp(x - largest), 0));
  return logits.map((x) => x - log);
}

/** torch.nn.CrossEntropyLoss with class indices. */
export function labelCrossEntropy(
  f: Float64Array,
  options: ClassOptions & { readonly labels: Tensor; readonly ignoreIndex?: number },
): Divided {
  const { dims, axis, labels, classWeights, labelSmoothing = 0, ignoreIndex = -100 } = options;
  const classes = dims[axis];
  let [plain, smooth, denominator, term] = [0, 0, 0, 0];
  for (const { at } of termsOf(dims, axis)) {
    const label = Number(labels.data[term++]);
    if (label === ignoreIndex) continue;
    const logs = logSoftmaxOf(f, { at, classes });
    const weight = (c: number) => classWeights?.[c] ?? 1;
    plain -= weight(label) * logs[label];
    for (let c = 0; c < classes; c++) smooth -= weight(c) * logs[c];
    denominator += weight(label);
  }
  return { sum: (1 - labelSmoothing) * plain + (labelSmoothing / classes) * smooth, denominator };
}

/** torch.nn.CrossEntropyLoss with class probabilities; "mean" divides by the number of terms. */
export function probabilityCrossEntropy(
  f: Float64Array,
  options: ClassOptions & { readonly targets: Tensor },
): Divided {
  const { dims, axis, targets, classWeights, labelSmoothing = 0 } = options;
  const classes = dims[axis];
  let [sum, denominator] = [0, 0];
  for (const { at } of termsOf(dims, axis)) {
    const logs = logSoftmaxOf(f, { at, classes });
    for (let c = 0; c < classes; c++) {
      const target = (1 - labelSmoothing) * Number(targets.data[at(c)]) + labelSmoothing / classes;
      sum -= (classWeights?.[c] ?? 1) * target * logs[c];
    }
    denominator++;
  }
  return { sum, denominator };
}

/** torch.nn.MSELoss. */
export function squaredErrorReference(f: Float64Array, { data }: Tensor): Divided {
  let sum = 0;
  for (let i = 0; i < f.length; i++) sum += (f[i] - Number(data[i])) ** 2;
  return { sum, denominator: f.length };
}

/** torch.nn.BCEWithLogitsLoss with pos_weight. */
export function bceReference(
  f: Float64Array,
  { targets, weights }: { readonly targets: Tensor; readonly weights: readonly number[] },
): Divided {
  let sum = 0;
  for (let i = 0; i < f.length; i++) {
    const y = Number(targets.data[i]);
    const p = 1 / (1 + Math.exp(-f[i]));
    sum -= weights[i % weights.length] * y * Math.log(p) + (1 - y) * Math.log(1 - p);
  }
  return { sum, denominator: f.length };
}

/** torch.nn.PoissonNLLLoss with log_input. */
export function poissonReference(f: Float64Array, { data }: Tensor): Divided {
  let sum = 0;
  for (let i = 0; i < f.length; i++) sum += Math.exp(f[i]) - Number(data[i]) * f[i];
  return { sum, denominator: f.length };
}

/** torch.nn.GaussianNLLLoss with variance e^s, for [mean(d), logVariance(d)] on the last axis. */
export function gaussianReference(
  f: Float64Array,
  { dims, targets }: { readonly dims: readonly number[]; readonly targets: Tensor },
): Divided {
  const width = dims[dims.length - 1];
  const d = width / 2;
  let sum = 0;
  for (let i = 0; i < targets.data.length; i++) {
    const at = Math.floor(i / d) * width + (i % d);
    const variance = Math.exp(f[at + d]);
    sum += 0.5 * (Math.log(variance) + (f[at] - Number(targets.data[i])) ** 2 / variance);
  }
  return { sum, denominator: targets.data.length };
}
