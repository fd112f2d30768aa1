import type { Risk } from "../operators/engine/risk.ts";
import type { BlockKind, PlacedBlock } from "./blocks/index.ts";
import type { TermPasses } from "./passes/termPasses.ts";
import { type StructuredOperator, structuredOperator } from "./structuredOperator.ts";

/** The blocks that a parameter has, and why. */
export interface Coverage {
  readonly parameter: string;
  readonly kinds: readonly BlockKind[];
  readonly reason: string;
}

/** A structured approximation of a curvature matrix of a risk. */
export interface StructuredApproximation extends StructuredOperator {
  /** One line for each parameter of the risk, in its order. */
  readonly coverage: readonly Coverage[];
  /** How rows with several terms were treated. "signs" makes the sums unbiased estimates. */
  readonly terms: TermPasses["treatment"];
  /** Reverse passes for each row. */
  readonly reversePasses: number;
}

/** The operator of the blocks of a risk's matrix. */
export function approximation(
  risk: Risk,
  {
    blocks,
    passes,
  }: { readonly blocks: readonly PlacedBlock[]; readonly passes: Pick<TermPasses, "treatment" | "count"> },
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
  };
}

function coverageOf(parameter: string, blocks: readonly PlacedBlock[]): Coverage {
  return {
    parameter,
    kinds: [...new Set(blocks.map(({ block }) => block.kind))],
    reason: [...new Set(blocks.map(({ reason }) => reason))].join("; "),
  };
}
