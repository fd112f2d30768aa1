import { CurvatureError } from "../errors/index.ts";
import { type RangeFile, zipDirectory, zipRanges } from "../files/index.ts";

/** Suffix of the names of arrays in the archive. */
const SUFFIX = ".npy";

/** An NPZ file whose arrays are read in ranges. */
export interface NpzRanges {
  readonly names: readonly string[];
  /** An array as an NPY file. */
  member(name: string): Promise<RangeFile>;
}

/**
 * The arrays of an NPZ file. Ranges are found in arrays that are not compressed, as `numpy.savez` writes them.
 *
 * @throws CurvatureError "file" for damaged archives and members that do not exist; "unsupported" for compressed ones
 */
export async function streamNpz(file: RangeFile): Promise<NpzRanges> {
  const entries = (await zipDirectory(file)).filter(({ name }) => name.endsWith(SUFFIX));
  const names = entries.map(({ name }) => name.slice(0, -SUFFIX.length));
  return {
    names,
    async member(name) {
      const entry = entries[names.indexOf(name)];
      if (entry === undefined) {
        const present = names.length === 0 ? "no arrays" : names.join(", ");
        throw new CurvatureError("file", `${file.name}: expected an array "${name}", the archive has ${present}`);
      }
      if (entry.method === 0 && entry.size === entry.compressedSize) {
        return { ...(await zipRanges(file, entry)), name: `${file.name}:${name}` };
      }
      throw new CurvatureError(
        "unsupported",
        `${file.name}:${name}: expected an array that is not compressed, so that its rows are found by their offset; write it with numpy.savez, or leave out stream (--stream)`,
      );
    },
  };
}
