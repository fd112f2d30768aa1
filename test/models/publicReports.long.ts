import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { CurvatureReport } from "../../src/applications/index.ts";
import { arrays } from "../../src/data/index.ts";
import { eigh } from "../../src/linalg/index.ts";
import { bceWithLogits, crossEntropy } from "../../src/losses/index.ts";
import { type LoadOptions, loadModel } from "../../src/models/index.ts";
import { empiricalRisk, jacobian } from "../../src/operators/index.ts";
import { findings } from "../../src/report/index.ts";
import { folderOf, run } from "../cli/commandLine.ts";
import { float32Npy, int64Npy } from "../data/files.ts";
import { embeddings, type Fixed, labelsOf, probabilities, type Rows, soundChunks, textLines } from "./publicData.ts";
import { packages, unpacked } from "./publicPackages.ts";
import { reluNetwork } from "./reluNetwork.ts";

/*
 * `report` on every classifier among the public models, as somebody does who has the file and some rows: the command line from
 * files to the page. Every warning must be one of the sentences below, and the numbers those of another computation.
 */
const { ocr, words, voices, wakeWords } = packages;

interface Classifier {
  readonly name: string;
  readonly pack: string;
  readonly path: string;
  readonly rows: Rows;
  /** Name of the input that the rows are for. */
  readonly input: string;
  readonly loss: "ce" | "bce";
  readonly flags: readonly string[];
  /** What the flags say, for the library. */
  readonly options?: LoadOptions;
  /** What ONNX Runtime needs beside the rows to run the file as it is. */
  readonly fixed?: Fixed;
  /** Value of the file with the probabilities; its first output by default. */
  readonly output?: string;
  /** How the Gauss-Newton matrix is computed for comparison: the network by hand, or rows of its Jacobian; not at all by default. */
  readonly exact?: "by hand" | "by hand, Relu at the end" | "by rows";
  /** Sentences about the model, beside the one about the activation. */
  readonly notices: readonly RegExp[];
}

const oneRow = /^The file computes 1 row at once; larger batches are computed as copies of it with the same weights\.$/;
const few = ["--matrices", "hessian,ggn", "--probes", "40", "--eigenvalues", "3"];
const wakeWord = { pack: wakeWords, input: "onnx::Flatten_0", loss: "bce", notices: [oneRow] } as const;

const silero = (file: string): Classifier => ({
  name: file,
  pack: voices,
  path: `dist/${file}.onnx`,
  rows: soundChunks(32),
  input: "input",
  loss: "bce",
  output: "output",
  flags: "--bind sr=16000 --bind input[0]=1 --bind state[1]=1 --bind state=0 --output output".split(" ").concat(few),
  options: { bind: { sr: 16000, "input[0]": 1, "state[1]": 1, state: 0 }, output: "output" },
  fixed: {
    sr: { data: BigInt64Array.of(16000n), dims: [] },
    state: { data: new Float32Array(256), dims: [2, 1, 128] },
  },
  exact: "by rows",
  notices: [oneRow, /^(Input|Size) ".*" is bound to \d+\.$/],
});

const classifiers: readonly Classifier[] = [
  {
    name: "text direction",
    pack: ocr,
    path: "assets/ch_ppocr_mobile_v2.0_cls_infer.onnx",
    rows: textLines(24, 64),
    input: "x",
    loss: "ce",
    flags: [
      "--matrices",
      "hessian,ggn",
      "--probes",
      "12",
      "--steps",
      "12",
      "--density-probes",
      "2",
      "--eigenvalues",
      "1",
    ],
    exact: "by rows",
    notices: [],
  },
  {
    name: "text recognition, a term for each column",
    pack: ocr,
    path: "assets/ch_PP-OCRv4_rec_infer.onnx",
    rows: textLines(6, 48),
    input: "x",
    loss: "ce",
    flags: [
      "--matrices",
      "hessian,ggn",
      "--probes",
      "4",
      "--steps",
      "8",
      "--density-probes",
      "1",
      "--eigenvalues",
      "1",
    ],
    notices: [],
  },
  {
    ...wakeWord,
    name: "hello deepa, all matrices",
    pack: words,
    path: "models/hello_deepa.onnx",
    rows: embeddings(64, 25),
    flags: [],
    exact: "by rows",
  },
  {
    ...wakeWord,
    name: "alexa",
    path: "models/alexa_v0.1.onnx",
    rows: embeddings(48, 16),
    flags: few,
    exact: "by hand",
  },
  {
    ...wakeWord,
    name: "hey mycroft",
    path: "models/hey_mycroft_v0.1.onnx",
    rows: embeddings(48, 16),
    flags: few,
    exact: "by rows",
  },
  {
    ...wakeWord,
    name: "hey rhasspy, all matrices",
    path: "models/hey_rhasspy_v0.1.onnx",
    rows: embeddings(64, 16),
    flags: [],
    exact: "by rows",
  },
  {
    ...wakeWord,
    name: "weather",
    path: "models/weather_v0.1.onnx",
    rows: embeddings(48, 22),
    flags: few,
    exact: "by hand",
  },
  {
    ...wakeWord,
    name: "timer",
    path: "models/timer_v0.1.onnx",
    rows: embeddings(24, 34),
    loss: "ce",
    flags: ["--matrices", "hessian,ggn"],
    exact: "by hand, Relu at the end",
  },
  {
    ...wakeWord,
    name: "hey jarvis, its first network",
    path: "models/hey_jarvis_v0.1.onnx",
    input: "x.1",
    rows: embeddings(48, 16),
    flags: ["--output", "p1.1", ...few],
    options: { output: "p1.1" },
    output: "p1.1",
    exact: "by rows",
  },
  silero("silero_vad_v5"),
  silero("silero_vad_v6"),
  {
    ...silero("silero_vad_legacy"),
    rows: soundChunks(16),
    flags:
      "--bind sr=16000 --bind batch=1 --bind h=0 --bind c=0 --output output --matrices hessian,ggn --probes 20 --steps 20 --eigenvalues 2".split(
        " ",
      ),
    options: { bind: { sr: 16000, batch: 1, h: 0, c: 0 }, output: "output" },
    fixed: {
      sr: { data: BigInt64Array.of(16000n), dims: [] },
      h: { data: new Float32Array(128), dims: [2, 1, 64] },
      c: { data: new Float32Array(128), dims: [2, 1, 64] },
    },
  },
];

/** Every caution that a report may give, with what it says to do. */
const cautions: readonly (readonly [answer: RegExp, remedy: RegExp])[] = [
  [/^Not a minimum: the loss falls along some directions\.$/, /should take the Gauss-Newton matrix/],
  [/^Strictly not a minimum, but the negative curvature is weak\.$/, /should take the Gauss-Newton matrix/],
  [/^The gradient has norm [\d.]+: the loss still falls along it\.$/, /check that data, their scaling and the loss/],
  [/^The Gauss-Newton matrix is far from the Hessian\.$/, /Take the Hessian's numbers/],
  [/^The distance of Hessian and Gauss-Newton matrix is not well known\.$/, /--probes on the command line/],
  [/^The empirical Fisher is a poor stand-in for the Fisher matrix here\.$/, /give it the Fisher matrix/],
  [/^Some eigenvalues are known only roughly\.$/, /--eigenvalues on the command line/],
];

const activation = (loss: "ce" | "bce") =>
  loss === "ce"
    ? /^Output ".*" is taken before its final Softmax, which the loss crossEntropy contains itself\.$/
    : /^Output ".*" is taken before its final Sigmoid, which the loss bceWithLogits contains itself\.$/;

function checkWords(report: CurvatureReport, page: string, { loss, notices }: Classifier): void {
  for (const { answer, details } of findings(report).filter(({ tone }) => tone === "caution")) {
    const known = cautions.find(([pattern]) => pattern.test(answer));
    expect(known, answer).toBeDefined();
    expect(details.join(" ")).toMatch(known![1]);
  }
  const allowed = [activation(loss), ...notices];
  for (const notice of report.model.notices) expect(notice).toSatisfy(() => allowed.some((each) => each.test(notice)));
  expect(report.model.notices.filter((notice) => activation(loss).test(notice))).toHaveLength(1);
  const text = page.replace(/<style>.*?<\/style>/s, "").replace(/<[^>]+>/g, " ");
  expect(text).not.toMatch(/\b(matvecs|undefined|null|NaN|Infinity|tolerance|breakdown|stagnated)\b|\[object/);
}

/** Square roots u of each term's Hessian of the loss in its logits: the Hessian is the sum of u u'. */
function roots(p: readonly number[]): readonly (readonly number[])[] {
  if (p.length === 1) return [[Math.sqrt(p[0] * (1 - p[0]))]];
  return p.map((share, c) => p.map((other, k) => Math.sqrt(share) * ((k === c ? 1 : 0) - other)));
}

function lossOf(terms: readonly (readonly number[])[], labels: readonly number[]): number {
  const chances = terms.map((p, i) => (p.length > 1 ? p[labels[i]] : labels[i] === 1 ? p[0] : 1 - p[0]));
  return -chances.reduce((sum, chance) => sum + Math.log(chance), 0) / terms.length;
}

/** Trace and largest eigenvalue of B'B / terms from B B'. */
async function ofGram(gram: readonly (readonly number[])[], terms: number) {
  const n = gram.length;
  const { values } = await eigh({ rows: n, columns: n, data: Float64Array.from(gram.flat(), (x) => x / terms) });
  return { trace: values.reduce((sum, value) => sum + value, 0), top: Math.max(...values) };
}

/** The Gauss-Newton matrix by another route, from the probabilities that ONNX Runtime gives. */
async function exactGgn(
  classifier: Classifier,
  file: string,
  terms: readonly (readonly number[])[],
  labels: readonly number[],
) {
  const { exact, rows, input, loss, options = {} } = classifier;
  const model = await loadModel(file, options);
  if (exact !== "by rows") {
    const { logits, gram } = reluNetwork(model.parameters, {
      rows,
      reluAtEnd: exact === "by hand, Relu at the end",
      cotangents: (i) => roots(terms[i]),
    });
    expect(logits.length).toBe(terms.length);
    return ofGram(gram, terms.length);
  }
  const targets =
    loss === "ce"
      ? { data: Int32Array.from(labels), dims: [labels.length] }
      : { data: Float32Array.from(labels), dims: [labels.length, 1] };
  const data = arrays({ inputs: { [input]: rows }, targets, batchSize: rows.dims[0] });
  const risk = await empiricalRisk({ model, loss: loss === "ce" ? crossEntropy() : bceWithLogits(), data });
  try {
    const back = jacobian(risk).adjoint!();
    const derivatives: Float64Array[] = [];
    for (const [i, p] of terms.entries()) {
      for (const u of roots(p)) {
        const cotangent = new Float64Array(terms.length * p.length);
        cotangent.set(u, i * p.length);
        derivatives.push(Float64Array.from(await back.matvec(cotangent)));
      }
    }
    const gram = derivatives.map((a) => derivatives.map((b) => a.reduce((sum, x, k) => sum + x * b[k], 0)));
    return ofGram(gram, terms.length);
  } finally {
    await risk.dispose();
  }
}

describe("reports on public classifiers", () => {
  test.each(classifiers)("$name", async (classifier) => {
    const { pack, path, rows, input, loss, flags, fixed = {}, output, exact } = classifier;
    const file = join(unpacked(pack), path);
    const given = await probabilities(file, {
      rows,
      input,
      ...(output === undefined ? {} : { output }),
      fixed,
    });
    const positions = loss === "bce" || given[0].length < 100 ? 1 : given[0].length / 6625;
    const terms = given.flatMap((row) =>
      Array.from({ length: positions }, (_, i) =>
        row.slice((i * row.length) / positions, ((i + 1) * row.length) / positions),
      ),
    );
    const labels = labelsOf(terms);
    const dims = positions === 1 ? [rows.dims[0]] : [rows.dims[0], positions];
    const folder = folderOf({ "x.npy": float32Npy(rows.dims, [...rows.data]), "y.npy": int64Npy(dims, labels) });
    const { code, stdout, stderr } = await run(
      ...["report", file, "--data", join(folder, "x.npy"), "--targets", join(folder, "y.npy"), "--loss", loss],
      ...[...flags, "--out", join(folder, "out")],
    );
    expect(code, stderr).toBe(0);
    const lines = stderr.trim().split("\n");
    expect(lines.at(-1)).toMatch(/^Wrote .*report\.html and .*report\.json$/);
    for (const line of lines.slice(0, -1))
      expect(line).toMatch(/^(loss and gradient|[A-Z][\w ,-]+(: [a-z ]+)?( \(\d+ % done\))?)$/);
    expect(stdout).toContain(`${rows.dims[0]} rows`);
    const report: CurvatureReport = JSON.parse(readFileSync(join(folder, "out", "report.json"), "utf8"));
    checkWords(report, readFileSync(join(folder, "out", "report.html"), "utf8"), classifier);
    expect(Math.abs(report.loss.value / lossOf(terms, labels) - 1)).toBeLessThan(1e-3);
    if (loss === "ce") {
      const right = terms.filter((p, i) => p.indexOf(Math.max(...p)) === labels[i]).length;
      expect(report.accuracy).toBeCloseTo(right / terms.length, 10);
    }
    if (exact === undefined) return;
    const { trace, top } = await exactGgn(classifier, file, terms, labels);
    const ggn = report.matrices.ggn!;
    expect(Math.abs(ggn.trace.value - trace)).toBeLessThan(5 * ggn.trace.standardError);
    expect(Math.abs(ggn.eigenvalues.largest[0].value / top - 1)).toBeLessThan(1e-3);
  });
});
