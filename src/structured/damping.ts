import { CurvatureError } from "../errors/index.ts";
import type { BlockDamping, DampingKind, PlacedBlock } from "./blocks/index.ts";

/** A damping d of a structured matrix: one number, one for each block, or a function of the block. */
export type Damping = number | readonly number[] | ((placed: PlacedBlock, index: number) => number);

/**
 * The damping of each block.
 *
 * @throws CurvatureError "argument" for another number of dampings, or one that is negative or not finite
 */
export function blockDampings(
  name: string,
  {
    damping,
    kind,
    blocks,
  }: { readonly damping: Damping; readonly kind: DampingKind; readonly blocks: readonly PlacedBlock[] },
): readonly BlockDamping[] {
  if (!["exact", "heuristic", "factors"].includes(kind)) {
    throw new CurvatureError(
      "argument",
      `${name}: kind must be "exact", "heuristic" or "factors", got ${JSON.stringify(kind)}`,
    );
  }
  if (typeof damping === "object" && damping !== null && damping.length !== blocks.length) {
    throw new CurvatureError(
      "argument",
      `${name}: damping must be one number or one for each of the ${blocks.length} blocks, got ${damping.length}`,
    );
  }
  return blocks.map((placed, index) => {
    const value =
      typeof damping === "function" ? damping(placed, index) : typeof damping === "number" ? damping : damping?.[index];
    if (typeof value === "number" && Number.isFinite(value) && value >= 0) return { value, kind };
    throw new CurvatureError(
      "argument",
      `${name}: damping must be a finite number that is not negative, got ${String(value)} for ${placed.name}`,
    );
  });
}
