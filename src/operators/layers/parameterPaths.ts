import type { Value } from "../../graph/index.ts";

/** The values that are reshaped, transposed or sliced parameters, each with the parameter's index. */
export function movedParameters(order: readonly Value[], parameters: readonly Value[]): ReadonlyMap<Value, number> {
  const moved = new Map(parameters.map((parameter, index) => [parameter, index]));
  for (const value of order) {
    const index = value.primitive.moves?.(value) ? moved.get(value.inputs[0]) : undefined;
    if (index !== undefined && !moved.has(value)) moved.set(value, index);
  }
  return moved;
}

/** A parameter, possibly reshaped, transposed or sliced, as the operand of another operation. */
export interface Entrance {
  readonly value: Value;
  readonly operand: number;
  readonly index: number;
}

/** All places where parameters enter an operation. */
export function entrances(order: readonly Value[], moved: ReadonlyMap<Value, number>): readonly Entrance[] {
  return order.flatMap((value) => {
    if (moved.has(value)) return [];
    return value.inputs.flatMap((input, operand): Entrance[] => {
      const index = moved.get(input);
      return index === undefined ? [] : [{ value, operand, index }];
    });
  });
}
