/** A predicted change of the loss, and the measured one. */
export interface PredictedChange {
  /** g'd, with the gradient g at the weights: 0 at a minimum. */
  readonly linear: number;
  /** d' A d / 2. */
  readonly halfQuadratic: number;
  /** Their sum, the change of the loss to second order. */
  readonly predicted: number;
  /** The loss with these weights minus the loss before. */
  readonly measured: number;
  /**
   * Whether the quadratic model holds: prediction and measurement differ by at most half of the larger of both, or by at most a hundredth of the
   * loss before.
   */
  readonly isQuadratic: boolean;
}

/** Differences up to this share of the larger change are within the quadratic range. */
const SHARE = 0.5;

/** Differences up to this share of the loss do not matter. */
const NEGLIGIBLE = 1e-2;

/** A prediction with its measurement. */
export function predictedChange({
  linear,
  halfQuadratic,
  measured,
  loss,
}: {
  readonly linear: number;
  readonly halfQuadratic: number;
  readonly measured: number;
  readonly loss: number;
}): PredictedChange {
  const predicted = linear + halfQuadratic;
  const difference = Math.abs(predicted - measured);
  const bound = Math.max(SHARE * Math.max(Math.abs(predicted), Math.abs(measured)), NEGLIGIBLE * Math.abs(loss));
  return { linear, halfQuadratic, predicted, measured, isQuadratic: difference <= bound };
}
