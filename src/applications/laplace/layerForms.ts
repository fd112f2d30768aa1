import type { DenseMatrix } from "../../linalg/index.ts";
import type { Head } from "../../structured/headFeatures.ts";
import type { LeftForms, StructuredOperator } from "../../structured/index.ts";
import { type LayerSidesBatch, sidedLayers } from "../../structured/layerSides.ts";
import { fixedForms, type Part, partOf, withOnes } from "./headForms.ts";
import type { LaplacePosterior } from "./laplacePosterior.ts";

/** Covariances of outputs from inputs and output gradients of the layers, without a Jacobian. */
export interface LayerForms {
  /** Variances [rows, C] of the outputs, or covariances [rows, C, C]. */
  covariances(sides: PreparedSides, request: { readonly diagonal: boolean }): Promise<Float64Array>;
}

/** The sides of a batch, and what of them does not depend on the prior. */
export interface PreparedSides {
  readonly batch: LayerSidesBatch;
  readonly outputs: number;
  /** Inputs of a layer with a one behind each row's. */
  joined(layer: number): Float64Array;
  /** Gradients of a layer in a basis, [C, rows, n]; themselves without one. */
  rotated(layer: number, basis: DenseMatrix | undefined): Float64Array;
}

/** A block's part in the covariance, and the layer whose weights it is of. */
interface PlacedPart extends Part {
  readonly layer: number;
}

/**
 * The covariance of outputs where all weights are those of linear layers with Kronecker blocks. The gradient of output c in a layer's weights is `a g_c'`, so that
 *
 *     Sigma_cd = sum over blocks of sum_j (Q_B'g_c)_j (Q_B'g_d)_j sum_i (Q_A'a)_i^2 / (a lambda_i mu_j + delta).
 *
 * O(in^2 + C out^2 + C^2 out) for each row and layer, in place of C Jacobians of in out numbers and their rotation in in^2 out + in out^2 operations each. Undefined for other layers, blocks or
 * priors.
 */
export async function layerForms(posterior: LaplacePosterior): Promise<LayerForms | undefined> {
  const { risk, indices, matrix, prior, factor } = posterior;
  const { blocks } = matrix as Partial<StructuredOperator>;
  if (indices !== undefined || blocks === undefined) return undefined;
  const layers = await sidedLayers(risk);
  if (layers === undefined) return undefined;
  const parts = blocks.map((placed): PlacedPart | undefined => {
    for (const [layer, head] of layers.entries()) {
      const part = partOf(placed, { head, delta: prior.precision, factor });
      if (part !== undefined) return { ...part, layer };
    }
    return undefined;
  });
  if (parts.some((part) => part === undefined)) return undefined;
  return {
    async covariances(sides, { diagonal }) {
      const { batch, outputs } = sides;
      const result = new Float64Array(batch.rows * outputs * (diagonal ? 1 : outputs));
      for (const part of parts as readonly PlacedPart[]) {
        for (const { basis, weights } of await formsOf(part, { layers, sides })) {
          const z = sides.rotated(part.layer, basis);
          add(result, { z, weights, diagonal, outputs, by: 1 / factor, rows: batch.rows });
        }
      }
      return result;
    },
  };
}

async function formsOf(
  part: PlacedPart,
  { layers, sides }: { readonly layers: readonly Head[]; readonly sides: PreparedSides },
): Promise<readonly LeftForms[]> {
  const { placed, f, width, layer } = part;
  if (width === 0) return fixedForms([part]);
  const data = width === layers[layer].inputs ? sides.batch.sides[layer].a : sides.joined(layer);
  return [await placed.block.leftForms!(f, { data, rows: sides.batch.rows })];
}

/** Sides whose parts that do not depend on the prior are computed once. */
export function preparedSides(batch: LayerSidesBatch, outputs: number): PreparedSides {
  const joined = new Map<number, Float64Array>();
  const rotated = new Map<number, Map<DenseMatrix | undefined, Float64Array>>();
  return {
    batch,
    outputs,
    joined(layer) {
      const { rows, sides } = batch;
      const known = joined.get(layer) ?? withOnes(sides[layer].a, { rows, inputs: sides[layer].a.length / rows });
      joined.set(layer, known);
      return known;
    },
    rotated(layer, basis) {
      const own = rotated.get(layer) ?? new Map<DenseMatrix | undefined, Float64Array>();
      const known = own.get(basis) ?? inBasis(batch.sides[layer].g, basis);
      rotated.set(layer, own.set(basis, known));
      return known;
    },
  };
}

/** Q'g for vectors g one after the other. */
function inBasis(g: Float64Array, basis: DenseMatrix | undefined): Float64Array {
  if (basis === undefined) return g;
  const n = basis.rows;
  const result = new Float64Array(g.length);
  for (let first = 0; first < g.length; first += n) {
    for (let j = 0; j < n; j++) {
      let along = 0;
      for (let k = 0; k < n; k++) along += basis.data[j * n + k] * g[first + k];
      result[first + j] = along;
    }
  }
  return result;
}

/** Adds `by sum_j w_j z_cj z_dj` of each row, for z [C, rows, n] and weights w of each row or of all. */
function add(
  result: Float64Array,
  request: {
    readonly z: Float64Array;
    readonly weights: Float64Array;
    readonly diagonal: boolean;
    readonly outputs: number;
    readonly rows: number;
    readonly by: number;
  },
): void {
  const { z, weights, diagonal, outputs, rows, by } = request;
  const n = z.length / (outputs * rows);
  for (let row = 0; row < rows; row++) {
    const w = weights.length === n ? weights : weights.subarray(row * n, (row + 1) * n);
    for (let c = 0; c < outputs; c++) {
      const own = z.subarray((c * rows + row) * n, (c * rows + row + 1) * n);
      for (let d = diagonal ? c : 0; d < (diagonal ? c + 1 : outputs); d++) {
        let sum = 0;
        const other = (d * rows + row) * n;
        for (let j = 0; j < n; j++) sum += w[j] * own[j] * z[other + j];
        result[diagonal ? row * outputs + c : (row * outputs + c) * outputs + d] += by * sum;
      }
    }
  }
}
