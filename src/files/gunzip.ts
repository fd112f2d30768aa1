import { gunzipMembers } from "#files";
import { CurvatureError } from "../errors/index.ts";
import { tooLarge } from "./readOptions.ts";

/** Whether bytes begin like a gzip file (RFC 1952). */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/** Length of header and trailer without contents. */
const SHORTEST = 18;

/**
 * Contents of a gzip file of one or several members. Checksum and length of every member are verified, so any changed bit is detected,
 * except in fields that do not affect the contents (time, system).
 *
 * @param options `name` of the file, for messages
 * @throws CurvatureError "file" if the file is truncated or damaged, or the file and its contents exceed the memory limit
 */
export function gunzip(
  bytes: Uint8Array,
  { name, memoryLimit }: { readonly name: string; readonly memoryLimit: number },
): Uint8Array {
  if (bytes.length < SHORTEST) throw damaged(name, "too short");
  let contents: Uint8Array | undefined;
  try {
    contents = gunzipMembers(bytes, memoryLimit - bytes.length);
  } catch (cause) {
    throw damaged(name, cause instanceof Error ? cause.message : String(cause), cause);
  }
  if (contents === undefined) throw tooLarge(`${name}: decompressing it`, { memoryLimit });
  return contents;
}

function damaged(name: string, why: string, cause?: unknown): CurvatureError {
  return new CurvatureError(
    "file",
    `${name}: expected a complete gzip file, got one that is truncated or damaged; copy or download it again (${why})`,
    { cause },
  );
}
