import type { AttributeValue } from "../../../tensors/index.ts";
import type { ModelOutput, ParameterRole } from "../../model.ts";

/**
 * Facts about an operator that hold wherever it stands in a file, which the analyses of the importer ask for. An operator declares them beside
 * its rule (`Conv.traits = { ... } satisfies OperatorTraits`), one without a rule in `withoutRule.ts`; left out means "no".
 */
export interface OperatorTraits {
  /** ONNX Runtime has the operator under the domain `com.microsoft`, too. */
  readonly microsoft?: true;
  /**
   * The result consists of elements of operand 0: "unchanged", "rearranged" (each element once, perhaps at another place) or "selected" (some of
   * them left out or repeated).
   */
  readonly passes?: "unchanged" | "rearranged" | "selected";
  /** The result consists of the elements of all operands, one after the other. */
  readonly joins?: true;
  /** The result is the mean of elements of operand 0, which passes on a single number as it is. */
  readonly averages?: true;
  /** The result is the logical negation of operand 0. */
  readonly negates?: true;
  /** No derivative passes through: results are integers or truth values, or depend on the shape of the operand only. */
  readonly nonDifferentiable?: true | ((node: { readonly attributes: Attributes }) => boolean);
  /** Positions of float operands that no derivative passes through: sizes, scales, ratios, conditions. */
  readonly withoutDerivative?: readonly number[];
  /** The result depends on the shape of the operand only: "sizes" if it consists of its sizes, else "values". */
  readonly fromShape?: "sizes" | "values";
  /** Positions of operands whose elements decide the shape of the result, so that the shape depends on the data where they do. */
  readonly shapedBy?: readonly number[];
  /** Operands that say how large the result is to be, for operators whose result can be far larger than their operands. */
  readonly sizedBy?: readonly SizeOperand[] | "range";
  /** The result differs at every run. */
  readonly random?: true;
  /** The role of a constant at each position, where the operator is a layer that trains it or keeps statistics in it. */
  readonly roles?: readonly (ParameterRole | "statistics" | undefined)[];
  /** The role of a constant that an elementwise operator or a Concat combines with other values. */
  readonly constantRole?: ParameterRole;
  /** The result is linear in operand 0 up to a bias, so that a constant added to it is a bias. */
  readonly linear?: true;
  /** The result is the sum of the operands: a constant that is added to the result of a linear map is a bias. */
  readonly adds?: true;
  /** A recurrent layer: exporters reorder and concatenate its weights. */
  readonly recurrent?: true;
  /** A normalization, whose scale of ones and shift of zeros may stand for absent ones. */
  readonly normalizes?: true;
  /** Operands that the operator requires: exporters fill an absent scale or shift in with one repeated number. */
  readonly requiresAffine?: true;
  /** The activation that ends a classifier: what losses call it, and whether its results are probabilities or their logarithms. */
  readonly activation?: {
    readonly name: NonNullable<ModelOutput["activation"]>;
    readonly gives: "probabilities" | "logarithms";
  };
  /** The operator runs a part of the graph once or several times. */
  readonly controlFlow?: ControlFlow;
  /** Version of the operator set in which `axes` became an operand instead of an attribute. */
  readonly axesOperandSince?: number;
  /** Version of the operator set from which on a node can be passed to ONNX Runtime in operator set 17 unchanged. */
  readonly formSince?: number;
}

type Attributes = Readonly<Record<string, AttributeValue>>;

/** An operator that chooses a branch or repeats a body. */
export interface ControlFlow {
  readonly kind: "branch" | "repetition";
  /** Operands that decide which branch runs, or how often: the first ones, this many, or the sizes of all. */
  readonly decidedBy: number | "sizes";
}

/** An operand in which an operator reads how large its result is to be. */
export interface SizeOperand {
  readonly position: number;
  /** "sizes": their product is the number of elements; "factors": times that of the first operand; "margins": 1 + |x| each. */
  readonly kind: "sizes" | "factors" | "margins";
  /** Element type of these numbers; undefined where it is whatever the file has. */
  readonly type?: "int64" | "float32";
}
