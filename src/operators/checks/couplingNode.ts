import { dependents, topologicalOrder, type Value } from "../../graph/index.ts";
import type { ModelGraph } from "../../models/index.ts";
import { sizeOf, type Tensor, type Vector } from "../../tensors/index.ts";
import { forwardProgram } from "../engine/forwardProgram.ts";
import { pickRows } from "../engine/pickRows.ts";
import type { Tensors } from "../engine/risk.ts";
import type { RiskFamily } from "../engine/riskFamily.ts";
import { firstDifference } from "./rowDifference.ts";

/** Rows of the two batches whose intermediate values are compared, if the file allows any number of rows. */
const SIZES = [5, 3] as const;

/**
 * Operator and name of the first node whose result for a row depends on the other rows of the batch, found by comparing all intermediate
 * values of two small batches in float64. For a model without a file, the name of the primitive. Undefined if no node can be identified.
 *
 * @param pool inputs of some rows
 */
export async function couplingNode(family: RiskFamily, pool: Tensors): Promise<string | undefined> {
  const { fixedRows } = family.model;
  const given = Object.values(pool)[0].dims[0];
  const attempts = fixedRows === undefined ? [SIZES, [given, given] as const] : [[fixedRows, fixedRows] as const];
  for (const [first, second] of attempts) {
    try {
      return await firstCoupling(family, { pool, given, sizes: [first, second] });
    } catch {
      // The error is complete without the node, so a file that rejects these numbers of rows is not a failure here.
    }
  }
  return undefined;
}

async function firstCoupling(
  family: RiskFamily,
  { pool, given, sizes }: { readonly pool: Tensors; readonly given: number; readonly sizes: readonly [number, number] },
): Promise<string | undefined> {
  const order = Array.from({ length: sizes[1] }, (_, i) => (i === 1 ? 0 : Math.min(sizes[0], given) - 1));
  const rowsOfWhole = Array.from({ length: sizes[0] }, (_, i) => Math.min(i, given - 1));
  const whole = await stepsOf(family, pickRows(pool, rowsOfWhole));
  const part = await stepsOf(family, pickRows(pool, order));
  const index = whole.findIndex((step, i) => {
    const other = part[i];
    return other?.node === step.node && couples(step.tensor, other.tensor, { rows: sizes[0], order });
  });
  return whole[index]?.node;
}

/** The result of a node for a batch. */
interface EvaluatedStep {
  readonly node: string;
  readonly tensor: Tensor;
}

async function stepsOf({ model, loss, outputs }: RiskFamily, inputs: Tensors): Promise<readonly EvaluatedStep[]> {
  const precision = "float64";
  const shapes = Object.fromEntries(Object.entries(inputs).map(([name, { dims }]) => [name, dims]));
  const graph = await model.graph({ shapes, outputs, cut: loss.absorbs, precision });
  const steps = movingSteps(graph);
  const forward = { inputs: graph.inputs, allParameters: graph.parameters };
  const program = await forwardProgram(
    steps.map(({ value }) => value),
    { graph: forward, model, precision },
  );
  try {
    const tensors = await program.run(inputs);
    return steps.map(({ node }, i) => ({ node, tensor: tensors[i] }));
  } finally {
    await program.release();
  }
}

/** The nodes that depend on the inputs; without a file, the primitives. */
function movingSteps(graph: ModelGraph): readonly { readonly node: string; readonly value: Value }[] {
  const order = topologicalOrder([...Object.values(graph.outputs), ...(graph.steps ?? []).map(({ value }) => value)]);
  const moving = dependents(order, Object.values(graph.inputs));
  const inputs = new Set(Object.values(graph.inputs));
  const steps = graph.steps ?? order.map((value) => ({ node: value.primitive.name, value }));
  return steps.filter(({ value }) => moving.has(value) && !inputs.has(value) && value.type === "float");
}

/** Whether a value for the rows `order` differs from its value in the whole batch, on any axis that may be that of the rows. */
function couples(
  whole: Tensor,
  part: Tensor,
  { rows, order }: { readonly rows: number; readonly order: readonly number[] },
): boolean {
  const places = rowAxes(whole.dims, part.dims, { rows, partRows: order.length });
  // A value without an axis of rows is shared by all of them and must not depend on them.
  if (places.length === 0) return String(whole.data) !== String(part.data);
  return places.every(
    (place) =>
      firstDifference({
        whole: rowsFirst(whole, place, rows),
        part: rowsFirst(part, place, order.length),
        rows,
        order,
        precision: "float64",
      }) !== undefined,
  );
}

/** Position of the rows: their axis and, if it also holds other elements, whether the rows vary slower or faster than these. */
interface RowPlace {
  readonly axis: number;
  readonly slower: boolean;
}

/** The axes that may be that of the rows: their sizes have the ratio of the numbers of rows, and all other sizes are equal. */
function rowAxes(
  whole: readonly number[],
  part: readonly number[],
  { rows, partRows }: { readonly rows: number; readonly partRows: number },
): readonly RowPlace[] {
  if (whole.length !== part.length) return [];
  return whole.flatMap((dim, axis) => {
    const fits = dim % rows === 0 && dim / rows === part[axis] / partRows;
    const same = whole.every((other, i) => i === axis || other === part[i]);
    if (!fits || !same) return [];
    return dim === rows ? [{ axis, slower: true }] : [true, false].map((slower) => ({ axis, slower }));
  });
}

/** The elements with the rows as the first axis. */
function rowsFirst({ data, dims }: Tensor, { axis, slower }: RowPlace, rows: number): Vector {
  const values = data as Vector;
  const inner = sizeOf(dims.slice(axis + 1));
  const outer = sizeOf(dims.slice(0, axis));
  const each = dims[axis] / rows;
  const result = new Float64Array(values.length);
  let to = 0;
  for (let row = 0; row < rows; row++) {
    for (let o = 0; o < outer; o++) {
      for (let k = 0; k < each; k++) {
        const at = o * dims[axis] + (slower ? row * each + k : k * rows + row);
        result.set(values.subarray(at * inner, (at + 1) * inner), to);
        to += inner;
      }
    }
  }
  return result;
}
