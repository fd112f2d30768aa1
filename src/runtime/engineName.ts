/** The one name that onnxruntime's JavaScript loses: it keeps outputs in plain objects, where `__proto__` is not a key. */
const LOST = "__proto__";
const INSTEAD = "engine __proto__";

/** The name of an output in the engine. */
export function engineName(name: string): string {
  return name === LOST ? INSTEAD : name;
}

/** The name of the output whose name in the engine this is. */
export function nameInModel(name: string): string {
  return name === INSTEAD ? LOST : name;
}
