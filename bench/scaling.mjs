// @ts-check
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { arrays, crossEntropy, empiricalRisk, ggn, hessian } from "onnx-curvature";
import { perceptron } from "./networks.mjs";
import { normalVector, uniformNumbers } from "./random.mjs";
import { median } from "./timing.mjs";
import { linesOf } from "./worker.mjs";

/*
 * What a product with the Hessian and with the Gauss-Newton matrix of a small network (64-16-10) takes from a thousand rows to a
 * million, without residuals kept, and the peak of memory beyond the data: one JSON line a number of rows, each in a process of its own.
 * With --write the lines become the figure docs/scaling.svg.
 */

const { values } = parseArgs({
  options: {
    rows: { type: "string", default: "1000,3000,10000,30000,100000,300000,1000000" },
    batch: { type: "string", default: "1000" },
    threads: { type: "string", default: "1" },
    one: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
  },
});

/** @typedef {{ rows: number, batch: number, hessian_ms: number, ggn_ms: number, memory_mib: number }} Line */

/**
 * @param {() => Promise<unknown>} work
 */
async function milliseconds(work) {
  await work();
  const times = [];
  for (let i = 0; i < 5; i++) {
    const start = performance.now();
    await work();
    times.push(performance.now() - start);
  }
  return Number(median(times).toPrecision(4));
}

/**
 * @param {number} rows
 * @returns {Promise<Line>}
 */
async function measured(rows) {
  const batch = Number(values.batch);
  const random = uniformNumbers(5);
  const labels = BigInt64Array.from({ length: rows }, () => BigInt(Math.floor(random() * 10)));
  const data = arrays({
    inputs: { data: normalVector(random, rows * 64), dims: [rows, 64] },
    targets: { data: labels, dims: [rows] },
    batchSize: batch,
  });
  const before = process.resourceUsage().maxRSS;
  const model = perceptron([64, 16, 10], "tanh");
  const threads = Number(values.threads);
  const risk = await empiricalRisk({ model, data, loss: crossEntropy(), threads, cache: 0 });
  const v = normalVector(random, risk.size);
  const hessian_ms = await milliseconds(() => hessian(risk).matvec(v));
  const ggn_ms = await milliseconds(() => ggn(risk).matvec(v));
  const memory_mib = Math.round((process.resourceUsage().maxRSS - before) / 1024);
  await risk.dispose();
  return { rows, batch, hessian_ms, ggn_ms, memory_mib };
}

/**
 * Two panels side by side, as one SVG document: time over rows and memory over rows.
 *
 * @param {readonly Line[]} lines
 */
function figure(lines) {
  const { document } = parseHTML("<html><body></body></html>");
  const times = lines.flatMap(({ rows, hessian_ms, ggn_ms }) => [
    { rows, ms: hessian_ms, matrix: "Hessian" },
    { rows, ms: ggn_ms, matrix: "Gauss-Newton" },
  ]);
  /** @param {string} matrix */
  const middle = (matrix) => times.filter((point) => point.matrix === matrix)[Math.floor(lines.length / 2)];
  /** @type {readonly { matrix: string, textAnchor: "start" | "end", dx: number, dy: number }[]} */
  const labels = [
    { matrix: "Hessian", textAnchor: "end", dx: -8, dy: -6 },
    { matrix: "Gauss-Newton", textAnchor: "start", dx: 8, dy: 8 },
  ];
  const size = { width: 380, height: 280, marginLeft: 52, marginBottom: 42, document };
  const x = { type: /** @type {const} */ ("log"), label: "rows", tickFormat: "~s" };
  const time = Plot.plot({
    ...size,
    x,
    y: { type: "log", label: "ms a product", tickFormat: "~s", grid: true },
    color: { domain: ["Hessian", "Gauss-Newton"], range: ["#1f4e79", "#c0504d"] },
    marks: [
      Plot.line(times, { x: "rows", y: "ms", stroke: "matrix" }),
      Plot.dot(times, { x: "rows", y: "ms", fill: "matrix", r: 3 }),
      ...labels.map(({ matrix, ...place }) =>
        Plot.text([middle(matrix)], { x: "rows", y: "ms", text: "matrix", fill: "matrix", ...place }),
      ),
    ],
  });
  const memory = Plot.plot({
    ...size,
    x,
    y: {
      label: "MiB beyond the data",
      domain: [0, 1.4 * Math.max(...lines.map((line) => line.memory_mib))],
      grid: true,
    },
    marks: [
      Plot.line(lines, { x: "rows", y: "memory_mib", stroke: "#1f4e79" }),
      Plot.dot(lines, { x: "rows", y: "memory_mib", fill: "#1f4e79", r: 3 }),
    ],
  });
  const panels = [time, memory].map((plot, i) => {
    plot.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    plot.setAttribute("x", `${i * 400}`);
    return plot.outerHTML;
  });
  const open =
    '<svg xmlns="http://www.w3.org/2000/svg" width="780" height="280" viewBox="0 0 780 280" font-family="sans-serif">';
  return `${open}<rect width="780" height="280" fill="white"/>${panels.join("")}</svg>\n`;
}

if (values.one) console.log(JSON.stringify(await measured(Number(values.rows))));
else {
  const script = fileURLToPath(import.meta.url);
  /** @type {Line[]} */
  const lines = [];
  for (const rows of values.rows.split(",")) {
    const options = ["--one", "--rows", rows, "--batch", values.batch, "--threads", values.threads];
    lines.push(...(await linesOf([process.execPath, script, ...options])));
    console.log(JSON.stringify(lines[lines.length - 1]));
  }
  if (values.write) writeFileSync(new URL("../docs/scaling.svg", import.meta.url), figure(lines));
}
