import { fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Vector } from "../tensors/index.ts";
import { ModelProtoSchema, type TensorProto } from "./generated/onnx_pb.ts";
import { fromTensorProto, toTensorProto } from "./tensorProto.ts";

/** What is kept of a tensor along one of its axes. */
export interface AxisCut {
  readonly axis: number;
  /** Positions along the axis that stay, ascending. */
  readonly kept: readonly number[];
}

/**
 * The bytes of a model file with initializers of its main graph cut along axes, and without the recorded types of values whose shapes change by it. All other tensors are as they were.
 *
 * @param cuts by the name of the initializer
 * @param values names of values whose recorded types go
 */
export function cutTensors(
  bytes: Uint8Array,
  { cuts, values }: { readonly cuts: ReadonlyMap<string, readonly AxisCut[]>; readonly values: ReadonlySet<string> },
): Uint8Array {
  const model = fromBinary(ModelProtoSchema, bytes);
  const { graph } = model;
  if (graph === undefined) return bytes;
  for (const initializer of graph.initializer) {
    for (const cut of cuts.get(initializer.name) ?? []) cutInitializer(initializer, cut);
  }
  graph.valueInfo = graph.valueInfo.filter(({ name }) => !values.has(name));
  return toBinary(ModelProtoSchema, model);
}

function cutInitializer(proto: TensorProto, { axis, kept }: AxisCut): void {
  const { tensor, storedAs } = fromTensorProto(proto);
  const { dims } = tensor;
  const inner = dims.slice(axis + 1).reduce((product, dim) => product * dim, 1);
  const outer = dims.slice(0, axis).reduce((product, dim) => product * dim, 1);
  const source = tensor.data as Vector;
  const data = source.slice(0, outer * kept.length * inner);
  let at = 0;
  for (let o = 0; o < outer; o++) {
    for (const k of kept) {
      const start = (o * dims[axis] + k) * inner;
      data.set(source.subarray(start, start + inner), at);
      at += inner;
    }
  }
  const cut = toTensorProto(
    proto.name,
    { data, dims: dims.map((dim, i) => (i === axis ? kept.length : dim)) },
    { storedAs },
  );
  proto.dims = cut.dims;
  proto.rawData = cut.rawData;
  proto.floatData = [];
  proto.doubleData = [];
  proto.int32Data = [];
}
