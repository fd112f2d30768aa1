import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { loadData } from "../../src/data/index.ts";

const folder = mkdtempSync(join(tmpdir(), "onnx-curvature-large-"));
afterAll(() => rmSync(folder, { recursive: true }));

const SIZE = 1e9;
/** Numbers of a row; the label is their number modulo 10. */
const COLUMNS = 20;
const value = (row: number, column: number) => ((row * 31 + column * 17) % 1009) / 8;
const numbers = (row: number) => Array.from({ length: COLUMNS }, (_, column) => value(row, column));

/** Writes at least so many bytes and returns the number of rows. */
function written(
  path: string,
  { head, line }: { readonly head: string; readonly line: (row: number) => string },
): number {
  const file = openSync(path, "w");
  let [rows, size] = [0, writeSync(file, head)];
  while (size < SIZE) {
    let block = "";
    for (const end = rows + 5000; rows < end; rows++) block += line(rows);
    size += writeSync(file, block);
  }
  closeSync(file);
  return rows;
}

/** An NPY file of float32 `[rows, COLUMNS]`. */
function writtenNpy(path: string): number {
  const rows = Math.ceil(SIZE / (4 * COLUMNS));
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${rows}, ${COLUMNS}), }`.padEnd(117);
  const file = openSync(path, "w");
  writeSync(file, Uint8Array.from([0x93, ...Buffer.from("NUMPY"), 1, 0, 118, 0, ...Buffer.from(`${text}\n`)]));
  for (let first = 0; first < rows; first += 50_000) {
    const count = Math.min(50_000, rows - first);
    writeSync(
      file,
      Float32Array.from({ length: count * COLUMNS }, (_, i) => value(first + Math.floor(i / COLUMNS), i % COLUMNS)),
    );
  }
  closeSync(file);
  return rows;
}

const header = `${Array.from({ length: COLUMNS }, (_, column) => `c${column}`).join(",")},y\n`;

test.each<[name: string, most: number, write: (path: string) => number | Promise<number>]>([
  [
    "rows.csv",
    300e6,
    (path) => written(path, { head: header, line: (row) => `${numbers(row).join(",")},${row % 10}\n` }),
  ],
  [
    "rows.jsonl",
    300e6,
    (path) => written(path, { head: "", line: (row) => `${JSON.stringify([...numbers(row), row % 10])}\n` }),
  ],
  ["rows.npy", 300e6, writtenNpy],
])("%s of a gigabyte is read in at most %d bytes", async (name, most, write) => {
  const path = join(folder, name);
  const rows = await write(path);
  global.gc?.();
  const before = process.memoryUsage.rss();
  const label = name === "rows.npy" ? { label: false as const } : {};
  const wanted = { x: { dims: [null, COLUMNS], dtype: "float32" } } as const;
  const started = performance.now();
  const data = await loadData({ wanted, data: path, stream: true, ...label });
  expect(data.rows).toBe(rows);
  let peak = process.memoryUsage.rss();
  let sum = 0;
  for await (const { start, inputs, targets } of data.batches()) {
    const { data: x } = inputs.x!;
    for (const row of [0, inputs.x!.dims[0]! - 1]) {
      expect(x[row * COLUMNS + 3]).toBe(value(start + row, 3));
      if (targets !== undefined) expect(targets.data[row]).toBe((start + row) % 10);
    }
    sum += inputs.x!.dims[0]!;
    peak = Math.max(peak, process.memoryUsage.rss());
  }
  const seconds = (performance.now() - started) / 1000;
  process.stdout.write(
    `${name}: ${rows} rows, two passes in ${seconds.toFixed(1)} s, ${((peak - before) / 1e6).toFixed(0)} MB more than before\n`,
  );
  expect(sum).toBe(rows);
  expect(peak - before).toBeLessThan(most);
  await rm(path);
});
