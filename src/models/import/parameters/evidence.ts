import type { EvidenceKind } from "../../model.ts";
import type { StoredConstant } from "../prepared/preparedModel.ts";
import type { Content } from "./contents.ts";
import type { Usage } from "./usages.ts";

/** A float tensor that the output depends on differentiably, with what is known of it. */
export interface Candidate {
  readonly name: string;
  readonly dims: readonly number[];
  readonly origin: StoredConstant["origin"];
  /** float32 or float64 as stored, row-major. */
  readonly data: Float32Array | Float64Array;
  readonly content: Content;
  /** The use that says most of it. */
  readonly usage: Usage | undefined;
}

/** One kind of evidence about a tensor. */
export interface Evidence {
  /** Whether it is a weight. */
  readonly weight: boolean;
  readonly kind: EvidenceKind;
  readonly reason: string;
  /** Where false, the decision is a rule for want of evidence, and a notice says so. */
  readonly certain: boolean;
  /** Names of the trained tensors that the exporter computed this one from, where it is more than a rearranged copy. */
  readonly computedFrom?: readonly string[];
}

/** Evidence that a tensor is a weight. */
export function isWeight(kind: EvidenceKind, reason: string, certain = true): Evidence {
  return { weight: true, kind, reason, certain };
}

/** Evidence that a tensor is a constant. */
export function isConstant(kind: EvidenceKind, reason: string, certain = true): Evidence {
  return { weight: false, kind, reason, certain };
}
