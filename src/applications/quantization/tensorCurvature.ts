import { CurvatureError } from "../../errors/index.ts";
import {
  type Estimate,
  eigsh,
  type HutchinsonState,
  hutchinsonSteps,
  type LinearOperator,
  type RunOptions,
  submatrix,
} from "../../linalg/index.ts";
import { checkCount, checkSeed } from "../../linalg/operator/checks.ts";
import type { RiskParameter } from "../../operators/index.ts";
import type { Vector } from "../../tensors/index.ts";
import { completed } from "../stages.ts";

/** Trace and largest eigenvalue of the block of one tensor. */
export interface BlockCurvature {
  readonly trace: Estimate;
  readonly largestEigenvalue?: { readonly value: number; readonly residualNorm: number };
}

/** What is known after some products. Plain data. */
export interface BlockCurvatureState {
  readonly matvecs: number;
  /** The run of probes for the traces, until these are known. */
  readonly probes?: HutchinsonState;
  readonly traces?: readonly Estimate[];
  readonly eigenvalues: readonly { readonly value: number; readonly residualNorm: number }[];
}

interface BlockCurvatureOptions extends RunOptions {
  readonly tensors: readonly RiskParameter[];
  readonly seed: number;
  readonly diagonal?: Vector | undefined;
  readonly matvecs?: number | undefined;
  readonly eigenvalues?: boolean | undefined;
  readonly state?: BlockCurvatureState | undefined;
}

const NAME = "quantizationSensitivity";

/** Residual over the eigenvalue at which it is taken in float64: the error of the eigenvalue is about its square. */
const TOLERANCE = 1e-6;

/** Traces of the blocks of all tensors from the same probes, and the largest eigenvalue of each block; yields states. */
export async function* blockCurvatureSteps(
  A: LinearOperator,
  options: BlockCurvatureOptions,
): AsyncGenerator<
  BlockCurvatureState,
  { readonly blocks: readonly BlockCurvature[]; readonly state: BlockCurvatureState },
  void
> {
  const { tensors, seed, matvecs = 100, eigenvalues = true } = options;
  checkSeed(NAME, seed);
  checkCount(NAME, "matvecs", matvecs);
  let state: BlockCurvatureState = options.state ?? { matvecs: 0, eigenvalues: [] };
  if (state.traces === undefined) {
    const run = traceSteps(A, { ...options, matvecs, state });
    let next = await run.next();
    for (; next.done !== true; next = await run.next()) yield next.value;
    state = next.value;
    yield state;
  }
  while (eigenvalues && state.eigenvalues.length < tensors.length) {
    const done = state.eigenvalues.length;
    options.onProgress?.({ stage: "eigenvalues of blocks", done, total: tensors.length });
    const { value, residualNorm, spent } = await largestOf(A, { tensor: tensors[done]!, seed, options });
    const known = [...state.eigenvalues, { value, residualNorm }];
    state = { ...state, matvecs: state.matvecs + spent, eigenvalues: known };
    yield state;
  }
  const blocks = tensors.map((_, i) => {
    const largestEigenvalue = state.eigenvalues[i];
    return { trace: state.traces![i]!, ...(largestEigenvalue && { largestEigenvalue }) };
  });
  return { blocks, state };
}

async function* traceSteps(
  A: LinearOperator,
  {
    tensors,
    seed,
    diagonal,
    matvecs,
    state,
    signal,
    onProgress,
  }: BlockCurvatureOptions & {
    readonly matvecs: number;
    readonly state: BlockCurvatureState;
  },
): AsyncGenerator<BlockCurvatureState, BlockCurvatureState, void> {
  if (diagonal !== undefined) return { ...state, traces: tensors.map((tensor) => exactTrace(diagonal, tensor, A)) };
  const run = hutchinsonSteps(A, {
    matvecs,
    seed,
    blocks: tensors.map(({ name, offset, size }) => ({ name, start: offset, end: offset + size })),
    ...(state.probes && { state: state.probes }),
    ...(signal && { signal }),
    onProgress: (progress) => onProgress?.({ ...progress, stage: "traces of blocks" }),
  });
  let next = await run.next();
  for (; next.done !== true; next = await run.next()) {
    yield { ...state, matvecs: next.value.matvecs, probes: next.value };
  }
  const { blocks, matvecs: spent } = completed(next.value, "traces of blocks");
  const { probes: _, ...rest } = state;
  return {
    ...rest,
    matvecs: spent,
    traces: blocks.map(({ trace, standardError }) => ({ value: trace, standardError })),
  };
}

function exactTrace(diagonal: Vector, { offset, size }: RiskParameter, { shape }: LinearOperator): Estimate {
  if (diagonal.length !== shape[0]) {
    throw new CurvatureError(
      "shape",
      `${NAME} expects a diagonal of ${shape[0]} entries, as the matrix has, got ${diagonal.length}`,
    );
  }
  let value = 0;
  for (let i = offset; i < offset + size; i++) value += diagonal[i]!;
  return { value, standardError: 0 };
}

async function largestOf(
  A: LinearOperator,
  {
    tensor: { offset, size },
    seed,
    options: { signal },
  }: { readonly tensor: RiskParameter; readonly seed: number; readonly options: RunOptions },
): Promise<{ readonly value: number; readonly residualNorm: number; readonly spent: number }> {
  const indices = Uint32Array.from({ length: size }, (_, i) => offset + i);
  const tolerance = A.dtype === "float64" ? TOLERANCE : 1e-4;
  const found = completed(
    await eigsh(submatrix(A, indices), { k: 1, which: "largest", seed, tolerance, ...(signal && { signal }) }),
    "eigenvalue of a block",
  );
  return { value: found.values[0]!, residualNorm: found.residualNorms[0]!, spent: found.matvecs };
}
