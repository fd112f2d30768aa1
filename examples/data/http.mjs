import { asyncData } from "onnx-curvature";

/**
 * A data set whose rows come from a server in pages, `GET ADDRESS?from=0&count=1000`, each a JSON list of `{ x: [numbers], y: label }`. Every product asks
 * for all pages again; memory holds one page and one batch. A database is read in the same way: one query with LIMIT and OFFSET, or a cursor that
 * each pass opens anew, in an ORDER BY that never changes.
 *
 * @param {string | URL} address
 * @param {{ rows: number, columns: number, pageSize?: number }} options the number of rows, and of numbers in each
 */
export const rowsOfServer = (address, { rows, columns, pageSize = 1000 }) =>
  asyncData({
    rows,
    description: `rows of ${new URL(address).host}`,
    async *batches() {
      for (let from = 0; from < rows; from += pageSize) {
        const page = await pageOf(address, { from, count: Math.min(pageSize, rows - from) });
        yield {
          inputs: { data: Float32Array.from(page.flatMap(({ x }) => x)), dims: [page.length, columns] },
          targets: { data: Int32Array.from(page, ({ y }) => y), dims: [page.length] },
        };
      }
    },
  });

/** Passes must not differ, so an answer that failed is asked for again, and given up after three times. */
async function pageOf(address, range) {
  const url = new URL(address);
  for (const [name, value] of Object.entries(range)) url.searchParams.set(name, String(value));
  for (let attempt = 1; ; attempt++) {
    const response = await fetch(url);
    if (response.ok) return /** @type {Promise<{ x: number[], y: number }[]>} */ (response.json());
    if (attempt === 3) throw new Error(`${url}: HTTP ${response.status}`);
  }
}
