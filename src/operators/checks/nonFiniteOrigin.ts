import { constantTensor, isInput, sameShape, topologicalOrder, type Value } from "../../graph/index.ts";
import type { Tensor, Vector } from "../../tensors/index.ts";
import type { BatchGraph, BatchProduct, Tensors } from "../engine/risk.ts";
import type { BoundData } from "../engine/riskData.ts";
import { summedLoss } from "../products/lossAndGradient.ts";
import type { NonFiniteCall, NonFiniteSource } from "./nonFiniteRows.ts";

/** Largest number of values of a graph that is searched, because the search holds all of them in memory. */
const MOST_VALUES = 20_000;

/** The operation where a non-finite number first arises: its operands are finite, or explain the result themselves. */
export interface NonFiniteOrigin {
  /** Operator and name of the node; the primitive if there is no file; "the loss" with its name for operations after the model. */
  readonly node: string;
  /** Whether the operation is part of the node's derivative. */
  readonly isDerivative: boolean;
  readonly primitive: string;
  readonly result: number;
  /** For elementwise operations, the operands of this element; for others, their extreme numbers. */
  readonly operands: readonly number[];
  /** Parameters of the primitive. */
  readonly params: unknown;
  /** For a derivative: the primitive that was differentiated, with the operands of the element if there is one. */
  readonly of?: { readonly primitive: string; readonly operands: readonly number[] };
}

/**
 * Evaluates all intermediate values of a product for some rows, and traces a result that is not finite back to the first such value.
 * Undefined where the results are finite here, or the graph is too large.
 */
export async function nonFiniteOrigin(
  source: NonFiniteSource,
  { bound, call }: { readonly bound: BoundData; readonly call: NonFiniteCall },
): Promise<NonFiniteOrigin | undefined> {
  const traced = tracedProduct(call.product);
  const view = source.family.engine.view({ ...source, bound });
  const { vectors } = call;
  let evaluated: Evaluated | undefined;
  try {
    await view.run(traced.product, {
      ...(vectors && { feed: () => vectors }),
      collect: (outputs) => {
        evaluated = traced.evaluated(outputs);
      },
    });
  } catch {
    return undefined;
  } finally {
    await view.release();
  }
  return evaluated && originIn(evaluated);
}

/** A graph with its values' numbers. */
interface Evaluated {
  readonly batch: BatchGraph;
  readonly results: readonly Value[];
  readonly numbers: ReadonlyMap<Value, Tensor>;
}

/** The product with all float values of its graph as outputs. */
function tracedProduct(inner: BatchProduct): {
  readonly product: BatchProduct;
  evaluated(outputs: Tensors): Evaluated | undefined;
} {
  let known:
    | { readonly batch: BatchGraph; readonly results: readonly Value[]; readonly values: readonly Value[] }
    | undefined;
  return {
    product: {
      build(batch) {
        const { flat = [], outputs = {}, ...built } = inner.build(batch);
        const results = [...Object.values(outputs), ...flat];
        const order = topologicalOrder(results);
        const values =
          order.length > MOST_VALUES ? [] : order.filter((value) => value.type === "float" && !isLeaf(value));
        known = { batch, results, values };
        return { ...built, outputs: Object.fromEntries(values.map((value, i) => [String(i), value])) };
      },
    },
    evaluated(outputs) {
      if (known === undefined) return undefined;
      const { values, ...graph } = known;
      return { ...graph, numbers: new Map(values.map((value, i) => [value, outputs[String(i)]])) };
    },
  };
}

function isLeaf(value: Value): boolean {
  return isInput(value) || constantTensor(value) !== undefined;
}

/** An element of a value. */
interface Element {
  readonly value: Value;
  readonly index: number;
}

function originIn({ batch, results, numbers }: Evaluated): NonFiniteOrigin | undefined {
  const start = results.flatMap((value) => badElement(value, numbers) ?? [])[0];
  if (start === undefined) return undefined;
  let at = start;
  for (let next = worseOperand(at, numbers); next !== undefined; next = worseOperand(at, numbers)) at = next;
  const { value, index } = at;
  const forward = new Set(topologicalOrder([summedLoss(batch), batch.output]));
  const root = value.origin ?? value;
  const isDerivative = !forward.has(value) && value.origin !== undefined;
  return {
    node: ownerOf(root, batch),
    isDerivative,
    primitive: value.primitive.name,
    params: value.params,
    result: numberAt({ value, index }, numbers) ?? Number.NaN,
    operands: operandsOf(at, numbers),
    ...(isDerivative && { of: { primitive: root.primitive.name, operands: derivedOperands(root, at, numbers) } }),
  };
}

/** The first NaN of a value, else its first infinite element. */
function badElement(value: Value, numbers: Evaluated["numbers"]): Element | undefined {
  const data = numbersOf(value, numbers);
  if (data === undefined) return undefined;
  const notNumber = data.findIndex((x) => Number.isNaN(x));
  const index = notNumber >= 0 ? notNumber : data.findIndex((x) => !Number.isFinite(x));
  return index < 0 ? undefined : { value, index };
}

/** An element of an operand that explains an element that is not finite, because it is NaN or infinite itself. Constants are ignored. */
function worseOperand({ value, index }: Element, numbers: Evaluated["numbers"]): Element | undefined {
  const candidates = value.inputs.flatMap((operand): Element[] => {
    if (operand.type !== "float" || !numbers.has(operand)) return [];
    if (!value.primitive.elementwise) return [badElement(operand, numbers)].flatMap((found) => found ?? []);
    return [{ value: operand, index: operandIndex(index, value, operand) }];
  });
  const at = (element: Element) => numberAt(element, numbers) ?? 0;
  const notNumber = candidates.find((element) => Number.isNaN(at(element)));
  if (notNumber !== undefined || value.primitive.takesMasks) return notNumber;
  return candidates.find((element) => !Number.isFinite(at(element)));
}

function numbersOf(value: Value, numbers: Evaluated["numbers"]): Vector | undefined {
  const data = (numbers.get(value) ?? constantTensor(value))?.data;
  return data instanceof Float32Array || data instanceof Float64Array ? data : undefined;
}

function numberAt({ value, index }: Element, numbers: Evaluated["numbers"]): number | undefined {
  return value.uniform ?? numbersOf(value, numbers)?.[index];
}

/** Index of the operand's element that contributes to an element of the result; the operand may be broadcast. */
function operandIndex(index: number, { shape }: Value, operand: Value): number {
  const offset = shape.length - operand.shape.length;
  let rest = index;
  let stride = 1;
  let found = 0;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const place = rest % shape[axis];
    rest = Math.floor(rest / shape[axis]);
    if (axis < offset) continue;
    const dim = operand.shape[axis - offset];
    if (dim > 1) found += place * stride;
    stride *= dim;
  }
  return found;
}

/** The known operands of an element: those of an elementwise operation, or the extremes of a single operand. */
function operandsOf({ value, index }: Element, numbers: Evaluated["numbers"]): readonly number[] {
  if (!value.primitive.elementwise) return value.inputs.flatMap((operand) => extremeOf(operand, numbers));
  return value.inputs.flatMap((operand) => {
    const known = numberAt({ value: operand, index: operandIndex(index, value, operand) }, numbers);
    return known === undefined ? [] : [known];
  });
}

/** The number of largest magnitude. */
function extremeOf(value: Value, numbers: Evaluated["numbers"]): readonly number[] {
  const data = numbersOf(value, numbers);
  if (data === undefined || data.length === 0) return [];
  let most = data[0];
  for (const x of data) if (Math.abs(x) > Math.abs(most)) most = x;
  return [most];
}

/** The operands of a function at the element of its derivative, where both have the same shape. */
function derivedOperands(root: Value, { value, index }: Element, numbers: Evaluated["numbers"]): readonly number[] {
  return root.primitive.elementwise && sameShape(root.shape, value.shape)
    ? operandsOf({ value: root, index }, numbers)
    : [];
}

/** The node of the file whose rule created a value: the first node whose result depends on it. */
function ownerOf(value: Value, { steps, output, loss }: BatchGraph): string {
  const model = new Set(topologicalOrder([output]).map((each) => each.origin ?? each));
  const known = steps === undefined ? model.has(value) : undefined;
  if (known !== undefined) return known ? value.primitive.name : `the loss ${loss.name}`;
  const seen = new Set<Value>();
  for (const step of steps ?? []) {
    const stack = [step.value];
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
      if (seen.has(next)) continue;
      seen.add(next);
      if (next === value) return step.node;
      stack.push(...next.inputs);
    }
  }
  return `the loss ${loss.name}`;
}
