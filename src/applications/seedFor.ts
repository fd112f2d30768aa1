import { stream } from "../random/index.ts";

/** A seed of its own for each purpose; all matrices get the same probes, so that their differences are not those of the probes. */
export function seedFor(seed: number, ...path: readonly string[]): number {
  return stream(seed, "curvatureReport", ...path).integer(2 ** 31);
}
