/** The one name that onnxruntime's JavaScript loses: it keeps outputs in plain objects, in which this is not a key. */
const LOST = "__proto__";
const INSTEAD = "engine __proto__";

/** The name under which the engine is given an output. */
export function engineName(name: string): string {
  return name === LOST ? INSTEAD : name;
}

/** The name of the output that the engine knows under this one. */
export function nameInModel(name: string): string {
  return name === INSTEAD ? LOST : name;
}
