import { roundHalfToEven } from "../uniformGrid.ts";

/** Exponent of the smallest normal number, bits of the fraction, and the largest finite number of float16. */
const LEAST_EXPONENT = -14;
const FRACTION_BITS = 10;
const LARGEST = 65504;

/** The nearest float16 number (IEEE 754 binary16), halves to even; infinite from 65520 on. */
export function roundToFloat16(x: number): number {
  if (x === 0 || !Number.isFinite(x)) return x;
  const exponent = Math.max(LEAST_EXPONENT, exponentOf(Math.abs(x)));
  const unit = 2 ** (exponent - FRACTION_BITS);
  const rounded = unit * roundHalfToEven(x / unit);
  return Math.abs(rounded) > LARGEST ? Math.sign(x) * Number.POSITIVE_INFINITY : rounded;
}

/** The e with 2^e <= x < 2^(e + 1). A logarithm may be off by one at powers of two. */
function exponentOf(x: number): number {
  const guess = Math.floor(Math.log2(x));
  if (2 ** guess > x) return guess - 1;
  return 2 ** (guess + 1) <= x ? guess + 1 : guess;
}
