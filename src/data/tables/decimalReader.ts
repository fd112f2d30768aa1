/** Largest whole number up to which all are exact in float64. */
const EXACT = Number.MAX_SAFE_INTEGER;
/** Powers of ten that are exact in float64: 10^0 to 10^22. */
const POWERS = Float64Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));

const PLUS = 0x2b;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
const LOWER_E = 0x65;

/**
 * Reads decimal numbers (-1, 2.5, .5, 1e-3) from ASCII bytes without making text of them, correctly rounded. Space around a number is skipped.
 *
 * A number m 10^e with whole m below 2^53 and |e| at most 22 is one rounded operation on two exact numbers (W. D. Clinger: How to read floating
 * point numbers accurately, PLDI 1990, section 3).
 *
 * @param decimal byte before the fraction
 * @returns a function of the first byte and the byte after the last, whose result is NaN for other texts and for numbers beyond this rule
 */
export function decimalReader(bytes: Uint8Array, decimal: number): (from: number, to: number) => number {
  return (from, to) => {
    let at = from;
    let end = to;
    while (at < end && bytes[at]! <= 32) at++;
    while (at < end && bytes[end - 1]! <= 32) end--;
    const negative = bytes[at] === MINUS;
    if (negative || bytes[at] === PLUS) at++;
    const first = at;
    let mantissa = 0;
    let point = -1;
    for (; at < end; at++) {
      const byte = bytes[at]!;
      if (byte >= ZERO && byte <= NINE) mantissa = 10 * mantissa + (byte - ZERO);
      else if (byte === decimal && point < 0) point = at;
      else break;
    }
    const digits = at - first - (point < 0 ? 0 : 1);
    if (digits === 0 || mantissa > EXACT) return Number.NaN;
    const exponent = (point < 0 ? 0 : point + 1 - at) + (at < end ? wholeExponent(bytes, at, end) : 0);
    const size = Math.abs(exponent);
    if (!(size < POWERS.length)) return Number.NaN;
    const value = exponent < 0 ? mantissa / POWERS[size]! : mantissa * POWERS[size]!;
    return negative ? -value : value;
  };
}

/** The number after an e, or NaN. */
function wholeExponent(bytes: Uint8Array, from: number, end: number): number {
  if ((bytes[from]! | 0x20) !== LOWER_E) return Number.NaN;
  const negative = bytes[from + 1] === MINUS;
  const first = negative || bytes[from + 1] === PLUS ? from + 2 : from + 1;
  // Four digits are more than any number needs, and none is no exponent.
  if (first >= end || end - first > 4) return Number.NaN;
  let value = 0;
  for (let at = first; at < end; at++) {
    const digit = bytes[at]! - ZERO;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = 10 * value + digit;
  }
  return negative ? -value : value;
}
