import type { Value } from "../../graph/index.ts";
import type { BatchLayer } from "./batchLayer.ts";
import type { Entrance } from "./parameterPaths.ts";

/** A place where a parameter enters an operation, with the layout of the rows. */
export interface Place extends Entrance {
  readonly strides: ReadonlyMap<Value, number>;
  readonly rows: number;
}

/** A kind of layer without the fields that all kinds share. */
type Bare<L> = L extends BatchLayer ? Omit<L, "name" | "weight" | "bias" | "positions" | "output"> : never;

/** A layer and the parameter that defines it. */
export interface FoundLayer {
  readonly layer: Bare<BatchLayer>;
  readonly weight?: Value;
  readonly bias?: Value;
}
