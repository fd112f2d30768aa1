import type { CurvatureReport } from "../applications/report.ts";
import { CurvatureError, printableJson } from "../errors/index.ts";

const LINE = 120;

function isPlain(value: unknown): boolean {
  return value === null || typeof value !== "object";
}

/** Whether a value is written on one line: arrays of numbers, and records of numbers and strings. */
function isFlat(value: object): boolean {
  return (Array.isArray(value) ? value : Object.values(value)).every(isPlain);
}

function requireFinite(value: number, path: string): string {
  if (!Number.isFinite(value)) {
    throw new CurvatureError(
      "numeric",
      `expected finite numbers for report.json, got ${value} in ${path}; more probes or a smaller loss scale may help`,
    );
  }
  return Object.is(value, -0) ? "-0" : String(value);
}

function write(value: unknown, path: string, indent: string): string {
  if (typeof value === "number") return requireFinite(value, path);
  if (isPlain(value)) return JSON.stringify(value);
  const inner = `${indent}  `;
  const list = Array.isArray(value);
  const members = list
    ? value.map((item, i) => write(item, `${path}[${i}]`, inner))
    : Object.entries(value as object)
        .filter(([, member]) => member !== undefined)
        .map(([name, member]) => `${JSON.stringify(name)}: ${write(member, path ? `${path}.${name}` : name, inner)}`);
  const [open, close] = list ? "[]" : "{}";
  if (members.length === 0) return `${open}${close}`;
  const line = list ? `[${members.join(", ")}]` : `{ ${members.join(", ")} }`;
  const numbers = list && isFlat(value);
  if (numbers || (indent && isFlat(value as object) && indent.length + line.length <= LINE)) return line;
  return `${open}\n${inner}${members.join(`,\n${inner}`)}\n${indent}${close}`;
}

/**
 * Text of report.json: the report object as JSON. Every number has the digits that restore it exactly; arrays of numbers and small records
 * are on one line each. Control characters of names are escaped.
 *
 * @throws CurvatureError "numeric" if a number is infinite or not a number, which JSON cannot represent; the message names the member
 */
export function renderJson(report: CurvatureReport): string {
  return printableJson(`${write(report, "", "")}\n`);
}
