/**
 * Object with these entries and without a prototype: names that come from files (`__proto__`, `constructor`, `toString`) are
 * keys like any other, when it is written to and when it is read.
 */
export function byName<T>(entries: Iterable<readonly [name: string, value: T]> = []): { [name: string]: T } {
  const result = Object.create(null) as { [name: string]: T };
  for (const [name, value] of entries) result[name] = value;
  return result;
}

/** The value of a name in an object that anybody made; undefined for what the object only inherits. */
export function valueNamed<T>(values: { readonly [name: string]: T }, name: string): T | undefined {
  return Object.hasOwn(values, name) ? values[name] : undefined;
}
