import { constants } from "node:buffer";
import { freemem, totalmem } from "node:os";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import {
  byName,
  type Dtype,
  dtypeOf,
  type Precision,
  type Tensor,
  type TensorData,
  type Vector,
  zeros,
} from "../tensors/index.ts";
import { engineName, nameInModel } from "./engineName.ts";
import { givesMemoryBack, keepLargeBlocks } from "./largeBlocks.ts";
import type { OpenSession, SessionOptions } from "./session.ts";

type OrtOptions = InferenceSession.SessionOptions;

const LEVELS = { none: "disabled", basic: "basic", all: "all" } as const;

/** onnxruntime-node on the CPU. */
export const openSession: OpenSession = async (bytes, options) => {
  const session = await InferenceSession.create(bytes, engineOptions(options));
  return {
    outputTypes: Object.fromEntries(
      session.outputMetadata.flatMap((output) =>
        output.isTensor ? [[nameInModel(output.name), output.type as Dtype]] : [],
      ),
    ),
    outputShapes: byName(
      session.outputMetadata.flatMap((output) => (output.isTensor ? [[output.name, sizesOf(output.shape)]] : [])),
    ),
    async run(feeds, fetches) {
      const inputs = byName<OrtTensor>();
      for (const name of Object.keys(feeds)) inputs[name] = toEngine(feeds[name]);
      const results = await session.run(inputs, fetches.map(engineName));
      const outputs = byName<Tensor>();
      for (const name of fetches) outputs[name] = fromEngine(results[engineName(name)] as OrtTensor);
      return outputs;
    },
    release: () => session.release(),
  };
};

/**
 * Largest values of a run between which the process's allocator serves the engine better than its own arena: below, nothing is gained;
 * above, so few blocks are in use that glibc cuts up what another size was freed from, and grows.
 */
const SHARED_BYTES = [2 ** 20, 2 ** 26] as const;
/** A run holds several such values at once. If they exceed this share of the free memory, memory is returned to the system as soon as possible. */
const SCARCE_SHARE = 1 / 16;

/** Whether the engine keeps the memory of a session for its next run. */
function keepsArena(largestValue: number): boolean {
  if (largestValue < SHARED_BYTES[0]) return true;
  if (givesMemoryBack() || largestValue > SCARCE_SHARE * freeMemory()) return false;
  return !keepLargeBlocks() || largestValue > SHARED_BYTES[1];
}

function engineOptions({ optimization, threads, largestValue = 0 }: SessionOptions): OrtOptions {
  return {
    executionProviders: ["cpu"],
    graphOptimizationLevel: LEVELS[optimization],
    // A memory pattern would hold the intermediates of two runs at once.
    enableMemPattern: false,
    enableCpuMemArena: keepsArena(largestValue),
    logSeverityLevel: 4,
    ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
    // Threads that spin between products slow down everything else, including the other sessions of a risk.
    extra: { session: { intra_op: { allow_spinning: "0" } } },
  };
}

/** Sizes as the engine reports them: a name, or a negative number, for one that it does not know. */
function sizesOf(shape: readonly (number | string)[]): (number | undefined)[] {
  return shape.map((dim) => (typeof dim === "number" && dim >= 0 ? dim : undefined));
}

function toEngine(tensor: Tensor): OrtTensor {
  return new OrtTensor(dtypeOf(tensor) as "float32", tensor.data as Float32Array, tensor.dims);
}

function fromEngine(tensor: OrtTensor): Tensor {
  return { data: tensor.data as TensorData, dims: tensor.dims, dtype: tensor.type as Dtype };
}

/** Bytes from which on clearing a vector takes a time worth saving. */
const CLEARED_BYTES = 2 ** 16;

/** A vector of any content, all of which is to be written. */
export function unwrittenVector(length: number, dtype: Precision): Vector {
  const bytes = length * (dtype === "float64" ? 8 : 4);
  if (bytes < CLEARED_BYTES || bytes > constants.MAX_LENGTH) return zeros(length, dtype);
  const { buffer } = Buffer.allocUnsafeSlow(bytes);
  return dtype === "float64" ? new Float64Array(buffer) : new Float32Array(buffer);
}

/** Bytes of memory of this machine, or of the container that the process runs in. */
export function machineMemory(): number {
  // 0 or beyond all machines where there is no limit.
  const allowed = process.constrainedMemory();
  return allowed > 0 ? Math.min(allowed, totalmem()) : totalmem();
}

/** Bytes of memory that are free on this machine. */
export function freeMemory(): number {
  return freemem();
}
