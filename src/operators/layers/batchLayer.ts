import type { ConvolutionGeometry, Value } from "../../graph/index.ts";

/** A parameter at the place where it enters a layer. */
export interface LayerParameter {
  /** Index into `Risk.parameters`. */
  readonly index: number;
  /** Its entries in the layout of the layer: the parameter reshaped, transposed, or a part of it. */
  readonly value: Value;
}

/** The properties that layers of all kinds have. */
interface LayerPlace {
  /** Name of the module of the parameters, as far as the file shows it: the name of the weight without its last part. */
  readonly name: string;
  /** The weight, if it is among the chosen parameters. */
  readonly weight?: LayerParameter;
  /** The bias that is added to the result, if it is among the chosen parameters. */
  readonly bias?: LayerParameter;
  /** Number of positions per row to which the layer is applied. */
  readonly positions: number;
  /** The result in the shape that the graph computes; pass it to `pullback`. */
  readonly output: Value;
  /** Rearranges a value of the shape of `output`, the result or its cotangent, to the layout of the layer. */
  arrange(value: Value): Value;
}

/** A product with a matrix W `[in, out]`: output = input W + bias. */
export interface LinearLayer extends LayerPlace {
  readonly kind: "linear";
  /** [rows, positions, in] */
  readonly input: Value;
  /** [in, out] */
  readonly weight?: LayerParameter;
  /** Output as [rows, positions, out]. */
  arrange(value: Value): Value;
}

/** A convolution with W `[out, in / groups, ...kernel]`, or a transposed convolution with W `[in, out / groups, ...kernel]`. */
export interface ConvolutionLayer extends LayerPlace {
  readonly kind: "convolution";
  readonly transposed: boolean;
  readonly geometry: ConvolutionGeometry;
  /** [rows, in, ...spatial] */
  readonly input: Value;
  /** Output as [rows, positions, out]. */
  arrange(value: Value): Value;
}

/** A lookup of rows of a table `[entries, size]` by index. */
export interface EmbeddingLayer extends LayerPlace {
  readonly kind: "embedding";
  /** Integer indices, [rows, positions]; negative ones count from the end. */
  readonly input: Value;
  /** Output as [rows, positions, size]. */
  arrange(value: Value): Value;
}

/**
 * A scale (the weight), a shift (the bias), or both, element by element: output = input * weight + bias, where parameters broadcast as
 * NumPy's do.
 */
export interface AffineLayer extends LayerPlace {
  readonly kind: "affine";
  /** The input that is scaled, [rows, ...], of a shape that broadcasts to that of the arranged output; absent without a weight. */
  readonly input?: Value;
  /** Output as [rows, ...]; parameters broadcast to the axes after the rows. */
  arrange(value: Value): Value;
}

/** A place where parameters enter an affine map. */
export type BatchLayer = LinearLayer | ConvolutionLayer | EmbeddingLayer | AffineLayer;

/** The layers of a batch. */
export interface BatchLayers {
  readonly layers: readonly BatchLayer[];
  /** Indices into `Risk.parameters` of the parameters that enter outside of layers, also or only. For these, `layers` is incomplete. */
  readonly elsewhere: readonly number[];
}
