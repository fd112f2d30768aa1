import { CurvatureError } from "../errors/index.ts";

/** Checks the number by which inputs are divided, 1 by default. */
export function checkedScale(scale = 1): number {
  if (Number.isFinite(scale) && scale > 0) return scale;
  throw new CurvatureError(
    "argument",
    `expected scale to be a positive number that inputs are divided by (255 for pixels of a byte), got ${scale}`,
  );
}
