import { CurvatureError } from "../errors/index.ts";
import { type ReadOptions, readLimits, zipContents, zipEntries } from "../files/index.ts";
import type { Tensor } from "../tensors/index.ts";
import { checkBytes } from "./checkBytes.ts";
import { type Named, readNpy } from "./readNpy.ts";

/** Suffix of the names of arrays in the archive. */
const suffix = ".npy";

/** Names of the arrays in an NPZ file, without ".npy", in the order of the archive. Reads only the directory. */
export function npzNames(bytes: Uint8Array, { name = "data in memory" }: Named = {}): readonly string[] {
  checkBytes(bytes, "npzNames");
  return zipEntries(bytes, { archive: name })
    .map((entry) => entry.name)
    .filter((file) => file.endsWith(suffix))
    .map((file) => file.slice(0, -suffix.length));
}

/**
 * Arrays of an NPZ file (from numpy.savez or savez_compressed) by name. Verifies their checksums.
 *
 * @param options `members` limits what is read to these arrays; `memoryLimit` is for the archive and all of them together
 * @throws CurvatureError if the bytes are not a complete zip archive, lack a member, or an array cannot be read, is damaged or larger than
 *   the limit
 */
export function readNpz(
  bytes: Uint8Array,
  {
    name = "data in memory",
    members,
    ...options
  }: Named & Pick<ReadOptions, "memoryLimit"> & { readonly members?: readonly string[] } = {},
): { readonly [member: string]: Tensor } {
  checkBytes(bytes, "readNpz");
  const entries = new Map(zipEntries(bytes, { archive: name }).map((entry) => [entry.name, entry]));
  const names = [...entries.keys()]
    .filter((file) => file.endsWith(suffix))
    .map((file) => file.slice(0, -suffix.length));
  let { memoryLimit } = readLimits(options);
  const read = (member: string) => {
    const entry = entries.get(`${member}${suffix}`);
    if (entry === undefined) {
      const present = names.length === 0 ? "no arrays" : names.join(", ");
      throw new CurvatureError("file", `${name}: expected an array "${member}", the archive has ${present}`);
    }
    const contents = zipContents(bytes, { entry, archive: name, memoryLimit });
    memoryLimit -= contents.length;
    return [member, readNpy(contents, { name: `${name}:${member}` })] as const;
  };
  return Object.fromEntries((members ?? names).map(read));
}
