import { memoized } from "../concurrency/index.ts";
import type { Risk } from "../operators/engine/risk.ts";
import type { BlockKind, PlacedBlock } from "./blocks/index.ts";
import type { TermPasses } from "./passes/termPasses.ts";
import { type RiskIdentity, riskIdentity } from "./riskIdentity.ts";
import { type StructuredOperator, structuredOperator } from "./structuredOperator.ts";

/** The blocks that a parameter has, and why. */
export interface Coverage {
  readonly parameter: string;
  readonly kinds: readonly BlockKind[];
  readonly reason: string;
}

/** What a structured matrix was made of, so that `mergeStructured` can add other rows. */
export interface Build {
  readonly method: string;
  /** The options that its numbers depend on, as text. */
  readonly options: string;
  /** Whether it has input factors alone, without the loss's scale. */
  readonly inputsAlone: boolean;
  /** Rows that it is a sum over, and those of the whole data set, of which `firstRow` is the first. */
  readonly rows: number;
  readonly wholeRows: number;
  readonly firstRow: number;
  readonly denominator: number;
  readonly reduction: string;
  /** Identity of the objective; the first call reads the weights and needs the risk. */
  readonly identity: () => Promise<RiskIdentity>;
}

/** A structured approximation of a curvature matrix of a risk. */
export interface StructuredApproximation extends StructuredOperator {
  /** One line for each parameter of the risk, in its order. */
  readonly coverage: readonly Coverage[];
  /** How rows with several terms were treated. "signs" makes the sums unbiased estimates. */
  readonly terms: TermPasses["treatment"];
  /** Reverse passes for each row. */
  readonly reversePasses: number;
  /** What it was made of, for `mergeStructured`; absent where its sums over rows are not kept. */
  readonly build?: Build;
}

/** The operator of the blocks of a risk's matrix. */
export function approximation(
  risk: Risk,
  {
    blocks,
    passes,
    made,
  }: {
    readonly blocks: readonly PlacedBlock[];
    readonly passes: Pick<TermPasses, "treatment" | "count">;
    readonly made?: Pick<Build, "method" | "options"> & Partial<Pick<Build, "inputsAlone">>;
  },
): StructuredApproximation {
  const { size, dtype, settings } = risk;
  const threads = typeof settings.threads === "number" ? settings.threads : undefined;
  return {
    ...structuredOperator({ size, blocks, dtype, threads }),
    coverage: risk.parameters.map(({ name }, index) =>
      coverageOf(
        name,
        blocks.filter(({ parameters }) => parameters.includes(index)),
      ),
    ),
    terms: passes.treatment,
    reversePasses: passes.count,
    ...(made && { build: buildOf(risk, { inputsAlone: false, ...made }) }),
  };
}

function buildOf(risk: Risk, made: Pick<Build, "method" | "options" | "inputsAlone">): Build {
  const { summedRows, shard, lossFunction } = risk;
  return {
    ...made,
    rows: summedRows,
    wholeRows: shard.rows,
    firstRow: summedRows === shard.rows ? 0 : shard.firstRow,
    denominator: shard.denominator,
    reduction: lossFunction.reduction,
    identity: memoized(() => riskIdentity(risk)),
  };
}

/** An approximation with other blocks for more rows. */
export function mergedApproximation(
  { shape, dtype, coverage, terms, reversePasses }: StructuredApproximation,
  { blocks, build }: { readonly blocks: readonly PlacedBlock[]; readonly build: Build },
): StructuredApproximation {
  return { ...structuredOperator({ size: shape[0], blocks, dtype }), coverage, terms, reversePasses, build };
}

function coverageOf(parameter: string, blocks: readonly PlacedBlock[]): Coverage {
  return {
    parameter,
    kinds: [...new Set(blocks.map(({ block }) => block.kind))],
    reason: [...new Set(blocks.map(({ reason }) => reason))].join("; "),
  };
}
