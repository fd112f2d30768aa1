import { CurvatureError } from "../errors/index.ts";

/** Throws "argument" unless the value is a Uint8Array, for callers without a type checker. */
export function checkBytes(bytes: Uint8Array, caller: string): void {
  if (bytes instanceof Uint8Array) return;
  throw new CurvatureError("argument", `${caller} expects the bytes of a file as a Uint8Array, got ${typeof bytes}`);
}
