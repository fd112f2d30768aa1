import { CurvatureError } from "../errors/index.ts";
import type { Stream } from "../random/index.ts";
import { type Precision, type Vector, zeros } from "../tensors/index.ts";

/** One entry of a random vector, for each distribution with `E[v v'] = I`. */
const ENTRIES = {
  /** +1 or -1 with probability 1/2 each: the least variance for traces among independent entries (Hutchinson, 1990). */
  signs: (stream: Stream) => stream.sign(),
  /** Standard normal: the distribution is the same in every rotated basis. */
  gaussian: (stream: Stream) => stream.normal(),
};

/** Distribution of random vectors, all with mean zero and covariance I. */
export type ProbeDistribution = keyof typeof ENTRIES;

/** Random vector of n independent entries. */
export function probe(
  n: number,
  { distribution, stream, dtype }: { distribution: ProbeDistribution; stream: Stream; dtype: Precision },
): Vector {
  const entry = ENTRIES[distribution];
  const v = zeros(n, dtype);
  for (let i = 0; i < n; i++) v[i] = entry(stream);
  return v;
}

/** Refuses a distribution that does not exist. */
export function checkDistribution(name: string, distribution: string): void {
  if (!Object.hasOwn(ENTRIES, distribution)) {
    const known = Object.keys(ENTRIES).join(" or ");
    throw new CurvatureError("argument", `${name} expects distribution to be ${known}, got ${distribution}`);
  }
}
