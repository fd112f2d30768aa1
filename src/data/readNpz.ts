import { unzipSync } from "fflate";
import { CurvatureError } from "../errors/index.ts";
import type { Tensor } from "../tensors/index.ts";
import { type Named, readNpy } from "./readNpy.ts";

/** Whether bytes begin as a zip archive does. */
export function isZip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x50 && bytes[1] === 0x4b && (bytes[2] === 3 || bytes[2] === 5); // PK
}

/** Names of the arrays in an NPZ file, without ".npy", in the order of the archive; reads only its directory. */
export function npzNames(bytes: Uint8Array, { name = "data in memory" }: Named = {}): readonly string[] {
  const names: string[] = [];
  unzip(bytes, name, (file) => {
    if (file.endsWith(".npy")) names.push(file.slice(0, -".npy".length));
    return false;
  });
  return names;
}

/**
 * Arrays of an NPZ file, as numpy.savez and savez_compressed write it, by name.
 *
 * @param options `members` limits what is read to these arrays
 * @throws CurvatureError if the bytes are no complete zip archive, lack a member, or an array cannot be read
 */
export function readNpz(
  bytes: Uint8Array,
  { name = "data in memory", members }: Named & { readonly members?: readonly string[] } = {},
): { readonly [member: string]: Tensor } {
  const names = npzNames(bytes, { name });
  const missing = members?.find((member) => !names.includes(member));
  if (missing !== undefined) {
    const present = names.length === 0 ? "no arrays" : names.join(", ");
    throw new CurvatureError("file", `${name}: expected an array "${missing}", the archive has ${present}`);
  }
  const wanted = members ?? names;
  const files = unzip(bytes, name, (file) => wanted.some((member) => file === `${member}.npy`));
  return Object.fromEntries(
    wanted.map((member) => [member, readNpy(files[`${member}.npy`]!, { name: `${name}:${member}` })] as const),
  );
}

function unzip(bytes: Uint8Array, name: string, filter: (file: string) => boolean) {
  try {
    return unzipSync(bytes, { filter: (file) => filter(file.name) });
  } catch (cause) {
    throw new CurvatureError("file", `${name}: expected a complete NPZ (zip) file, got a truncated or damaged one`, {
      cause,
    });
  }
}
