import { guardBranches } from "../../autodiff/index.ts";
import { CurvatureError } from "../../errors/index.ts";
import { input, type Value, withOperationsApart } from "../../graph/index.ts";
import { arrangeOutputs, arrangeTargets, type Loss } from "../../losses/index.ts";
import type { Model, ModelGraph } from "../../models/index.ts";
import { broadcast, concat, mul, reshape } from "../../primitives/index.ts";
import { formatDims, type Precision } from "../../tensors/index.ts";
import { findLayers } from "../layers/findLayers.ts";
import type { BatchGraph, LayeredBatchGraph } from "./risk.ts";

/** Shapes of one batch, including the axis of rows. */
export interface BatchShape {
  readonly rows: number;
  readonly inputs: { readonly [name: string]: readonly number[] };
  readonly targets: { readonly dims: readonly number[]; readonly integer: boolean };
  /** Whether rows have weights. */
  readonly weighted: boolean;
}

/** A batch graph together with its input values. */
export interface FedBatchGraph extends BatchGraph {
  /** Whether floats of the graph may be computed from the number of rows. */
  readonly countsSizes: boolean;
  /** All parameters of the model, chosen or not, in its order. */
  readonly allParameters: readonly Value[];
  readonly targets: Value;
}

/** Everything that a batch graph depends on. */
export interface BatchGraphRequest {
  readonly model: Model;
  readonly loss: Loss;
  readonly outputs: readonly string[];
  /** Indices of the differentiated parameters among the model's. */
  readonly chosen: readonly number[];
  /** Precision in which the graph will be computed. */
  readonly precision: Precision;
  /** Targets may be omitted; default: the form that the loss usually takes for the model's outputs. */
  readonly shape: Omit<BatchShape, "targets"> & Partial<Pick<BatchShape, "targets">>;
}

/**
 * The objective on one batch as a graph.
 *
 * @throws CurvatureError "model" where the output's first axis is not the rows, "shape" where the loss does not fit
 */
export async function batchGraph(request: BatchGraphRequest): Promise<FedBatchGraph> {
  const { model, loss, outputs, chosen, precision, shape } = request;
  const graph = await model.graph({ shapes: shape.inputs, outputs, cut: loss.absorbs, precision });
  const [output] = guardBranches([joined(graph, outputs, { model, rows: shape.rows })]);
  const form = shape.targets ?? usualTargets(loss, { first: graph.outputs[outputs[0]].shape, joined: output.shape });
  const layout = loss.layout(output.shape, form);
  const targets = input("targets", form.dims, form.integer ? "int64" : "float");
  const y = arrangeTargets(targets, layout);
  const rowWeights = shape.weighted ? input("weights", [shape.rows]) : undefined;
  const batch: Omit<FedBatchGraph, "layered"> = {
    rows: shape.rows,
    parameters: chosen.map((index) => graph.parameters[index]),
    allParameters: graph.parameters,
    inputs: graph.inputs,
    output,
    f: arrangeOutputs(output, layout),
    y,
    targets,
    rowWeights,
    scale: input("scale", []),
    ...(graph.steps && { steps: graph.steps }),
    countsSizes: graph.countsSizes ?? true,
    weights: termWeights(loss.termWeights?.(y), { rowWeights, rows: shape.rows, positions: layout.positions }),
    loss,
    layout,
  };
  let layered: LayeredBatchGraph | undefined;
  const whole: FedBatchGraph = {
    ...batch,
    layered() {
      layered ??= withLayers(whole, { graph, request });
      return layered;
    },
  };
  return whole;
}

/** The batch with its outputs recomputed from the results of its layers. */
function withLayers(
  batch: FedBatchGraph,
  { graph, request }: { readonly graph: ModelGraph; readonly request: BatchGraphRequest },
): LayeredBatchGraph {
  const { model, outputs, chosen, shape } = request;
  const apart = { ...graph, outputs: graph.operationsApart?.() ?? graph.outputs };
  const [output] = withOperationsApart(() => guardBranches([joined(apart, outputs, { model, rows: shape.rows })]));
  const f = arrangeOutputs(output, batch.layout);
  const parameters = graph.parameters.map((value, i) => ({ value, name: model.parameters[i].name }));
  const inputs = Object.values(graph.inputs);
  return { ...batch, output, f, ...findLayers({ outputs: [output], inputs, rows: shape.rows, parameters, chosen }) };
}

/** Class indices if the loss takes labels, else a label of its likelihood for the outputs of each term. */
function usualTargets(
  { labelDims, likelihood }: Loss,
  { first, joined: all }: { readonly first: readonly number[]; readonly joined: readonly number[] },
): BatchShape["targets"] {
  if (labelDims !== undefined) return { dims: labelDims(first), integer: true };
  if (first.length === 1) return { dims: first, integer: false };
  const size = all[all.length - 1];
  return { dims: [...first.slice(0, -1), likelihood?.labelSize(size) ?? first[first.length - 1]], integer: false };
}

/** The outputs concatenated along their last axis; outputs with one number per row get an axis of size 1. */
function joined(
  graph: ModelGraph,
  names: readonly string[],
  { model, rows }: { readonly model: Model; readonly rows: number },
): Value {
  const values = names.map((name) => graph.outputs[name]);
  values.forEach(({ shape, type }, i) => {
    if (type !== "float")
      throw new CurvatureError(
        "model",
        `output "${names[i]}" of ${model.name} is ${type}; a loss needs an output of floats`,
      );
    if (shape[0] !== rows) {
      throw new CurvatureError(
        "model",
        `output "${names[i]}" of ${model.name} has shape ${formatDims(shape)} for ${rows} rows; its first axis must be the rows`,
      );
    }
  });
  if (values.length === 1) return values[0];
  const vectors = values.map((value) => (value.shape.length === 1 ? reshape(value, [rows, 1]) : value));
  return concat(vectors, vectors[0].shape.length - 1);
}

/** The weight of each term: the product of its label's weight and its row's weight. */
function termWeights(
  fromLabels: Value | undefined,
  facts: { readonly rowWeights: Value | undefined; readonly rows: number; readonly positions: number },
): Value | undefined {
  const { rowWeights, rows, positions } = facts;
  if (rowWeights === undefined) return fromLabels;
  const repeated = reshape(broadcast(reshape(rowWeights, [rows, 1]), [rows, positions]), [rows * positions]);
  return fromLabels === undefined ? repeated : mul(fromLabels, repeated);
}
