/**
 * Object with these entries and without a prototype: names from files such as `__proto__`, `constructor` or `toString` are ordinary keys
 * for writing and reading.
 */
export function byName<T>(entries: Iterable<readonly [name: string, value: T]> = []): { [name: string]: T } {
  const result = Object.create(null) as { [name: string]: T };
  for (const [name, value] of entries) result[name] = value;
  return result;
}

/** The value of an own property of any object; undefined for inherited properties. */
export function valueNamed<T>(values: { readonly [name: string]: T }, name: string): T | undefined {
  return Object.hasOwn(values, name) ? values[name] : undefined;
}
