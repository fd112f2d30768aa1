import { CurvatureError } from "../errors/index.ts";

/** The number that inputs are divided by, 1 by default, if one can divide by it. */
export function checkedScale(scale = 1): number {
  if (Number.isFinite(scale) && scale > 0) return scale;
  throw new CurvatureError(
    "argument",
    `expected scale to be a positive number that inputs are divided by (255 for pixels of a byte), got ${scale}`,
  );
}
