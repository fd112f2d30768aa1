import type { OperatorTraits } from "./traits.ts";

// Operators without a derivative rule that the importer treats specially: one declaration each, under the operator's name.

const DISCRETE = { nonDifferentiable: true } satisfies OperatorTraits;

const RANDOM = { random: true } satisfies OperatorTraits;

/** Logical conjunction. */
export const And: OperatorTraits = DISCRETE;
/** Positions of the largest elements along an axis. */
export const ArgMax: OperatorTraits = DISCRETE;
/** Positions of the smallest elements along an axis. */
export const ArgMin: OperatorTraits = DISCRETE;
/** Whether an element is infinite. */
export const IsInf: OperatorTraits = DISCRETE;
/** Logical disjunction. */
export const Or: OperatorTraits = DISCRETE;
/** Integers on a scale. */
export const QuantizeLinear: OperatorTraits = DISCRETE;
/** Logical inequality. */
export const Xor: OperatorTraits = DISCRETE;
/** Logical negation. */
export const Not: OperatorTraits = { nonDifferentiable: true, negates: true };

/** The sizes of a tensor. */
export const Shape: OperatorTraits = { nonDifferentiable: true, fromShape: "sizes" };
/** The number of elements of a tensor. */
export const Size: OperatorTraits = { nonDifferentiable: true, fromShape: "sizes" };
/** An identity matrix of the shape of a tensor. */
export const EyeLike: OperatorTraits = { nonDifferentiable: true, fromShape: "values" };
/** A tensor of one repeated number. */
export const ConstantOfShape: OperatorTraits = { sizedBy: [{ position: 0, kind: "sizes", type: "int64" }] };

/** Positions of the nonzero elements. */
export const NonZero: OperatorTraits = { nonDifferentiable: true, shapedBy: [0] };
/** Boxes that overlap little, best ones first. */
export const NonMaxSuppression: OperatorTraits = { shapedBy: [0, 1, 2, 3, 4] };
/** Parts of text. */
export const StringSplit: OperatorTraits = { shapedBy: [0] };
/** The different elements of a tensor. */
export const Unique: OperatorTraits = { shapedBy: [0] };

/** Zeros and ones, drawn with given probabilities. */
export const Bernoulli: OperatorTraits = RANDOM;
/** Classes, drawn with given probabilities. */
export const Multinomial: OperatorTraits = RANDOM;
/** Normal numbers. */
export const RandomNormal: OperatorTraits = RANDOM;
/** Normal numbers in the shape of a tensor. */
export const RandomNormalLike: OperatorTraits = RANDOM;
/** Uniform numbers. */
export const RandomUniform: OperatorTraits = RANDOM;
/** Uniform numbers in the shape of a tensor. */
export const RandomUniformLike: OperatorTraits = RANDOM;

/** One of two graphs. */
export const If: OperatorTraits = { controlFlow: { kind: "branch", decidedBy: 1 } };
/** A graph repeated as often as a count and a condition say. */
export const Loop: OperatorTraits = { controlFlow: { kind: "repetition", decidedBy: 2 } };
/** A graph repeated for each slice of its operands. */
export const Scan: OperatorTraits = { controlFlow: { kind: "repetition", decidedBy: "sizes" } };
