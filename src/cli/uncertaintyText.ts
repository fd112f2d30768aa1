import type { UncertaintyReport } from "../applications/laplace/index.ts";

/** The numbers of a report as lines of text. */
export function uncertaintyText(report: UncertaintyReport): string {
  const { logMarginalLikelihood: evidence, effectiveParameters: gamma, size, calibration, likelihood } = report;
  const shown = (value: number) => value.toPrecision(4);
  const precision =
    typeof report.priorPrecision === "number"
      ? shown(report.priorPrecision)
      : Object.entries(report.priorPrecision)
          .map(([name, value]) => `${name} ${shown(value as number)}`)
          .join(", ");
  const error = evidence.standardError === 0 ? "" : ` +- ${shown(evidence.standardError)}`;
  const scores = calibration
    ? [calibration.before, calibration.after].map(
        ({ negativeLogLikelihood, classes, values, outOfDistribution }, k) => {
          const own = [
            `loss ${shown(negativeLogLikelihood.value)} +- ${negativeLogLikelihood.standardError.toPrecision(2)}`,
            ...(classes
              ? [
                  `accuracy ${(100 * classes.accuracy).toFixed(2)} %`,
                  `calibration error ${shown(classes.expectedCalibrationError)}`,
                  `Brier ${shown(classes.brier)}`,
                ]
              : []),
            ...(values
              ? values.intervals.map(
                  ({ level, coverage }) => `${100 * level} % covers ${(100 * coverage).toFixed(1)} %`,
                )
              : []),
            ...(outOfDistribution === undefined ? [] : [`AUROC ${shown(outOfDistribution)}`]),
          ];
          return `${k === 0 ? "without" : "with   "} the posterior: ${own.join(", ")}`;
        },
      )
    : [];
  return [
    `posterior of ${report.weights}: ${report.structure}, ${report.matrix}`,
    `prior precision ${precision} (${report.prior})${likelihood.family === "gaussian" ? `, noise ${shown(likelihood.sigmaNoise)}` : ""}`,
    `log marginal likelihood ${evidence.value.toPrecision(7)}${error}, ${shown(gamma.value)} effective parameters of ${size}`,
    ...scores,
    ...report.warnings.map((warning) => `warning: ${warning}`),
    "",
  ].join("\n");
}
