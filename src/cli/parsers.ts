import { InvalidArgumentError } from "commander";
import { type ApproximationName, approximationNames, type MatrixName, matrixNamed, matrixNames } from "../index.ts";

/** Reads a whole number of at least `least`. */
export function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text.trim()) && Number.isSafeInteger(value) && value >= least) return value;
    throw new InvalidArgumentError(`Expected a whole number of at least ${least}.`);
  };
}

/** Reads a positive number. */
export function positiveNumber(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value) && value > 0) return value;
  throw new InvalidArgumentError("Expected a positive number.");
}

/** Reads zero or a positive number. */
export function nonnegativeNumber(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value) && value >= 0) return value;
  throw new InvalidArgumentError("Expected zero or a positive number.");
}

/** Reads the axes of a picture: `HxW`, or `CxHxW` with one or three channels. */
export function pictureDims(text: string): {
  readonly channels: 1 | 3;
  readonly height: number;
  readonly width: number;
} {
  const [, channels = "1", height, width] = /^(?:([13])x)?([1-9]\d{0,4})x([1-9]\d{0,4})$/.exec(text.trim()) ?? [];
  if (height === undefined) {
    throw new InvalidArgumentError("Expected HxW or CxHxW with C 1 or 3, for example 28x28 or 3x32x32.");
  }
  return { channels: channels === "3" ? 3 : 1, height: Number(height), width: Number(width) };
}

/** Reads a number. */
export function finiteNumber(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value)) return value;
  throw new InvalidArgumentError("Expected a number.");
}

/** Reads numbers separated by commas. */
export function numberList(text: string): readonly number[] {
  const cells = text.split(",").map((cell) => cell.trim());
  if (cells.every((cell) => cell !== "" && Number.isFinite(Number(cell)))) return cells.map(Number);
  throw new InvalidArgumentError("Expected numbers separated by commas.");
}

/** Reads the size of an image: one side in pixels, or `WIDTHxHEIGHT`, which becomes [height, width]. */
export function imageSize(text: string): number | readonly [height: number, width: number] {
  const [, first, second] = /^([1-9]\d*)(?:x([1-9]\d*))?$/.exec(text.trim()) ?? [];
  if (first === undefined) throw new InvalidArgumentError("Expected pixels, as 224 or 320x240 (width x height).");
  return second === undefined ? Number(first) : [Number(second), Number(first)];
}

/** Reads names separated by commas. */
export function commaList(text: string): readonly string[] {
  const names = text.split(",").map((name) => name.trim());
  if (!names.includes("") && new Set(names).size === names.length) return names;
  throw new InvalidArgumentError("Expected different names separated by commas.");
}

/** Reads a number of bytes: `2GB`, `500 MB`, `1.5G` (powers of 1000), `2GiB` (powers of 1024), or `none` for no limit. */
export function byteSize(text: string): number {
  if (text.trim().toLowerCase() === "none") return Number.POSITIVE_INFINITY;
  const [, digits, prefix = "", binary] = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?$/i.exec(text.trim()) ?? [];
  const bytes = Math.floor(Number(digits) * (binary ? 1024 : 1000) ** " kmgt".indexOf(prefix.toLowerCase() || " "));
  if (bytes >= 1 && !(binary && prefix === "")) return bytes;
  throw new InvalidArgumentError("Expected a number of bytes, for example 500MB or 2GB, or none.");
}

/** Reads `A:B`, `A:` or `:B`: row A is the first included, row B the first excluded, both counted from 0. */
export function rowRange(text: string): readonly [from: number, to?: number] {
  const match = /^(\d*):(\d*)$/.exec(text.trim());
  const from = Number(match?.[1] ?? 0);
  const to = match?.[2] ? Number(match[2]) : undefined;
  if (match === null || text.trim() === ":" || (to !== undefined && to <= from)) {
    throw new InvalidArgumentError("Expected A:B with A < B, for example 0:1000, or A: or :B.");
  }
  return to === undefined ? [from] : [from, to];
}

/** Reads names of matrices separated by commas. */
export function matrixList(text: string): readonly MatrixName[] {
  const names = text.split(",").map((name) => name.trim());
  return names.map((name) => {
    const known = matrixNamed(name);
    if (known !== undefined) return known;
    throw new InvalidArgumentError(
      `Expected names among ${matrixNames.join(", ")}, separated by commas; got "${name}".`,
    );
  });
}

/** Reads names of structured approximations separated by commas. */
export function approximationList(text: string): readonly ApproximationName[] {
  return text.split(",").map((part) => {
    const name = part.trim().toLowerCase();
    const known = approximationNames.find((each) => each.toLowerCase() === name);
    if (known !== undefined) return known;
    throw new InvalidArgumentError(
      `Expected names among ${approximationNames.join(", ")}, separated by commas; got "${part.trim()}".`,
    );
  });
}

/** Reads a name, a name with `*`, or a regular expression between slashes, and appends it to the previous ones. */
export function patternList(text: string, before: readonly (string | RegExp)[] = []): readonly (string | RegExp)[] {
  return [...before, pattern(text)];
}

function pattern(text: string): string | RegExp {
  const body = /^\/(.+)\/$/.exec(text)?.[1];
  if (body === undefined) return text;
  try {
    return new RegExp(body);
  } catch {
    throw new InvalidArgumentError(`Expected a regular expression between the slashes.`);
  }
}

/** Appends a name to the previous ones. */
export function nameList(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

/** Reads `NAME=FILE` and adds the entry to the previous ones. */
export function namedFile(
  text: string,
  before: { readonly [name: string]: string } = {},
): { readonly [name: string]: string } {
  const [, name, file] = /^([^=]+)=(.+)$/s.exec(text) ?? [];
  if (name === undefined || file === undefined) throw new InvalidArgumentError("Expected NAME=FILE.");
  if (Object.hasOwn(before, name)) throw new InvalidArgumentError(`Input "${name}" is given twice.`);
  return { ...before, [name]: file };
}

/** Reads `NAME=3,32,32` and adds the entry to the previous ones. */
export function namedShape(
  text: string,
  before: { readonly [name: string]: readonly number[] } = {},
): { readonly [name: string]: readonly number[] } {
  const [, name, list] = /^([^=]+)=(\d+(?:,\d+)*)$/.exec(text.trim()) ?? [];
  const dims = list?.split(",").map(Number) ?? [];
  if (name === undefined || dims.some((dim) => dim < 1)) {
    throw new InvalidArgumentError("Expected NAME=SIZES, for example x=3,32,32.");
  }
  return { ...before, [name]: dims };
}

/** Reads `NAME=NUMBER` or `NAME=FILE` and adds the entry to the previous ones. */
export function namedBinding(
  text: string,
  before: { readonly [name: string]: number | string } = {},
): { readonly [name: string]: number | string } {
  const [, name, given] = /^([^=]+)=(.+)$/s.exec(text.trim()) ?? [];
  if (name === undefined || given === undefined || given.trim() === "") {
    throw new InvalidArgumentError("Expected NAME=NUMBER or NAME=FILE, for example sr=16000 or edge_index=edges.npy.");
  }
  if (Object.hasOwn(before, name)) throw new InvalidArgumentError(`"${name}" is bound twice.`);
  const value = Number(given);
  return { ...before, [name]: Number.isFinite(value) ? value : given };
}
