import { CurvatureError } from "../errors/index.ts";
import { dependents, sameShape, topologicalOrder, type Value, withOrigin } from "../graph/index.ts";
import { add } from "../primitives/index.ts";
import { formatDims } from "../tensors/index.ts";

/**
 * Forward mode: tangents of the outputs for tangents of the variables, `null` for an output that does not depend on them (or only through
 * integers and booleans). Any values can be variables, not only inputs. If one variable depends on another, the two are treated as
 * independent, unless tangents are `additive`.
 *
 * @throws CurvatureError "unsupported" if an operation between variables and outputs has no derivative rule, "shape" for tangents whose
 *   shape is not that of their variable
 */
export function jvp(
  outputs: readonly Value[],
  variables: readonly Value[],
  tangents: readonly (Value | null)[],
  { additive = false }: JvpOptions = {},
): (Value | null)[] {
  const own = new Map<Value, Value | null>(variables.map((variable, i) => [variable, tangents[i]]));
  const known = new Map<Value, Value | null>();
  variables.forEach((variable, i) => {
    const tangent = tangents[i];
    if (tangent && !sameShape(tangent.shape, variable.shape)) {
      throw new CurvatureError(
        "shape",
        `jvp: a variable of shape ${formatDims(variable.shape)} needs a tangent of that shape, got ${formatDims(tangent.shape)}`,
      );
    }
    if (!additive) known.set(variable, tangent);
  });
  const order = topologicalOrder(outputs, new Set(additive ? [] : variables));
  const moving = dependents(order, variables);
  for (const value of order) {
    if (!moving.has(value) || known.has(value)) continue;
    const added = own.get(value) ?? null;
    const carried = tangentOf(value, known);
    known.set(value, added && carried ? add(carried, added) : (carried ?? added));
  }
  return outputs.map((output) => known.get(output) ?? null);
}

/** Interpretation of tangents. */
export interface JvpOptions {
  /** Whether the tangent of a variable is added to the tangent that other variables cause in it. Default false. */
  readonly additive?: boolean;
}

function tangentOf(value: Value, known: ReadonlyMap<Value, Value | null>): Value | null {
  if (value.type !== "float") return null;
  const tangents = value.inputs.map((input) => known.get(input) ?? null);
  if (tangents.every((tangent) => tangent === null)) return null;
  const { jvp: rule, name } = value.primitive;
  if (rule === undefined) throw new CurvatureError("unsupported", `internal: primitive ${name} has no derivative rule`);
  const tangent = withOrigin(value, () => value.primitive.jvp!(value, tangents));
  return tangent === null || tangent.uniform === 0 ? null : tangent;
}
