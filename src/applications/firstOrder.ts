import type { Data } from "../data/index.ts";
import type { RunOptions } from "../linalg/index.ts";
import type { Risk } from "../operators/index.ts";
import { accuracy } from "./accuracy.ts";
import { dataSummary } from "./dataSummary.ts";
import { dataWarnings } from "./dataWarnings.ts";
import { normOf } from "./exactSpectrum.ts";
import type { DataSummary } from "./report.ts";

/** What is known of a risk before its first product. */
export interface FirstOrder {
  readonly lossName: string;
  readonly isMean: boolean;
  readonly loss: number;
  readonly gradientNorm: number;
  /** Share of terms whose largest output is the label; undefined if targets are not classes. */
  readonly accuracy: number | undefined;
  readonly summary: DataSummary;
  /** Signs that data are not those of the training. */
  readonly warnings: readonly string[];
  /** Time of a gradient after compilation. */
  readonly secondsPerGradient: number;
}

/** Loss, gradient, accuracy and checks of the data, and the time of a gradient: a few passes over the data. */
export async function firstOrder(
  risk: Risk,
  { signal, onProgress, wholeData = risk.data }: RunOptions & { readonly wholeData?: Data },
): Promise<FirstOrder> {
  const options = signal ? { signal } : {};
  onProgress?.({ stage: "loss and gradient", done: 0 });
  const loss = await risk.loss(options);
  const gradient = await risk.gradient(options);
  const times: number[] = [];
  // The fastest of up to three repetitions; a long one is not repeated. All ranks must repeat it equally often.
  for (let spent = 0; times.length < 3 && spent < 1; ) {
    const began = performance.now();
    await risk.gradient(options);
    times.push((performance.now() - began) / 1000);
    spent = (await risk.engine.sumOverRanks(Float64Array.of(times.reduce((sum, time) => sum + time, 0))))[0]!;
  }
  const share = await accuracy(risk, options);
  const summary = await dataSummary(risk, { ...options, data: wholeData });
  return {
    lossName: risk.lossFunction.name,
    isMean: risk.lossFunction.reduction === "mean",
    loss,
    gradientNorm: normOf(gradient),
    accuracy: share,
    summary,
    warnings: await dataWarnings(risk, { summary, loss, accuracy: share, ...options }),
    secondsPerGradient: Math.min(...times),
  };
}
