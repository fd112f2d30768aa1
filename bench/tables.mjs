// @ts-check
import { CURVLINOPS, memoryProblems, OURS, targets } from "./targets.mjs";

/** @typedef {{ problem: string, threads: number, library: string, quantity: string, min_ms: number, median_ms: number, repeats: number, undisturbed: number, matvecs?: number, peak_mib?: number, error?: string }} Row */

/**
 * @param {readonly Row[]} rows
 * @param {{ problem: string, threads: number, library: string, quantity: string }} key
 */
function find(rows, { problem, threads, library, quantity }) {
  return rows.find(
    (row) =>
      row.problem === problem &&
      row.threads === threads &&
      row.library === library &&
      row.quantity === quantity &&
      row.error === undefined,
  );
}

/**
 * Quantities of a fixed number of steps, compared product by product: an algorithm that sees that it cannot get further stops
 * before, which is no gain in speed.
 */
const BY_PRODUCT = new Set(["cg_50"]);

/**
 * @param {Row} ours
 * @param {Row} other
 */
function ratioOf(ours, other) {
  const products = (/** @type {Row} */ row) => (BY_PRODUCT.has(row.quantity) ? (row.matvecs ?? 1) : 1);
  const factor = products(other) / products(ours);
  return { median: (factor * ours.median_ms) / other.median_ms, min: (factor * ours.min_ms) / other.min_ms };
}

/**
 * Markdown tables of a comparison: all times, then the targets.
 *
 * @param {readonly Row[]} rows
 */
export function tables(rows) {
  return `${timesTable(rows)}\n\n${targetsTable(rows)}`;
}

/** @param {readonly Row[]} rows */
function timesTable(rows) {
  const timed = rows.filter((row) => row.median_ms !== undefined);
  const libraries = [OURS, CURVLINOPS, ...new Set(timed.map((row) => row.library))].filter(
    (library, i, all) => all.indexOf(library) === i && timed.some((row) => row.library === library),
  );
  const keys = [...new Set(timed.map(({ problem, threads, quantity }) => `${problem} ${threads} ${quantity}`))];
  const body = keys.map((key) => {
    const [problem, threads, quantity] = key.split(" ");
    const of = (/** @type {string} */ library, name = quantity) =>
      find(timed, { problem, threads: Number(threads), library, quantity: name });
    const [ours, peer] = [of(OURS), of(CURVLINOPS)];
    const gradient = of(OURS, "gradient");
    return [
      problem,
      threads,
      quantity,
      ...libraries.map((library) => cell(of(library))),
      ours && gradient ? short(ours.median_ms / gradient.median_ms) : "",
      ours && peer ? `${short(ratioOf(ours, peer).median)} (${short(ratioOf(ours, peer).min)})` : "",
      ours && peer ? `${ours.undisturbed}/${ours.repeats}, ${peer.undisturbed}/${peer.repeats}` : "",
    ];
  });
  const head = [
    "problem",
    "threads",
    "quantity",
    ...libraries.map((library) => `${library} ms`),
    "in our gradients",
    "ours / curvlinops (of least times)",
    "undisturbed repeats",
  ];
  return markdown(head, body);
}

/** @param {Row | undefined} row */
function cell(row) {
  if (row === undefined) return "";
  return row.matvecs === undefined ? short(row.median_ms) : `${short(row.median_ms)} (${row.matvecs} products)`;
}

/** @param {readonly Row[]} rows */
function targetsTable(rows) {
  const body = targets.flatMap(({ problem, of, over, limit, per = 1 }) =>
    [1, 2].flatMap((threads) => {
      const ours = find(rows, { problem, threads, library: OURS, quantity: of });
      const other = find(rows, { problem, threads, ...over });
      if (ours === undefined || other === undefined) return [];
      const { median, min } = ratioOf(ours, other);
      const name = targetName({ of, over, per });
      const reached = [short(median / per), short(min / per)];
      return [[problem, `${threads}`, name, ...reached, `${limit}`, met(median / per, limit)]];
    }),
  );
  const memory = memoryProblems.flatMap((problem) => {
    const key = { problem, threads: 1 };
    const ours = find(rows, { ...key, library: OURS, quantity: "fresh_hessian" })?.peak_mib;
    const theirs = find(rows, { ...key, library: CURVLINOPS, quantity: "memory_hessian" })?.peak_mib;
    if (ours === undefined || theirs === undefined) return [];
    const name = `peak memory of a process doing H v, ${ours.toFixed(0)} and ${theirs.toFixed(0)} MiB`;
    return [[problem, "1", name, short(ours / theirs), "", "1", met(ours / theirs, 1)]];
  });
  return markdown(["problem", "threads", "ratio", "reached", "of least times", "target", "met"], [...body, ...memory]);
}

/** @param {{ of: string, over: import("./targets.mjs").Timed, per: number }} target */
function targetName({ of, over, per }) {
  const what = per === 1 ? of : `${of}, a column,`;
  if (over.library === OURS) return `${what} / our ${over.quantity}`;
  const { quantity } = over;
  if (quantity === "hessian_plain") return `${what} / PyTorch's plain double backward`;
  if (quantity === "gradient") return `${what} / PyTorch's`;
  return quantity === "ggn_compiled" ? `${what} / curvlinops under torch.compile` : `${what} / curvlinops`;
}

/**
 * @param {number} ratio
 * @param {number} limit
 */
function met(ratio, limit) {
  return ratio <= limit ? "yes" : "no";
}

/** @param {number} value */
function short(value) {
  return value >= 1000 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

/**
 * @param {readonly string[]} head
 * @param {readonly (readonly string[])[]} body
 */
function markdown(head, body) {
  const line = (/** @type {readonly string[]} */ cells) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map((_, i) => (i < 3 ? "---" : "--:"))), ...body.map(line)].join("\n");
}
