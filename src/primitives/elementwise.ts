import {
  broadcastShapes,
  type ElementType,
  type Primitive,
  type Shape,
  sameShape,
  type Value,
} from "../graph/index.ts";
import { reshape } from "./movement.ts";

/** The parts of a primitive that all elementwise operations share. P is the type of the parameters. */
type ElementwisePart = Pick<Primitive<unknown>, "elementwise" | "output" | "vectorize">;

/**
 * Shape and vectorization of an elementwise operation whose operands broadcast as NumPy's do.
 *
 * @param rebuild the operation on other operands
 * @param type of the result; that of the first operand by default
 */
export function elementwise(
  name: string,
  rebuild: (inputs: readonly Value[], params: never) => Value,
  type?: ElementType,
): ElementwisePart {
  return {
    elementwise: true,
    output: (inputs) => ({
      shape: broadcastShapes(
        name,
        inputs.map((input) => input.shape),
      ),
      type: type ?? inputs[inputs.length - 1].type,
    }),
    vectorize: (node, inputs, batched, size) =>
      rebuild(
        inputs.map((input, i) => (batched[i] ? alignLeading(input, node.shape.length, size) : input)),
        node.params as never,
      ),
  };
}

/** x of shape [K, ...s] as [K, 1, ..., 1, ...s] of rank + 1 axes, so that axis K stands before all axes of the other operands. */
function alignLeading(x: Value, rank: number, size: number): Value {
  const own = x.shape.slice(1);
  return reshape(x, [size, ...new Array<number>(rank - own.length).fill(1), ...own]);
}

/**
 * The operands without broadcasts that the operation does by itself: `x + broadcast(b)` is `x + b`. Undefined if there
 * are none.
 */
export function withoutBroadcasts(inputs: readonly Value[], shape: Shape): Value[] | undefined {
  const result = [...inputs];
  let changed = false;
  inputs.forEach((input, i) => {
    if (!input.primitive.broadcasts) return;
    const candidate = result.map((other, j) => (j === i ? input.inputs[0] : other));
    if (
      sameShape(
        broadcastShapes(
          "",
          candidate.map((value) => value.shape),
        ),
        shape,
      )
    ) {
      result[i] = input.inputs[0];
      changed = true;
    }
  });
  return changed ? result : undefined;
}
