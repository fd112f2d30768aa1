import type { ElementType, Shape, Value } from "../../src/graph/index.ts";
import type { Stream } from "../../src/random/index.ts";
import type { NdArray } from "./ndarray.ts";

/** An operand of a case: its shape and how its elements are drawn, away from where the function has no derivative. */
export interface Operand {
  readonly shape: Shape;
  readonly type: ElementType;
  draw(random: Stream, count: number): number[];
}

/** One use of a primitive, with what it should give by plain loops. */
export interface Case {
  readonly operands: readonly Operand[];
  readonly build: (...values: Value[]) => Value;
  readonly reference: (...operands: NdArray[]) => NdArray;
}

/** Cases that together reach every rule of a primitive. */
export type Sample = readonly Case[];

const each = (draw: (random: Stream) => number) => (random: Stream, count: number) =>
  Array.from({ length: count }, () => draw(random));

/** Numbers in [low, high]. */
export function between(low: number, high: number, shape: Shape): Operand {
  return { shape, type: "float", draw: each((random) => low + (high - low) * random.uniform()) };
}

/** Numbers in [-2, 2]. */
export function real(...shape: number[]): Operand {
  return between(-2, 2, shape);
}

/** Numbers in [0.5, 2]. */
export function positive(...shape: number[]): Operand {
  return between(0.5, 2, shape);
}

/** Numbers in [-2, 2] that keep 0.05 away from these. */
export function awayFrom(kinks: readonly number[], ...shape: number[]): Operand {
  const draw = (random: Stream): number => {
    const x = -2 + 4 * random.uniform();
    return kinks.some((kink) => Math.abs(x - kink) < 0.05) ? draw(random) : x;
  };
  return { shape, type: "float", draw: each(draw) };
}

/** Numbers at least 0.07 apart, in random order, those of different `offset` too. */
export function apart(offset: number, ...shape: number[]): Operand {
  return {
    shape,
    type: "float",
    draw(random, count) {
      const order = Array.from({ length: count }, () => random.uniform());
      const ranks = order.map((x) => order.filter((y) => y < x).length);
      return ranks.map((rank) => (rank - count / 2) * 0.16 + offset * 0.08 + 0.01 * random.uniform());
    },
  };
}

/** Small whole numbers as floats, of which many are equal. */
export function whole(...shape: number[]): Operand {
  return { shape, type: "float", draw: each((random) => random.integer(3) - 1) };
}

/** Integers low, ..., high - 1. */
export function integer(low: number, high: number, ...shape: number[]): Operand {
  return { shape, type: "int64", draw: each((random) => low + random.integer(high - low)) };
}

/** True and false. */
export function truth(...shape: number[]): Operand {
  return { shape, type: "bool", draw: each((random) => random.integer(2)) };
}
