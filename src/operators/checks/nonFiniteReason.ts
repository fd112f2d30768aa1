import type { Precision } from "../../tensors/index.ts";
import type { NonFiniteOrigin } from "./nonFiniteOrigin.ts";

/** The cause of a number that is not finite, and the remedy. */
interface Reason {
  readonly what: string;
  readonly remedy: string;
}

const AWAY = "keep it away from there (add a small number, or choose another branch where it is so)";

/** One clause that explains a number that is not finite: where it arises, why, and the remedy. */
export function reasonOf(origin: NonFiniteOrigin, dtype: Precision): string {
  const { node, isDerivative, of } = origin;
  const { what, remedy } = reason(origin, dtype);
  const at = of === undefined || of.operands.length === 0 ? "" : ` at ${of.operands.map(shown).join(" and ")}`;
  const where = isDerivative ? `the derivative of ${node}${at}` : node;
  return `${where} is ${what}; ${remedy}`;
}

function reason(origin: NonFiniteOrigin, dtype: Precision): Reason {
  const rule = Object.hasOwn(RULES, origin.primitive) ? RULES[origin.primitive] : undefined;
  return rule?.(origin) ?? otherwise(origin, dtype);
}

/** Reasons by primitive; undefined if the operands do not explain the result. */
const RULES: { readonly [primitive: string]: (origin: NonFiniteOrigin) => Reason | undefined } = {
  div: ({ operands: [a, b] }) => (b === 0 ? { what: `${shown(a)} / 0, a division by 0`, remedy: AWAY } : undefined),
  reciprocal: ({ operands: [x] }) => (x === 0 ? { what: "1 / 0, a division by 0", remedy: AWAY } : undefined),
  log: ({ operands: [x] }) => (x <= 0 ? { what: `the logarithm of ${shown(x)}`, remedy: AWAY } : undefined),
  sqrt: ({ operands: [x] }) => (x < 0 ? { what: `the square root of ${shown(x)}`, remedy: AWAY } : undefined),
  pow: ({ operands: [x], params }) => powerReason(x, (params as { readonly exponent: number }).exponent),
  power: ({ operands: [x, y] }) => powerReason(x, y),
  exp: ({ operands: [x] }) => (x > 0 ? overflowOfExp(x) : undefined),
  maskedSoftmax: fullyMasked,
  softmax: fullyMasked,
  logSoftmax: fullyMasked,
  mul: ({ operands: [a, b] }) => (a === 0 || b === 0 ? { what: "0 times infinity", remedy: AWAY } : undefined),
};

function powerReason(x: number, exponent: number): Reason | undefined {
  const isOutside = x < 0 && !Number.isInteger(exponent);
  const isPole = x === 0 && exponent < 0;
  return isOutside || isPole ? { what: `${shown(x)} to the power ${shown(exponent)}`, remedy: AWAY } : undefined;
}

/** Exponents beyond which e^x overflows float64. */
const LARGEST_EXPONENT = Math.log(Number.MAX_VALUE);

function overflowOfExp(x: number): Reason {
  const precise = x <= LARGEST_EXPONENT ? 'use dtype: "float64" (--dtype float64), or ' : "";
  return {
    what: `e to the power ${shown(x)}, which overflows`,
    remedy: `${precise}subtract the largest exponent first, as logsumexp and softmax do`,
  };
}

function fullyMasked({ result, operands: [x] }: NonFiniteOrigin): Reason | undefined {
  if (!Number.isNaN(result) || x !== Number.NEGATIVE_INFINITY) return undefined;
  return {
    what: "taken over numbers that are all minus infinity, a fully masked row",
    remedy: "leave one element of it unmasked, or leave such rows out of the data",
  };
}

function otherwise({ primitive, operands, result }: NonFiniteOrigin, dtype: Precision): Reason {
  const from = operands.length === 0 ? "" : ` for ${operands.map(shown).join(" and ")}`;
  const remedy =
    dtype === "float32" ? 'if it is an overflow, use dtype: "float64" (--dtype float64)' : "look at its operands";
  return { what: `${Number.isNaN(result) ? "not a number" : shown(result)} (${primitive}${from})`, remedy };
}

function shown(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "infinity";
  if (value === Number.NEGATIVE_INFINITY) return "minus infinity";
  return Number.isNaN(value) ? "not a number" : String(Number(value.toPrecision(6)));
}
