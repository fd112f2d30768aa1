import { vectorize } from "../../../autodiff/index.ts";
import { CurvatureError } from "../../../errors/index.ts";
import {
  input,
  isOpaque,
  substitute,
  topologicalOrder,
  type Value,
  withOperationsApart,
} from "../../../graph/index.ts";
import { concat, reshape, slice } from "../../../primitives/index.ts";
import type { GraphRequest, ModelGraph } from "../../model.ts";

/** Numbers of rows, and the file for messages. */
export interface StackedRows {
  readonly rows: number;
  readonly fixedRows: number;
  readonly file: string;
}

/** The shapes with another number of rows. */
export function shapesAt(shapes: GraphRequest["shapes"], rows: number): GraphRequest["shapes"] {
  return Object.fromEntries(Object.entries(shapes).map(([name, [, ...rest]]) => [name, [rows, ...rest]]));
}

/**
 * The graph of a model that insists on b rows, for k b rows: k copies of it side by side, sharing the parameters. That is
 * exact by construction, whatever the model does with its b rows.
 *
 * @throws CurvatureError "model" where b does not divide the number of rows, "unsupported" for nodes that can stand in a graph only once
 */
export function stackRows(graph: ModelGraph, { rows, fixedRows, file }: StackedRows): ModelGraph {
  const size = rows / fixedRows;
  if (!Number.isInteger(size)) {
    throw new CurvatureError(
      "model",
      `${file} computes ${fixedRows} rows at once, which does not divide a batch of ${rows}; choose a batch size that it divides`,
    );
  }
  const inputs = Object.fromEntries(
    Object.entries(graph.inputs).map(([name, { shape, type }]) => [name, input(name, [rows, ...shape.slice(1)], type)]),
  );
  const copied = { originals: Object.values(graph.inputs), stacked: Object.values(inputs), size };
  const all = (outputs: ModelGraph["outputs"]) => {
    const values = copies(Object.values(outputs), copied);
    return Object.fromEntries(Object.keys(outputs).map((name, i) => [name, values[i]]));
  };
  const { parameters, outputs, operationsApart } = graph;
  return {
    parameters,
    inputs,
    outputs: all(outputs),
    ...(operationsApart && { operationsApart: () => withOperationsApart(() => all(operationsApart())) }),
  };
}

interface Copied {
  readonly originals: readonly Value[];
  readonly stacked: readonly Value[];
  readonly size: number;
}

/** Vectorized, or one copy after the other where an opaque node cannot be vectorized. */
function copies(outputs: readonly Value[], { originals, stacked, size }: Copied): Value[] {
  try {
    const pieces = stacked.map((value, i) => reshape(value, [size, ...originals[i].shape]));
    return vectorize(outputs, originals, { replacements: pieces, size }).map((value) => {
      const [count, rows, ...rest] = value.shape;
      return reshape(value, [count * rows, ...rest]);
    });
  } catch (error) {
    if (!(error instanceof CurvatureError && error.code === "unsupported") || hasSubgraph(outputs)) throw error;
  }
  const results = Array.from({ length: size }, (_, k) => {
    const parts = stacked.map((value, i) => {
      const rows = originals[i].shape[0];
      return slice(value, { axis: 0, start: k * rows, limit: (k + 1) * rows });
    });
    return substitute(outputs, new Map(originals.map((original, i) => [original, parts[i]])));
  });
  return outputs.map((_, i) =>
    concat(
      results.map((result) => result[i]),
      0,
    ),
  );
}

/** Whether an opaque node has a subgraph, which reads outer values by names and so can stand in a graph only once. */
function hasSubgraph(outputs: readonly Value[]): boolean {
  return topologicalOrder(outputs).some((value) => isOpaque(value) && value.params.node.captures.length > 0);
}
