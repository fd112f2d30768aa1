import { CurvatureError } from "../../errors/index.ts";
import type { DenseMatrix } from "../../linalg/dense/index.ts";
import type { RunOptions } from "../../linalg/index.ts";
import { checkNonnegative } from "../../linalg/operator/checks.ts";
import type { RiskParameter } from "../../operators/index.ts";
import { type Block, indicesOf, type PlacedBlock } from "../../structured/blocks/index.ts";
import { checkOneOf } from "../../structured/kroneckerOptions.ts";
import type { StructuredOperator } from "../../structured/structuredOperator.ts";
import type { Vector } from "../../tensors/index.ts";
import { nearestLevel, type UniformGrid } from "../uniformGrid.ts";
import { type CompensationOrder, compensatedRounding } from "./compensatedRounding.ts";
import type { QuantizationPlan } from "./quantizationPlan.ts";
import { channelsOf, FLOAT16_BITS, gridsOf, type QuantizedTensor, tensorOn } from "./quantizeTensor.ts";

export type { CompensationOrder };

/** The compensation of one tensor. */
export interface CompensatedLayer {
  /** Name of the parameter. */
  readonly name: string;
  /** Whether its entries made up for one another. */
  readonly compensated: boolean;
  /** Why, or what kind of block was inverted. */
  readonly reason: string;
  /** d' K d with the undamped block K, d the change of the tensor: for nearest points, and as it is. Absent without compensation. */
  readonly plainError?: number;
  readonly error?: number;
  /** Share of the outputs (columns of the block) that keep nearest points, since the greedy sequence would raise their error. */
  readonly keptPlain?: number;
}

/** The tensors of a plan at their nearest points, and the blocks that couple their entries. */
export interface CompensationRequest extends RunOptions {
  readonly compensation: StructuredOperator;
  readonly damping?: number | undefined;
  readonly order?: CompensationOrder | undefined;
  readonly plan: QuantizationPlan;
  readonly parameters: readonly RiskParameter[];
  readonly rounded: readonly (QuantizedTensor & { readonly name: string })[];
}

const NAME = "quantizedWeights";

/**
 * The tensors of a plan rounded with compensation, each within its own blocks.
 *
 * @throws CurvatureError "argument" for blocks that hold several tensors, damping or order out of range; "shape" for an operator of another size
 */
export async function compensatedTensors(
  theta: Vector,
  request: CompensationRequest,
): Promise<{
  readonly tensors: readonly (QuantizedTensor & { readonly name: string })[];
  readonly layers: readonly CompensatedLayer[];
}> {
  const { compensation, damping = 0.01, order = "stored", plan, parameters, rounded, signal, onProgress } = request;
  checkNonnegative(NAME, "damping", damping);
  checkOneOf(NAME, { option: "order", value: order, of: ["stored", "diagonal"] });
  checkOperator(compensation, theta.length);
  const tensors: (QuantizedTensor & { readonly name: string })[] = [];
  const layers: CompensatedLayer[] = [];
  for (const [i, parameter] of parameters.entries()) {
    if (signal?.aborted) throw new CurvatureError("aborted", `${NAME} was aborted after ${i} tensors`);
    onProgress?.({ stage: "compensated rounding", done: i, total: parameters.length });
    const own = { parameter, plain: rounded[i]!, scale: plan.scale, blocks: blocksOf(compensation, parameter) };
    const { tensor, layer } = await compensatedTensor(theta, { ...own, damping, order });
    tensors.push({ ...tensor, name: parameter.name });
    layers.push(layer);
  }
  return { tensors, layers };
}

function checkOperator(operator: StructuredOperator, size: number): void {
  if (Array.isArray(operator?.blocks) && operator.shape[0] === size) return;
  throw new CurvatureError(
    "shape",
    `${NAME} expects compensation to be a structured matrix [${size}, ${size}] of the risk, as await kfac(risk, { of: "inputs" }) of onnx-curvature/structured, got ${Array.isArray(operator?.blocks) ? `one of ${operator.shape[0]} rows` : typeof operator}`,
  );
}

/** The blocks on the entries of a parameter. */
function blocksOf({ blocks }: StructuredOperator, { offset, size, name }: RiskParameter): readonly PlacedBlock[] {
  return blocks.filter((placed) => {
    const indices = indicesOf(placed);
    const inside = indices.reduce((count, entry) => count + (entry >= offset && entry < offset + size ? 1 : 0), 0);
    if (inside === 0) return false;
    if (inside === indices.length) return true;
    throw new CurvatureError(
      "argument",
      `${NAME} expects blocks of single tensors for compensation, got "${placed.name}" with "${name}" and others; take kfac with bias: "separate", or blockDiagonal with by: "parameter"`,
    );
  });
}

/** H and the number of columns of a block H (x) B; undefined where no entry depends on another. */
function couplingOf(block: Block): { readonly matrix: DenseMatrix; readonly columns: number } | undefined {
  if (block.kind === "kronecker") {
    const A = asMatrix(block, "A");
    return { matrix: A, columns: block.size / A.rows };
  }
  return block.kind === "dense" ? { matrix: asMatrix(block, "matrix"), columns: 1 } : undefined;
}

function asMatrix({ arrays }: Block, name: string): DenseMatrix {
  const { data, dims } = arrays[name]!;
  return { rows: dims[0]!, columns: dims[0]!, data: data as Float64Array };
}

interface TensorRequest {
  readonly parameter: RiskParameter;
  readonly plain: QuantizedTensor;
  readonly scale: "max" | "mse";
  readonly blocks: readonly PlacedBlock[];
  readonly damping: number;
  readonly order: CompensationOrder;
}

async function compensatedTensor(
  theta: Vector,
  request: TensorRequest,
): Promise<{ readonly tensor: QuantizedTensor; readonly layer: CompensatedLayer }> {
  const { parameter, plain, blocks } = request;
  const { name } = parameter;
  const keep = (reason: string) => ({ tensor: plain, layer: { name, compensated: false, reason } });
  if (plain.bits === FLOAT16_BITS) return keep("float16 has no grid of equal steps");
  const coupled = blocks.filter(({ block }) => couplingOf(block) !== undefined);
  const kinds = [...new Set(blocks.map(({ reason }) => reason))].join("; ");
  if (coupled.length === 0) return keep(`its entries do not depend on one another in this matrix (${kinds})`);
  const own = theta.subarray(parameter.offset, parameter.offset + parameter.size);
  const grids = gridsOf(own, { ...plain, scale: request.scale });
  const levels = plain.levels.slice();
  let [plainError, error, kept, columns] = [0, 0, 0, 0];
  for (const placed of coupled) {
    const found = await blockLevels(own, { placed, grids, levels, request });
    plainError += found.plainError;
    error += found.error;
    kept += found.keptPlain;
    columns += found.columns;
  }
  const { dims, bits, scheme, axis } = plain;
  const tensor = tensorOn(grids, own, { dims, bits, scheme, levels, ...(axis !== undefined && { axis }) });
  return { tensor, layer: { name, compensated: true, reason: kinds, plainError, error, keptPlain: kept / columns } };
}

/** Rounds the entries of one block and writes their levels. */
async function blockLevels(
  weights: Vector,
  {
    placed,
    grids,
    levels,
    request,
  }: {
    readonly placed: PlacedBlock;
    readonly grids: readonly UniformGrid[];
    readonly levels: Int32Array;
    readonly request: TensorRequest;
  },
) {
  const { parameter, plain, damping, order } = request;
  const { matrix: block, columns } = couplingOf(placed.block)!;
  const channel = channelsOf(plain.dims, plain.axis);
  const entries = indicesOf(placed).map((index) => index - parameter.offset);
  const gridOf = (k: number) => grids[channel(entries[k]!)]!;
  const round = (weight: number, { row, column }: { readonly row: number; readonly column: number }) => {
    const grid = gridOf(row * columns + column);
    return grid.step * nearestLevel(weight, grid);
  };
  const own = Float64Array.from(entries, (entry) => weights[entry]!);
  const found = await compensatedRounding(own, { block, round, damping, order });
  found.values.forEach((value, k) => {
    levels[entries[k]!] = nearestLevel(value, gridOf(k));
  });
  return { ...found, columns };
}
