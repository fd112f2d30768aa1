import type { Value } from "../../graph/index.ts";
import type { BatchLayer } from "./batchLayer.ts";
import type { Entrance } from "./parameterPaths.ts";

/** A place where a parameter enters an operation, with what is known of the rows. */
export interface Place extends Entrance {
  readonly strides: ReadonlyMap<Value, number>;
  readonly rows: number;
}

/** What a kind of layer is without the fields that all kinds have. */
type Bare<L> = L extends BatchLayer ? Omit<L, "name" | "weight" | "bias" | "positions" | "output"> : never;

/** A layer, and the parameter that makes it one, as it enters. */
export interface FoundLayer {
  readonly layer: Bare<BatchLayer>;
  readonly weight?: Value;
  readonly bias?: Value;
}
