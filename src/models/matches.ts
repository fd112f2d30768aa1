import { CurvatureError } from "../errors/index.ts";

/** A name, a name with `*` for any characters, or a regular expression. */
export type Pattern = string | RegExp;

/**
 * Whether a name matches one of the patterns. A regular expression is asked whether it occurs in the name, each time anew: its flags `g` and
 * `y`, with which an expression remembers where its last match ended, have no meaning here.
 */
export function matches(name: string, patterns: readonly Pattern[]): boolean {
  return patterns.some((pattern) =>
    typeof pattern === "string" ? matchesWildcard(name, pattern) : withoutMemory(pattern).test(name),
  );
}

function withoutMemory(expression: RegExp): RegExp {
  if (!(expression instanceof RegExp)) {
    const got = expression === null ? "null" : `${typeof expression} ${String(expression)}`;
    throw new CurvatureError("argument", `expected names, names with * or regular expressions, got ${got}`);
  }
  if (!expression.global && !expression.sticky) return expression;
  return new RegExp(expression.source, expression.flags.replace(/[gy]/g, ""));
}

/**
 * Whether a pattern with `*` matches a whole name, in time proportional to their lengths: each piece between two stars is looked for from
 * where the last one ended, and its first occurrence is as good as any later one.
 */
function matchesWildcard(name: string, pattern: string): boolean {
  const [first = "", ...pieces] = pattern.split("*");
  const last = pieces.pop();
  if (last === undefined) return name === pattern;
  if (!name.startsWith(first)) return false;
  let place = first.length;
  for (const piece of pieces) {
    const found = name.indexOf(piece, place);
    if (found < 0) return false;
    place = found + piece.length;
  }
  return name.length - last.length >= place && name.endsWith(last);
}
