import { readFile } from "node:fs/promises";
import { CurvatureError, type CurvatureReport } from "../index.ts";

/**
 * Reads the report of a stopped run.
 *
 * @throws CurvatureError "file" if there is none, or a finished one
 */
export async function stoppedReport(path: string): Promise<CurvatureReport> {
  const found = await readReport(path);
  if (found?.partial === true) return found;
  const state = found === undefined ? "there is no report of a stopped run" : "that report is finished";
  throw new CurvatureError("file", `${path}: ${state}; leave out --resume to make one`);
}

async function readReport(path: string): Promise<CurvatureReport | undefined> {
  try {
    const found: unknown = JSON.parse(await readFile(path, "utf8"));
    return typeof found === "object" && found !== null ? (found as CurvatureReport) : undefined;
  } catch {
    return undefined;
  }
}
