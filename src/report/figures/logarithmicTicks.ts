import { formatNumber, formatPower } from "../format.ts";

/** Whole exponents of ten between two exponents, reduced to at most so many. */
export function wholeExponents(low: number, high: number, most = 7): readonly number[] {
  const first = Math.ceil(low - 1e-9);
  const count = Math.floor(high + 1e-9) - first + 1;
  const step = Math.max(1, Math.ceil(count / most));
  const exponents = Array.from({ length: Math.max(0, count) }, (_, i) => first + i);
  return exponents.filter((exponent) => exponent % step === 0);
}

/** Labels for powers of ten on one axis by their exponents: all in plain digits if these are short, else all as powers. */
export function powerLabels(exponents: readonly number[]): (exponent: number) => string {
  const plain = exponents.every((exponent) => exponent >= -3 && exponent <= 4);
  return (exponent) => (plain ? formatNumber(10 ** exponent, 1) : formatPower(exponent));
}

/** Tick label of a linear axis: no more digits than it needs, with a true minus sign. */
export function linearLabel(value: number): string {
  const short = Number(value.toPrecision(6));
  return formatNumber(short, digitsOf(short));
}

/** Number of significant digits that represent a number exactly. */
function digitsOf(value: number): number {
  return value.toExponential().split("e")[0]?.replace(/[-.]/g, "").length ?? 1;
}

/**
 * A logarithmic axis for values that are all positive and span more than a factor of five: its domain with a margin, ticks at powers of ten
 * (or at 1, 2, 5 if it contains fewer than two) and their labels. Undefined for other values.
 */
export function logarithmicScale(values: readonly number[]) {
  const finite = values.filter(Number.isFinite);
  const low = Math.min(...finite);
  const high = Math.max(...finite);
  if (!(low > 0 && high / low > 5)) return undefined;
  const air = (high / low) ** 0.06;
  const domain: [number, number] = [low / air, high * air];
  const powers = wholeExponents(Math.log10(domain[0]), Math.log10(domain[1]), 6);
  if (powers.length <= 2) return { type: "log" as const, domain, ticks: oneTwoFive(domain), tickFormat: linearLabel };
  const label = powerLabels(powers);
  const tickFormat = (value: number) => label(Math.round(Math.log10(value)));
  return { type: "log" as const, domain, ticks: powers.map((exponent) => 10 ** exponent), tickFormat };
}

function oneTwoFive([low, high]: readonly [number, number]): readonly number[] {
  const exponents = wholeExponents(Math.floor(Math.log10(low)), Math.ceil(Math.log10(high)), 20);
  const ticks = exponents.flatMap((exponent) => [1, 2, 5].map((digit) => Number(`${digit}e${exponent}`)));
  return ticks.filter((tick) => tick >= low && tick <= high);
}
