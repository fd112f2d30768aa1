import { CurvatureError } from "../../errors/index.ts";
import type { Stream } from "../../random/index.ts";
import { type Precision, type Vector, zeros } from "../../tensors/index.ts";
import { norm, scal } from "./vector.ts";

/** Fills a vector at random, one function for each distribution with `E[v v'] = I`. */
const DISTRIBUTIONS = {
  /** +1 or -1 with probability 1/2 each: the least variance for traces among independent entries (Hutchinson, 1990). */
  signs(v: Vector, stream: Stream): void {
    stream.signs(v);
  },
  /** Standard normal entries: the distribution is the same in every rotated basis. */
  gaussian(v: Vector, stream: Stream): void {
    for (let i = 0; i < v.length; i++) v[i] = stream.normal();
  },
  /** Uniform on the sphere of radius sqrt(n): a Gaussian vector without the noise of its length. */
  sphere(v: Vector, stream: Stream): void {
    DISTRIBUTIONS.gaussian(v, stream);
    scal(Math.sqrt(v.length) / norm(v), v);
  },
};

/** Distribution of random vectors, all with mean zero and covariance I. */
export type ProbeDistribution = keyof typeof DISTRIBUTIONS;

/** Random vector of n entries. */
export function probe(
  n: number,
  { distribution, stream, dtype }: { distribution: ProbeDistribution; stream: Stream; dtype: Precision },
): Vector {
  const v = zeros(n, dtype);
  fillProbe(v, { distribution, stream });
  return v;
}

/** Random vector written over v. */
export function fillProbe(
  v: Vector,
  { distribution, stream }: { readonly distribution: ProbeDistribution; readonly stream: Stream },
): void {
  DISTRIBUTIONS[distribution](v, stream);
}

/** Whether the direction of such a vector is uniform, so that of its part in any fixed subspace as well. */
export function isRotationInvariant(distribution: ProbeDistribution): boolean {
  return distribution !== "signs";
}

/** Refuses a distribution that does not exist. */
export function checkDistribution(name: string, distribution: string): void {
  if (!Object.hasOwn(DISTRIBUTIONS, distribution)) {
    const known = Object.keys(DISTRIBUTIONS).join(" or ");
    throw new CurvatureError("argument", `${name} expects distribution to be ${known}, got ${distribution}`);
  }
}
