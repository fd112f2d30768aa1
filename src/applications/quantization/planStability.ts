import { stream } from "../../random/index.ts";
import { bestWithin, type ChosenItems, paretoPlans } from "./paretoPlans.ts";
import type { QuantizationSensitivity } from "./sensitivity.ts";

/** How far a plan depends on the errors of the estimates that it is made of. */
export interface PlanStability {
  /** Plans that were made with traces drawn within their standard errors; 0 where nothing is estimated. */
  readonly resamples: number;
  /** For each tensor the share of these plans in which it has other bits. */
  readonly tensors: readonly { readonly name: string; readonly changed: number }[];
  /** Names of the tensors with other bits in at least a twentieth of them. */
  readonly unstable: readonly string[];
  readonly message: string;
}

/** Share of resampled plans from which a tensor counts as unstable. */
const SHARE = 0.05;

/**
 * Makes the plan again with traces drawn from normal distributions of their values and standard errors, independent for each tensor, and counts how often each
 * tensor gets other bits.
 */
export function planStability(
  { tensors }: QuantizationSensitivity,
  {
    budgetBits,
    best,
    resamples,
    seed,
    objective,
  }: {
    readonly budgetBits: number;
    readonly best: ChosenItems;
    readonly resamples: number;
    readonly seed: () => number;
    readonly objective: string;
  },
): PlanStability {
  const isExact = tensors.every(({ trace }) => trace.standardError === 0);
  if (resamples === 0 || isExact) {
    const names = tensors.map(({ name }) => ({ name, changed: 0 }));
    const message =
      objective !== "omega"
        ? `the objective "${objective}" has no sampling error`
        : isExact
          ? "traces are exact"
          : "not asked for (resamples: 0)";
    return { resamples: 0, tensors: names, unstable: [], message };
  }
  const counts = new Array<number>(tensors.length).fill(0);
  for (let sample = 0; sample < resamples; sample++) {
    const random = stream(seed(), "traces", sample);
    const items = tensors.map(({ trace, size, choices }) => {
      const drawn = trace.value + trace.standardError * random.normal();
      return choices.map(({ bits, squaredError }) => ({ size: size * bits, value: (drawn / size) * squaredError }));
    });
    const again = bestWithin(paretoPlans(items, budgetBits), budgetBits)!;
    again.choices.forEach((choice, i) => {
      if (choice !== best.choices[i]) counts[i]!++;
    });
  }
  const shares = tensors.map(({ name }, i) => ({ name, changed: counts[i]! / resamples }));
  const unstable = shares.filter(({ changed }) => changed >= SHARE).map(({ name }) => name);
  const message =
    unstable.length === 0
      ? `the plan stays in ${resamples} draws of the traces, but for less than a twentieth of them`
      : `the bits of ${unstable.join(", ")} depend on the errors of the traces; raise matvecs`;
  return { resamples, tensors: shares, unstable, message };
}
