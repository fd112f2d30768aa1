import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { xoroshiro128plusFromState } from "pure-rand/generator/xoroshiro128plus";

/**
 * Reproducible source of random numbers. A stream is identified by a seed and a path of names: `stream(seed, "probes", 3)` and
 * `stream(seed, "labels", 3)` are independent, and neither depends on earlier draws from other streams.
 */
export interface Stream {
  /** Uniform in [0, 1), 53 random bits. */
  uniform(): number;
  /** Standard normal (Box and Muller, 1958). */
  normal(): number;
  /** +1 or -1 with probability 1/2 each (Rademacher). */
  sign(): number;
  /** Fills an array with the numbers that repeated calls of `sign` would return. */
  signs(target: Float32Array | Float64Array): void;
  /** Uniform among 0, 1, ..., bound - 1. */
  integer(bound: number): number;
}

/** Signs drawn from one word of the generator. */
const SIGN_BITS = 31;

/** Mixes one more 32-bit word into a hash (finalizer of MurmurHash3 by A. Appleby). */
function mix(hash: number, word: number): number {
  let h = Math.imul(hash ^ word, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function hashPath(salt: number, seed: number, path: readonly (string | number)[]): number {
  let hash = mix(mix(mix(0x9e3779b9, salt), seed >>> 0), Math.floor(seed / 2 ** 32) >>> 0);
  for (const part of path) {
    if (typeof part === "number") hash = mix(mix(hash, part >>> 0), Math.floor(part / 2 ** 32) >>> 0);
    else for (let i = 0; i < part.length; i++) hash = mix(hash, part.charCodeAt(i));
    hash = mix(hash, 0x5bd1e995);
  }
  return hash;
}

/**
 * Stream of random numbers for this seed and this path of names and indices. The same seed and path give the same numbers.
 *
 * @param seed any finite number; integers up to 2^53 give different streams
 */
export function stream(seed: number, ...path: readonly (string | number)[]): Stream {
  // Hash four words separately: the generator's own seeding from one word leaves its first outputs correlated.
  const generator = xoroshiro128plusFromState([1, 2, 3, 4].map((salt) => hashPath(salt, seed, path) | 0));
  let spare: number | undefined;
  const uniform = () => uniformFloat64(generator);
  return {
    uniform,
    normal() {
      if (spare !== undefined) {
        const value = spare;
        spare = undefined;
        return value;
      }
      const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
      const angle = 2 * Math.PI * uniform();
      spare = radius * Math.sin(angle);
      return radius * Math.cos(angle);
    },
    ...signSource(() => generator.next()),
    integer: (bound) => Math.floor(uniform() * bound),
  };
}

/** Signs from the bits of one word after the other. */
function signSource(next: () => number): Pick<Stream, "sign" | "signs"> {
  let bits = 0;
  let bitsLeft = 0;
  const refill = () => {
    if (bitsLeft > 0) return;
    bits = next();
    bitsLeft = SIGN_BITS;
  };
  return {
    sign() {
      refill();
      const sign = bits & 1 ? 1 : -1;
      bits >>= 1;
      bitsLeft--;
      return sign;
    },
    signs(target) {
      let i = 0;
      while (i < target.length) {
        refill();
        const count = Math.min(bitsLeft, target.length - i);
        const word = bits;
        for (let j = 0; j < count; j++) target[i + j] = 2 * ((word >>> j) & 1) - 1;
        i += count;
        bits >>= count;
        bitsLeft -= count;
      }
    },
  };
}
