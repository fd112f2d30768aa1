import { readFile } from "node:fs/promises";
import { arrays, crossEntropy, empiricalRisk, loadModel, type Risk } from "../../src/index.ts";
import type { Precision, Tensor } from "../../src/tensors/index.ts";

// Kronecker factors of small networks, computed in NumPy from the definitions (dense pieces of every layer use, which were compared with
// Jacobians by PyTorch).

export interface StoredSymmetric {
  readonly size: number;
  readonly values?: readonly number[];
  readonly trace?: number;
  readonly frobenius?: number;
  readonly product_v?: readonly number[];
}

export interface StoredEkfac {
  readonly trace: number;
  readonly corrected_eigenvalues_square_sum?: number;
  readonly relative_error?: number;
  readonly basis_sensitivity: number;
  readonly product_v?: readonly number[];
  readonly inverse_exact_damping?: { readonly product_v: readonly number[]; readonly logdet: number };
  readonly settled_basis?: {
    readonly corrected_eigenvalues_square_sum: number;
    readonly relative_error: number;
    readonly product_v: readonly number[];
    readonly inverse_exact_damping: { readonly product_v: readonly number[]; readonly logdet: number };
  };
}

export interface StoredKfac {
  readonly approx: "expand" | "reduce";
  readonly bias: "separate" | "joint" | "none";
  readonly gradient_factor_is_zero?: boolean;
  readonly factors: readonly { readonly input: StoredSymmetric; readonly gradient: StoredSymmetric }[];
  readonly trace: number;
  readonly frobenius: number;
  readonly relative_error: number;
  readonly product_v: readonly number[];
  readonly inverse_exact_damping: { readonly product_v: readonly number[]; readonly logdet: number };
  readonly inverse_heuristic_damping: { readonly product_v: readonly number[]; readonly logdet: number };
  readonly ekfac: StoredEkfac;
  readonly bias_factor?: StoredSymmetric;
}

export interface StoredLayer {
  readonly bias: string | null;
  readonly positions: number;
  readonly uses: number;
  readonly groups: number;
  readonly tied?: string;
  readonly matrix_shape_out_in: readonly [number, number];
  readonly exact: { readonly trace: number; readonly frobenius: number };
  readonly kfac?: readonly StoredKfac[];
  readonly best_single_kronecker_relative_error?: number;
  readonly two_sided?: {
    readonly trace: number;
    readonly relative_error: number;
    readonly left: StoredSymmetric;
    readonly right: StoredSymmetric;
    readonly product_v?: readonly number[];
  };
}

export interface StoredNetwork {
  readonly model: string;
  readonly inputs: { readonly shape: readonly number[]; readonly values: readonly number[] };
  readonly labels: readonly number[] | readonly (readonly number[])[];
  readonly loss: number;
  readonly matrices: {
    readonly [kind in "type-2" | "empirical"]: {
      readonly layers: { readonly [name: string]: StoredLayer };
      readonly parameters: {
        readonly [name: string]: { readonly diagonal: readonly number[]; readonly trace: number };
      };
    };
  };
}

const folder = new URL("../fixtures/structured/", import.meta.url);
const stored = JSON.parse(await readFile(new URL("kfac_layers.json", folder), "utf8")) as {
  readonly damping: number;
  readonly networks: { readonly [name: string]: StoredNetwork };
};

export const DAMPING = stored.damping;
export const networks = stored.networks;
export const networkNames = Object.keys(networks);

/** The network's risk, mean cross-entropy over its labels; ignored labels are negative. */
export async function networkRisk(
  name: string,
  { dtype = "float64", batchSize }: { readonly dtype?: Precision; readonly batchSize?: number } = {},
): Promise<Risk> {
  const network = networks[name];
  const file = network.model.split("/").pop()!;
  const model = await loadModel(await readFile(new URL(file, folder)));
  const { shape, values } = (network.inputs ?? networks.language_model.inputs) as StoredNetwork["inputs"];
  const input = model.inputs[0];
  const x: Tensor = input.dtype.startsWith("float")
    ? { data: Float32Array.from(values), dims: shape }
    : { data: BigInt64Array.from(values, BigInt), dims: shape };
  const labels = network.labels.flat() as number[];
  const y: Tensor = {
    data: Int32Array.from(labels, (label) => (label < 0 ? -100 : label)),
    dims: Array.isArray(network.labels[0]) ? [shape[0], labels.length / shape[0]] : [shape[0]],
  };
  // Recurrent networks get their zero initial state as an input: as a constant, it would not count among the positions.
  const states = model.inputs.slice(1).map(({ name: state, dims }): [string, Tensor] => {
    const size = Number(dims[2]);
    return [state, { data: new Float32Array(shape[0] * size), dims: [shape[0], 1, size] }];
  });
  const inputs = { [input.name]: x, ...Object.fromEntries(states) };
  const data = arrays({ inputs, targets: y, batchSize: batchSize ?? shape[0] });
  return empiricalRisk({ model, loss: crossEntropy({ classAxis: "last" }), data, dtype });
}
