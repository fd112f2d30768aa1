/** Notation of numbers: with Unicode signs and non-breaking spaces for a page, or in ASCII for a terminal. */
export type Spelling = "page" | "terminal";

const SUPERSCRIPT: { readonly [digit: string]: string } = {
  "-": "⁻",
  "0": "⁰",
  "1": "¹",
  "2": "²",
  "3": "³",
  "4": "⁴",
  "5": "⁵",
  "6": "⁶",
  "7": "⁷",
  "8": "⁸",
  "9": "⁹",
};

/** Exponent of ten of the leading digit; 0 for 0. */
function magnitude(x: number): number {
  return x === 0 ? 0 : Number(Math.abs(x).toExponential(15).split("e")[1]);
}

function sign(text: string, spelling: Spelling): string {
  return spelling === "page" ? text.replace("-", "−") : text;
}

function grouped(text: string): string {
  const [whole = "", fraction] = text.split(".");
  const digits = whole.replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  return fraction === undefined ? digits : `${digits}.${fraction}`;
}

/** Formats a power of ten by its exponent: 10⁻³, 10⁰, 10⁴. */
export function formatPower(exponent: number): string {
  return `10${[...String(exponent)].map((digit) => SUPERSCRIPT[digit]).join("")}`;
}

function timesPower(exponent: number, spelling: Spelling): string {
  if (spelling === "terminal") return `e${exponent}`;
  return `\u00a0×\u00a010${[...String(exponent)].map((digit) => SUPERSCRIPT[digit]).join("")}`;
}

function nonfinite(x: number): string {
  return Number.isNaN(x) ? "unknown" : x > 0 ? "infinite" : "minus infinite";
}

/** True if plain decimal digits are more readable than a power of ten. */
function readsPlain(exponent: number): boolean {
  return exponent >= -4 && exponent < 6;
}

/** Formats a number with so many significant digits, keeping trailing zeros: 0.8043, 12,350, −1.493 × 10⁻⁵. */
export function formatNumber(x: number, digits = 4, spelling: Spelling = "page"): string {
  if (!Number.isFinite(x)) return nonfinite(x);
  if (x === 0) return "0";
  const rounded = Number(x.toPrecision(digits));
  const exponent = magnitude(rounded);
  if (readsPlain(exponent)) return sign(grouped(rounded.toFixed(Math.max(0, digits - 1 - exponent))), spelling);
  // Take both parts from one text: rounding can change the power of ten, as for 1.0e-76.
  const [leading = "", power] = rounded.toExponential(digits - 1).split("e");
  return sign(leading, spelling) + timesPower(Number(power), spelling);
}

/** Formats a whole number with separated thousands: 1,210. */
export function formatCount(n: number): string {
  return Number.isFinite(n) ? grouped(String(Math.round(n))) : nonfinite(n);
}

/** Formats a share as a percentage with two significant digits. Only exact values become 0 % or 100 %. */
export function formatShare(share: number): string {
  if (!Number.isFinite(share)) return nonfinite(share);
  const percent = share * 100;
  if (share > 0.99 && share < 1) return `${percent.toFixed(Math.min(12, Math.max(1, -magnitude(100 - percent))))} %`;
  return `${formatNumber(percent, Math.abs(percent) >= 100 ? 3 : 2)} %`;
}

/** Formats seconds: 0.84 s, 12.3 s, 4 min 10 s. */
export function formatSeconds(seconds: number): string {
  if (!Number.isFinite(seconds)) return nonfinite(seconds);
  if (seconds < 1) return `${formatNumber(seconds * 1000, 2)} ms`;
  if (seconds < 120) return `${formatNumber(seconds, 3)} s`;
  const whole = Math.round(seconds);
  if (whole < 7200) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.round((whole % 3600) / 60)} min`;
}

/**
 * Formats a number with its standard error: the error has two significant digits, and the number ends at the same decimal place: 4.97 ±
 * 0.12, (4.97 ± 0.12) × 10⁷. If the standard error is 0 (exact), only the number appears, with six digits.
 */
export function formatEstimate(value: number, standardError: number, spelling: Spelling = "page"): string {
  if (!Number.isFinite(value)) return nonfinite(value);
  if (standardError === 0) return formatNumber(value, 6, spelling);
  const between = spelling === "page" ? "\u00a0±\u00a0" : " +- ";
  if (!Number.isFinite(standardError)) return `${formatNumber(value, 2, spelling)}${between}unknown`;
  const error = Number(standardError.toPrecision(2));
  const exponent = Math.max(magnitude(value), magnitude(error));
  const shift = readsPlain(exponent) && magnitude(error) >= -7 ? 0 : exponent;
  const decimals = Math.max(0, Math.min(17, shift + 1 - magnitude(error)));
  const spell = (x: number) => {
    const text = (x / 10 ** shift).toFixed(decimals);
    return sign(grouped(Number(text) === 0 ? text.replace("-", "") : text), spelling);
  };
  const both = `${spell(value)}${between}${spell(error)}`;
  return shift === 0 ? both : `(${both})${timesPower(shift, spelling)}`;
}

/** Formats an eigenvalue with as many digits as its residual norm justifies, at least two and at most six. */
export function formatEigenvalue(value: number, residualNorm: number, spelling: Spelling = "page"): string {
  const warranted = residualNorm > 0 ? magnitude(value) - magnitude(residualNorm) + 1 : 6;
  return formatNumber(value, Math.min(6, Math.max(2, warranted)), spelling);
}

/** Shortens a name in its middle to so many characters. */
export function shortened(name: string, length: number): string {
  if (name.length <= length) return name;
  const tail = Math.ceil((length - 1) * 0.6);
  return `${name.slice(0, length - 1 - tail)}…${name.slice(-tail)}`;
}
