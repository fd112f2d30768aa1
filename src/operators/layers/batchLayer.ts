import type { ConvolutionGeometry, Value } from "../../graph/index.ts";

/** A parameter where it enters a layer. */
export interface LayerParameter {
  /** Index into `Risk.parameters`. */
  readonly index: number;
  /** Its entries as they enter, in the layout that the layer states: the parameter reshaped, transposed, or a part of it. */
  readonly value: Value;
}

/** What layers of all kinds have. */
interface LayerPlace {
  /** Name of the module that the parameters belong to, as far as the file tells: that of the weight without its last part. */
  readonly name: string;
  /** The weight, where it is among the chosen parameters. */
  readonly weight?: LayerParameter;
  /** The bias that is added to the result, where there is one among the chosen parameters. */
  readonly bias?: LayerParameter;
  /** Number of places a row to which the layer is applied. */
  readonly positions: number;
  /** The result as the graph computes it: give it to `pullback`. */
  readonly output: Value;
  /** A value of the shape of `output`, the result or a cotangent of it, in the arrangement that the layer states. */
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

/** A convolution with W `[out, in / groups, ...kernel]`; or its transpose, then with W `[in, out / groups, ...kernel]`. */
export interface ConvolutionLayer extends LayerPlace {
  readonly kind: "convolution";
  readonly transposed: boolean;
  readonly geometry: ConvolutionGeometry;
  /** [rows, in, ...spatial] */
  readonly input: Value;
  /** Output as [rows, positions, out]. */
  arrange(value: Value): Value;
}

/** Rows of a table `[entries, size]` by their index. */
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
  /** What is scaled, [rows, ...], of a shape that broadcasts to that of the arranged output; absent where there is no weight. */
  readonly input?: Value;
  /** Output as [rows, ...], where parameters broadcast to what follows the rows. */
  arrange(value: Value): Value;
}

/** A place where parameters enter an affine map. */
export type BatchLayer = LinearLayer | ConvolutionLayer | EmbeddingLayer | AffineLayer;

/** The layers of a batch. */
export interface BatchLayers {
  readonly layers: readonly BatchLayer[];
  /** Indices into `Risk.parameters` of those that also enter, or only, where no layer is: what `layers` says of them is not all. */
  readonly elsewhere: readonly number[];
}
