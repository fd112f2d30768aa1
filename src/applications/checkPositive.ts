import { CurvatureError } from "../errors/index.ts";

/** Refuses what is no positive finite number. */
export function checkPositive(name: string, option: string, value: unknown): void {
  if (typeof value === "number" && value > 0 && Number.isFinite(value)) return;
  throw new CurvatureError(
    "argument",
    `${name} expects ${option} to be a positive finite number, got ${String(value)}`,
  );
}
