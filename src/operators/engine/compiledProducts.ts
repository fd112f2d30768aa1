import type { Loss } from "../../losses/index.ts";
import type { Model } from "../../models/index.ts";
import type { Precision } from "../../tensors/index.ts";
import { type BatchShape, batchGraph, type FedBatchGraph } from "./batchGraph.ts";
import { type ProductPrograms, type ProgramKind, productPrograms } from "./productPrograms.ts";
import type { BatchProduct } from "./risk.ts";

/** The settings that the engines of all views of a risk share. */
export interface EngineSettings {
  readonly model: Model;
  readonly loss: Loss;
  readonly precision: Precision;
  readonly threads?: number;
  readonly outputs: readonly string[];
  /** Indices of the differentiated parameters among the model's. */
  readonly chosen: readonly number[];
  /** Bytes of residuals to keep between products. */
  readonly cache: number;
  /** Largest size in bytes of the values of a batch that are alive at the same time. */
  readonly memoryLimit: number;
}

/** The programs needed for the batches of a data set. */
export interface ProgramRequest extends ProgramKind {
  readonly shape: BatchShape;
}

/** Graphs by batch shape, and programs by product and request. */
export interface CompiledProducts {
  graph(shape: BatchShape): Promise<FedBatchGraph>;
  programs(product: BatchProduct, request: ProgramRequest): Promise<ProductPrograms>;
  release(): Promise<void>;
}

/** The graphs and programs that all views of a risk share. Each is created once; programs are cached by the identity of their product. */
export function compiledProducts(settings: EngineSettings): CompiledProducts {
  const { model, precision, threads, memoryLimit } = settings;
  const parameterNames = model.parameters.map(({ name }) => name);
  const graphs = new Map<string, Promise<FedBatchGraph>>();
  let made = new WeakMap<BatchProduct, Map<string, ProductPrograms>>();
  const all: ProductPrograms[] = [];
  const graph = (shape: BatchShape) => {
    const key = JSON.stringify(shape);
    let known = graphs.get(key);
    if (known === undefined) {
      known = batchGraph({ ...settings, shape });
      graphs.set(key, known);
      known.catch(() => graphs.delete(key));
    }
    return known;
  };
  return {
    graph,
    async programs(product, request) {
      const own = made.get(product) ?? new Map<string, ProductPrograms>();
      made.set(product, own);
      const key = JSON.stringify(request);
      const known = own.get(key);
      if (known !== undefined) return known;
      const batch = await graph(request.shape);
      const engine = { precision, memoryLimit, ...(threads !== undefined && { threads }) };
      const programs = productPrograms(product, { ...request, batch, parameterNames, ...engine });
      own.set(key, programs);
      all.push(programs);
      return programs;
    },
    async release() {
      for (const programs of all.splice(0)) await programs.release();
      made = new WeakMap();
      graphs.clear();
    },
  };
}
