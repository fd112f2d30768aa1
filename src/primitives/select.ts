import { apply, type ElementType, type Primitive, type Value } from "../graph/index.ts";
import { broadcast, filled, sumTo, zeros } from "./broadcast.ts";
import { elementwise, withoutBroadcasts } from "./elementwise.ts";

type Nothing = Record<string, never>;
const NOTHING: Nothing = {};

/** An elementwise operation with results true and false, which has no derivative. */
function comparison(name: string, op: string): (...operands: Value[]) => Value {
  const rebuild = (...operands: Value[]) => apply(primitive, operands, NOTHING);
  const primitive: Primitive<Nothing> = {
    name,
    ...elementwise(name, (operands) => rebuild(...operands), "bool"),
    simplify(inputs, _, { shape }) {
      const bare = withoutBroadcasts(inputs, shape);
      return bare && rebuild(...bare);
    },
    lower: ({ inputs }, context) =>
      context.node(
        op,
        inputs.map((x) => context.name(x)),
      ),
  };
  return rebuild;
}

/** a > b. */
export const greater: (a: Value, b: Value) => Value = comparison("greater", "Greater");
/** a >= b. */
export const greaterOrEqual: (a: Value, b: Value) => Value = comparison("greaterOrEqual", "GreaterOrEqual");
/** a < b. */
export const less: (a: Value, b: Value) => Value = comparison("less", "Less");
/** a <= b. */
export const lessOrEqual: (a: Value, b: Value) => Value = comparison("lessOrEqual", "LessOrEqual");
/** a = b. */
export const equal: (a: Value, b: Value) => Value = comparison("equal", "Equal");
/** Whether an element is not a number. */
export const isNaN: (x: Value) => Value = comparison("isNaN", "IsNaN");
/** Negation of booleans. */
export const not: (x: Value) => Value = comparison("not", "Not");
/** Conjunction of booleans. */
export const and: (a: Value, b: Value) => Value = comparison("and", "And");
/** Disjunction of booleans. */
export const or: (a: Value, b: Value) => Value = comparison("or", "Or");

const wherePrimitive: Primitive<Nothing> = {
  name: "where",
  selects: true,
  ...elementwise("where", ([condition, a, b]) => where(condition, a, b)),
  simplify(inputs, _, { shape }) {
    const [, a, b] = inputs;
    if (a === b) return broadcast(a, shape);
    if (a.uniform !== undefined && a.uniform === b.uniform && a.type === "float") return filled(shape, a.uniform);
    const bare = withoutBroadcasts(inputs, shape);
    return bare && where(bare[0], bare[1], bare[2]);
  },
  flatAtZero: ({ inputs: [, a, b] }, isFlat) => [a, b].every((branch) => branch.uniform === 0 || isFlat(branch)),
  jvp({ inputs: [condition], shape }, [, da, db]) {
    return broadcast(where(condition, da ?? zeros([]), db ?? zeros([])), shape);
  },
  transpose: ({ inputs: [condition, a, b] }, c, [, la, lb]) => [
    null,
    la ? sumTo(where(condition, c, zeros([])), a.shape) : null,
    lb ? sumTo(where(condition, zeros([]), c), b.shape) : null,
  ],
  lower: ({ inputs }, context) =>
    context.node(
      "Where",
      inputs.map((x) => context.name(x)),
    ),
};

/** a where the condition holds, else b; elementwise with broadcasting. */
export function where(condition: Value, a: Value, b: Value): Value {
  return apply(wherePrimitive, [condition, a, b], NOTHING);
}

interface CastParams {
  readonly type: ElementType;
}

/** Codes of element types in ONNX (TensorProto.DataType). */
const ONNX_TYPES: Readonly<Record<Exclude<ElementType, "float">, number>> = {
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  uint32: 12,
  uint64: 13,
};

const castPrimitive: Primitive<CastParams> = {
  name: "cast",
  output: ([x], { type }) => ({ shape: x.shape, type }),
  simplify: ([x], { type }) => (x.type === type ? x : undefined),
  jvp: ({ params: { type } }, [dx]) => cast(dx!, type),
  transpose: ({ inputs: [x] }, c) => [cast(c, x.type)],
  vectorize: ({ params: { type } }, [x]) => cast(x, type),
  lower({ inputs: [x], params: { type } }, context) {
    const code = type === "float" ? (context.precision === "float64" ? 11 : 1) : ONNX_TYPES[type];
    return context.node("Cast", [context.name(x)], { to: { int: code } });
  },
};

/** x in another element type; true and false become 1 and 0. */
export function cast(x: Value, type: ElementType): Value {
  return apply(castPrimitive, [x], { type });
}

/** 1 where the condition holds, else 0. */
export function indicator(condition: Value): Value {
  return cast(condition, "float");
}
