import { scalar, type Value } from "../../../graph/index.ts";
import {
  abs,
  add,
  clip,
  div,
  exp,
  greater,
  hardSigmoid,
  relu,
  scale,
  sigmoid,
  softplus,
  sub,
  tanh,
  where,
} from "../../../primitives/index.ts";
import { type ImportedNode, unsupported } from "./importedNode.ts";

interface NamedActivation {
  /** Numbers that it takes, with the values they have otherwise. */
  readonly alpha?: number;
  readonly beta?: number;
  readonly apply: (x: Value, alpha: number, beta: number) => Value;
}

const ACTIVATIONS: Readonly<Record<string, NamedActivation>> = {
  Affine: { alpha: 1, beta: 0, apply: (x, alpha, beta) => add(scale(x, alpha), scalar(beta)) },
  Clip: { alpha: -Infinity, beta: Infinity, apply: (x, low, high) => clip(x, { low, high }) },
  Elu: {
    alpha: 1,
    apply(x, alpha) {
      const positive = greater(x, scalar(0));
      return where(positive, x, scale(sub(exp(where(positive, scalar(0), x)), scalar(1)), alpha));
    },
  },
  HardSigmoid: { alpha: 0.2, beta: 0.5, apply: (x, alpha, beta) => hardSigmoid(x, { alpha, beta }) },
  LeakyRelu: { alpha: 0.01, apply: (x, alpha) => where(greater(x, scalar(0)), x, scale(x, alpha)) },
  Relu: { apply: relu },
  ScaledTanh: { alpha: 1, beta: 1, apply: (x, alpha, beta) => scale(tanh(scale(x, beta)), alpha) },
  Sigmoid: { apply: sigmoid },
  Softplus: { apply: softplus },
  Softsign: { apply: (x) => div(x, add(scalar(1), abs(x))) },
  Tanh: { apply: tanh },
  ThresholdedRelu: { alpha: 1, apply: (x, alpha) => where(greater(x, scalar(alpha)), x, scalar(0)) },
};

/**
 * An activation function that an attribute names, with the next of the given numbers if it takes any, which are then gone.
 *
 * @throws CurvatureError "unsupported" for a name that the standard has not
 */
export function activationNamed(
  node: ImportedNode,
  name: string,
  numbers: { readonly alpha: number[]; readonly beta: number[] },
): (x: Value) => Value {
  // Names count without regard to upper and lower case.
  const key = Object.keys(ACTIVATIONS).find((each) => each.toLowerCase() === name.toLowerCase());
  if (key === undefined) {
    throw unsupported(node, `uses the activation ${name}; the standard has ${Object.keys(ACTIVATIONS).join(", ")}`);
  }
  const { alpha, beta, apply } = ACTIVATIONS[key];
  const a = alpha === undefined ? 0 : (numbers.alpha.shift() ?? alpha);
  const b = beta === undefined ? 0 : (numbers.beta.shift() ?? beta);
  return (x) => apply(x, a, b);
}

/** x through an activation function that an attribute names; as it is where the name is empty. */
export function activated(
  node: ImportedNode,
  x: Value,
  { name, parameters }: { readonly name: string; readonly parameters: readonly number[] },
): Value {
  if (name === "") return x;
  const [alpha, beta] = parameters;
  const numbers = { alpha: alpha === undefined ? [] : [alpha], beta: beta === undefined ? [] : [beta] };
  return activationNamed(node, name, numbers)(x);
}
