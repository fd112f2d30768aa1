import { CurvatureError } from "./curvatureError.ts";

/**
 * Checks that an argument of a public function is an object with certain members, for callers without a type checker.
 *
 * @param expected beginning of the message, for example "hessian expects a risk made by empiricalRisk"
 * @param members names of members that must exist and not be undefined
 * @throws CurvatureError "argument"
 */
export function checkObject(value: unknown, expected: string, members: readonly string[] = []): void {
  if (typeof value !== "object" || value === null) {
    throw new CurvatureError("argument", `${expected}, got ${value === null ? "null" : described(value)}`);
  }
  const missing = members.find((name) => (value as { readonly [name: string]: unknown })[name] === undefined);
  if (missing === undefined) return;
  const got = isPromise(value) ? described(value) : `${described(value)} without ${missing}`;
  throw new CurvatureError("argument", `${expected}, got ${got}`);
}

function described(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return "an array";
  if (isPromise(value)) return "a promise; write await before the call that makes it";
  if (typeof value === "object") return "an object";
  if (typeof value !== "function") return `the ${typeof value} ${String(value).slice(0, 40)}`;
  return value.name === "" ? "a function" : `the function ${value.name}; call it: ${value.name}(...)`;
}

function isPromise(value: unknown): boolean {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
