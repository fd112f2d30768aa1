import { CurvatureError } from "../errors/index.ts";
import type { PlacedBlock } from "./blocks/index.ts";

/**
 * Checks that blocks cover each entry of a vector once.
 *
 * @throws CurvatureError "shape" for blocks that overlap, leave entries out or lie outside of [0, size), "argument" for another size
 */
export function checkCover(blocks: readonly PlacedBlock[], size: number): void {
  if (!(Number.isSafeInteger(size) && size > 0)) {
    throw new CurvatureError("argument", `structuredOperator: size must be a positive integer, got ${String(size)}`);
  }
  const owner = new Int32Array(size).fill(-1);
  const take = (entry: number, index: number) => {
    if (owner[entry] !== -1) {
      throw new CurvatureError(
        "shape",
        `blocks ${blocks[owner[entry]].name} and ${blocks[index].name} both have entry ${entry}`,
      );
    }
    owner[entry] = index;
  };
  for (const [index, placed] of blocks.entries()) {
    const { place } = placed;
    const [first, last] = checkedExtent(placed, size);
    if ("indices" in place) for (const entry of place.indices) take(entry, index);
    else for (let entry = first; entry <= last; entry++) take(entry, index);
  }
  const missing = owner.indexOf(-1);
  if (missing !== -1) {
    throw new CurvatureError("shape", `no block has entry ${missing}; give it a diagonal block, of zeros if need be`);
  }
}

/** The smallest and largest entry of a block's place. */
function checkedExtent({ name, block, place }: PlacedBlock, size: number): readonly [first: number, last: number] {
  const refuse = (message: string) => {
    throw new CurvatureError("shape", `block ${name} has ${message}`);
  };
  let [first, last, count] = [0, -1, block.size];
  if ("indices" in place) {
    count = place.indices.length;
    first = place.indices.reduce((least, entry) => Math.min(least, entry), count === 0 ? 0 : Number.POSITIVE_INFINITY);
    last = place.indices.reduce((most, entry) => Math.max(most, entry), -1);
  } else {
    const { offset, transposed } = place;
    if (!Number.isInteger(offset)) refuse(`the offset ${offset}; give an integer`);
    if (transposed !== undefined && transposed[0] * transposed[1] !== block.size) {
      refuse(`${block.size} entries and a transposed place [${transposed[0]}, ${transposed[1]}]`);
    }
    [first, last] = [offset, offset + block.size - 1];
  }
  if (count !== block.size) refuse(`${block.size} entries and a place for ${count}`);
  if (count > 0 && !(first >= 0 && last < size)) {
    refuse(`entry ${first < 0 ? first : last}, outside of a vector of ${size}`);
  }
  return [first, last];
}
