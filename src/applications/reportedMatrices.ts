import type { LinearOperator } from "../linalg/index.ts";
import { empiricalFisher, fisher, ggn, hessian, type Risk } from "../operators/index.ts";
import { seedFor } from "./seedFor.ts";

/** The words that a report says of a matrix. */
export interface MatrixWords {
  /** In a sentence: "the Hessian". */
  readonly noun: string;
  /** In a formula: "H". */
  readonly symbol: string;
  /** What its eigenvalues measure, as a sentence. */
  readonly measures: string;
  /** Whose curvature its eigenvalues are; absent where they are no curvature of the loss. */
  readonly curvatureOf?: "the loss" | "the loss with the network linearized";
  /** Anchor of its definition in the HTML page, where that has one. */
  readonly definition?: string;
}

/** A matrix that a report can be asked for. */
export interface MatrixEntry {
  readonly words: MatrixWords;
  /** Whether it is defined for losses with a likelihood only. */
  readonly needsLikelihood?: true;
  /** Names under which options and files had it before. */
  readonly formerNames?: readonly string[];
  /** The operator, and what headings call it. Seeds of its own come from `seed`. */
  make(risk: Risk, seed: number): { readonly title: string; readonly operator: LinearOperator };
}

/** Labels sampled for the Fisher matrix of type I where a likelihood has no exact sum over labels. */
const SAMPLED_LABELS = 16;

/** The matrices of a report by name, in the order in which it shows them. A new entry appears in options, report and command line. */
export const REPORTED_MATRICES = {
  hessian: {
    words: {
      noun: "the Hessian",
      symbol: "H",
      measures: "It measures the curvature of the loss.",
      curvatureOf: "the loss",
      definition: "hessian",
    },
    make: (risk) => ({ title: "Hessian", operator: hessian(risk) }),
  },
  ggn: {
    words: {
      noun: "the Gauss-Newton matrix",
      symbol: "G",
      measures: "It measures the curvature of the loss with the network linearized at its weights.",
      curvatureOf: "the loss with the network linearized",
      definition: "ggn",
    },
    make: (risk) => ({ title: "Gauss-Newton", operator: ggn(risk) }),
  },
  fisher2: {
    words: {
      noun: "the Fisher matrix (type II)",
      symbol: "F₂",
      measures: "It measures how much the predictions move with the weights, not the curvature of the loss.",
      definition: "fisher",
    },
    needsLikelihood: true,
    make: (risk) => ({ title: "Fisher, type II", operator: fisher(risk, { type: 2 }) }),
  },
  fisher1: {
    words: {
      noun: "the Fisher matrix (type I)",
      symbol: "F₁",
      measures: "It measures how much the predictions move with the weights, not the curvature of the loss.",
      definition: "fisher",
    },
    needsLikelihood: true,
    make: fisherOfTypeOne,
  },
  empiricalFisher: {
    words: {
      noun: "the empirical Fisher matrix",
      symbol: "E",
      measures: "It measures the size of the gradients of single terms, not the curvature of the loss.",
      definition: "empirical-fisher",
    },
    formerNames: ["ef"],
    make: (risk) => ({ title: "Empirical Fisher", operator: empiricalFisher(risk) }),
  },
} as const satisfies Readonly<Record<string, MatrixEntry>>;

/** Name by which a matrix is asked for on the command line and found in the report. */
export type MatrixName = keyof typeof REPORTED_MATRICES;

/** Names of the matrices, in the order in which reports show them. */
export const matrixNames: readonly MatrixName[] = Object.keys(REPORTED_MATRICES) as MatrixName[];

/** The entry of a matrix. */
export function matrixEntry(name: MatrixName): MatrixEntry {
  return REPORTED_MATRICES[name];
}

/** The matrix of this name, whatever the case of its letters, or of a former one ("ef"); undefined if there is none. */
export function matrixNamed(text: string): MatrixName | undefined {
  const plain = text.toLowerCase();
  return matrixNames.find((name) =>
    [name, ...(matrixEntry(name).formerNames ?? [])].some((each) => each.toLowerCase() === plain),
  );
}

function fisherOfTypeOne(risk: Risk, seed: number) {
  if (risk.lossFunction.likelihood?.scoreMoment) {
    return { title: "Fisher, type I", operator: fisher(risk, { type: 1, labels: "all" }) };
  }
  const labels = { labels: SAMPLED_LABELS, seed: seedFor(seed, "labels") };
  return {
    title: `Fisher, type I (${SAMPLED_LABELS} labels sampled)`,
    operator: fisher(risk, { type: 1, ...labels }),
  };
}
