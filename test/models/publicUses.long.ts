import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { folderOf, run } from "../cli/commandLine.ts";
import { float32Npy, int64Npy } from "../data/files.ts";
import { embeddings, type Fixed, labelsOf, probabilities, type Rows, soundChunks } from "./publicData.ts";
import { packages, unpacked } from "./publicPackages.ts";

/*
 * The uses of curvature on networks that people have published, as somebody does who has the file and some rows: from files to pages and
 * new files. What the commands say must be finite, and the files that they write must have the loss that they state.
 */
const { words, voices, wakeWords } = packages;

interface Network {
  readonly name: string;
  readonly pack: string;
  readonly path: string;
  readonly rows: Rows;
  readonly input: string;
  readonly loss: "ce" | "bce";
  readonly flags: readonly string[];
  readonly fixed?: Fixed;
  readonly output?: string;
  /** Uses that the file does not allow, with what they say. */
  readonly refused?: { readonly [command: string]: RegExp };
}

const wakeWord = { pack: wakeWords, input: "onnx::Flatten_0", loss: "bce", flags: [] } as const;

const networks: readonly Network[] = [
  { ...wakeWord, name: "hello deepa", pack: words, path: "models/hello_deepa.onnx", rows: embeddings(64, 25) },
  { ...wakeWord, name: "alexa", path: "models/alexa_v0.1.onnx", rows: embeddings(48, 16) },
  { ...wakeWord, name: "hey mycroft", path: "models/hey_mycroft_v0.1.onnx", rows: embeddings(48, 16) },
  { ...wakeWord, name: "weather", path: "models/weather_v0.1.onnx", rows: embeddings(48, 22) },
  { ...wakeWord, name: "timer", path: "models/timer_v0.1.onnx", rows: embeddings(24, 34), loss: "ce" },
  {
    name: "silero_vad_v5",
    pack: voices,
    path: "dist/silero_vad_v5.onnx",
    rows: soundChunks(32),
    input: "input",
    loss: "bce",
    output: "output",
    // Its weights lie in the branches of an If.
    refused: { quantize: /^error: saveQuantizedModel cannot quantize "If_0_/m },
    flags: "--bind sr=16000 --bind input[0]=1 --bind state[1]=1 --bind state=0 --output output".split(" "),
    fixed: {
      sr: { data: BigInt64Array.of(16000n), dims: [] },
      state: { data: new Float32Array(256), dims: [2, 1, 128] },
    },
  },
];

/** The uses with their arguments beside model and rows, and the file or page that each writes. */
const uses: readonly (readonly [command: string, args: readonly string[], written: string])[] = [
  ["prune", ["--sparsity", "0.3"], "pruned.onnx"],
  ["quantize", ["--budget", "5", "--bits", "4,8"], "quantized.onnx"],
  ["landscape", ["--directions", "gradient", "--line", "--points", "5"], ""],
  ["tune", ["--steps", "2"], ""],
  ["uncertainty", ["--subset", "last-layer"], ""],
  // Without --matrix, EKFAC takes the eigenvectors of factors of 1,536 to 2,400 rows, some minutes each without LAPACK.
  ["influence", ["--matrix", "diagonal", "--self", "--top", "3"], ""],
];

/** The numbers of a parsed result with their paths; what JSON cannot hold stands as null. */
function badNumbers(value: unknown, path = ""): readonly string[] {
  if (value === null) return [path];
  if (typeof value !== "object") return [];
  return Object.entries(value as object).flatMap(([name, part]) => badNumbers(part, `${path}/${name}`));
}

describe.each(networks)("$name", ({ pack, path, rows, input, loss, flags, fixed = {}, output, refused = {} }) => {
  test.each(uses)("%s", async (command, args, written) => {
    const file = join(unpacked(pack), path);
    const given = await probabilities(file, { rows, input, fixed, ...(output === undefined ? {} : { output }) });
    const folder = folderOf({
      "x.npy": float32Npy(rows.dims, [...rows.data]),
      "y.npy": int64Npy([rows.dims[0]!], labelsOf(given)),
    });
    const out = join(folder, "out");
    const { code, stdout, stderr } = await run(
      ...[command, file, "--data", join(folder, "x.npy"), "--targets", join(folder, "y.npy"), "--loss", loss],
      ...[...flags, ...args, "--json", "--out", out],
    );
    if (refused[command] !== undefined) {
      expect(code).toBe(1);
      expect(stderr).toMatch(refused[command]);
      return;
    }
    expect(code, stderr).toBe(0);
    expect(badNumbers(JSON.parse(stdout))).toEqual([]);
    if (written === "") expect(readFileSync(out).length).toBeGreaterThan(1000);
    else expect(existsSync(join(out, written))).toBe(true);
  });
});
