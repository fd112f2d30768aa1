import type { Predictions } from "../applications/laplace/index.ts";

/** Half the width of a central interval of 95 % of a standard normal variable. */
const HALF = 1.959963984540054;

/**
 * Predictions as CSV, a line a term. Of classes: the class with its probability, with and without the posterior, then the probability of each class and the standard deviation of its logit. Of numbers: mean, interval of
 * 95 % for a label (`lower`, `upper`), standard deviation of a label and of the mean alone.
 */
export function predictionTable(predictions: Predictions): string {
  const { rows, terms } = predictions;
  const each = terms / rows;
  const place = each === 1 ? ["row"] : ["row", "term"];
  const placeOf = (t: number) => (each === 1 ? [t] : [Math.floor(t / each), t % each]);
  const { heads, line } = predictions.values === undefined ? classColumns(predictions) : valueColumns(predictions);
  const lines = Array.from({ length: terms }, (_, t) => [...placeOf(t), ...line(t)].map(cell).join(","));
  return `${[[...place, ...heads].join(","), ...lines].join("\n")}\n`;
}

function cell(value: number): string {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(9)));
}

interface Columns {
  readonly heads: readonly string[];
  readonly line: (term: number) => readonly number[];
}

function classColumns({ outputs: C, probabilities: p, pointProbabilities: q, variance }: Predictions): Columns {
  const numbers = Array.from({ length: C }, (_, c) => c);
  const best = (of: Float64Array, t: number) =>
    numbers.reduce((largest, c) => (of[t * C + c]! > of[t * C + largest]! ? c : largest), 0);
  return {
    heads: [
      ...["class", "probability", "class_without", "probability_without"],
      ...numbers.map((c) => `p_${c}`),
      ...numbers.map((c) => `logit_sd_${c}`),
    ],
    line(t) {
      const [own, point] = [best(p!, t), best(q!, t)];
      return [
        ...[own, p![t * C + own]!, point, q![t * C + point]!],
        ...numbers.map((c) => p![t * C + c]!),
        ...numbers.map((c) => Math.sqrt(variance[t * C + c]!)),
      ];
    },
  };
}

function valueColumns({ values }: Predictions): Columns {
  const { size, mean, variance, functionVariance } = values!;
  const numbers = Array.from({ length: size }, (_, k) => k);
  return {
    heads: numbers.flatMap((k) =>
      ["mean", "lower", "upper", "sd", "sd_of_mean"].map((name) => (size === 1 ? name : `${name}_${k}`)),
    ),
    line: (t) =>
      numbers.flatMap((k) => {
        const at = t * size + k;
        const deviation = Math.sqrt(variance[at]!);
        const center = mean[at]!;
        return [
          center,
          center - HALF * deviation,
          center + HALF * deviation,
          deviation,
          Math.sqrt(functionVariance[at]!),
        ];
      }),
  };
}
