import type { Dtype } from "../../../tensors/index.ts";

/** Known facts about a value before anything is computed. */
export interface KnownValue {
  readonly dims: readonly number[];
  readonly type: Dtype;
  /** Its elements, where they are few and depend on shapes and constants alone. */
  readonly elements?: readonly number[];
}

/** Elements of a value beyond which they are not followed: sizes are few numbers. */
export const MOST_FOLLOWED = 1024;

/** The operands of a node of which everything is known; undefined for those that are absent or unknown. */
export interface KnownNode {
  readonly op: string;
  readonly inputs: readonly (KnownValue | undefined)[];
  /** Attributes of one or several integers, as lists. */
  readonly integers: (name: string) => readonly number[] | undefined;
  readonly outputs: number;
}
