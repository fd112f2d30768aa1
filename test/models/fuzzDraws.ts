import type { Stream } from "../../src/random/index.ts";

/** Numbers that break what was not made for them. */
export const NUMBERS: readonly number[] = [
  0,
  1,
  -1,
  2,
  3,
  7,
  255,
  65536,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32,
  -(2 ** 31),
  2 ** 40,
  2 ** 53,
  2 ** 62,
  2 ** 63,
  -(2 ** 63),
];

/** Random choices of one case. */
export interface Draws {
  readonly pick: <T>(list: readonly T[]) => T;
  /** True with this probability. */
  readonly chance: (probability: number) => boolean;
  /** From 0 to below the bound. */
  readonly below: (bound: number) => number;
  /** A number that is mostly small, sometimes one of `NUMBERS`. */
  readonly number: () => number;
}

export function drawsFrom(random: Stream): Draws {
  const pick = <T>(list: readonly T[]): T => list[random.integer(list.length)]!;
  const below = (bound: number) => random.integer(bound);
  return {
    pick,
    chance: (probability) => random.uniform() < probability,
    below,
    number: () => (random.uniform() < 0.5 ? below(6) : pick(NUMBERS)),
  };
}
