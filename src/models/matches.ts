/** A name, a name with `*` for any characters, or a regular expression. */
export type Pattern = string | RegExp;

/** Whether a name matches one of the patterns. */
export function matches(name: string, patterns: readonly Pattern[]): boolean {
  return patterns.some((pattern) => (typeof pattern === "string" ? wildcard(pattern).test(name) : pattern.test(name)));
}

function wildcard(pattern: string): RegExp {
  const escaped = pattern.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*");
  return new RegExp(`^${escaped}$`);
}
