import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { type Stream, stream } from "../../src/random/index.ts";
import { sizeOf } from "../../src/tensors/index.ts";
import { withOutputs } from "./publicModel.ts";

/** Rows of one input, made to look like what a network was trained for. */
export interface Rows {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

function rowsOf(count: number, shape: readonly number[], fill: (row: Float32Array, random: Stream) => void): Rows {
  const size = sizeOf(shape);
  const data = new Float32Array(count * size);
  for (let i = 0; i < count; i++) fill(data.subarray(i * size, (i + 1) * size), stream(7, "row", i));
  return { dims: [count, ...shape], data };
}

/** Embeddings of so many steps of sound, which change slowly and are of a loudness of their own: [count, steps, 96]. */
export function embeddings(count: number, steps: number): Rows {
  return rowsOf(count, [steps, 96], (row, random) => {
    const size = 5 + 15 * random.uniform();
    const base = Array.from({ length: 96 }, () => 0.7 * size * random.normal());
    for (let i = 0; i < row.length; i++) row[i] = base[i % 96] + 0.5 * size * random.normal();
  });
}

/** Chunks of 512 samples at 16 kHz, in turn noise and a vowel of two formants: [count, 512]. */
export function soundChunks(count: number): Rows {
  let spoken = false;
  return rowsOf(count, [512], (row, random) => {
    const pitch = 100 + 150 * random.uniform();
    const size = 0.02 + 0.3 * random.uniform();
    const [first, second] = [400 + 400 * random.uniform(), 1200 + 1000 * random.uniform()];
    for (let i = 0; i < row.length; i++) {
      let sample = 0.02 * random.normal();
      for (let tone = pitch; spoken && tone < 20 * pitch; tone += pitch) {
        const formants = Math.exp(-(((tone - first) / 200) ** 2)) + 0.6 * Math.exp(-(((tone - second) / 300) ** 2));
        sample += size * (formants + 0.05) * Math.sin((2 * Math.PI * tone * i) / 16000);
      }
      row[i] = Math.max(-1, Math.min(1, sample));
    }
    spoken = !spoken;
  });
}

/** Lines of letter-like strokes in three equal channels, some of them upside down: [count, 3, 48, width]. */
export function textLines(count: number, width: number): Rows {
  return rowsOf(count, [3, 48, width], (row, random) => {
    const image = new Float32Array(48 * width).fill(0.6 + 0.3 * random.uniform());
    for (let left = 4; left < width - 14; left += 14) strokes(image, { left, width, random });
    if (random.uniform() < 0.5) image.reverse();
    for (let i = 0; i < row.length; i++) row[i] = image[i % image.length] + 0.02 * random.normal();
  });
}

function strokes(
  image: Float32Array,
  { left, width, random }: { readonly left: number; readonly width: number; readonly random: Stream },
): void {
  for (let stroke = 0; stroke < 3; stroke++) {
    const upright = random.uniform() < 0.5;
    const [x, y] = [random.integer(11), 8 + random.integer(30)];
    for (let i = 8; i < 40; i++)
      for (let j = 0; j < 11; j++) if (Math.abs(upright ? j - x : i - y) < 2) image[i * width + left + j] = -0.8;
  }
}

/** Inputs of a file that stay the same for all rows. */
export type Fixed = {
  readonly [name: string]: { readonly data: Float32Array | BigInt64Array; readonly dims: readonly number[] };
};

/** What ONNX Runtime gives for each row, run by itself: [rows, ...], the row's own axis dropped where it is 1. */
export async function probabilities(
  file: string,
  {
    rows,
    input,
    output,
    fixed = {},
  }: { readonly rows: Rows; readonly input: string; readonly output?: string; readonly fixed?: Fixed },
): Promise<readonly (readonly number[])[]> {
  const bytes = withOutputs(file, output === undefined ? [] : [output]);
  const session = await InferenceSession.create(bytes, { logSeverityLevel: 4 });
  try {
    const size = rows.data.length / rows.dims[0];
    const others = Object.entries(fixed).map(([name, { data, dims }]) => [
      name,
      data instanceof BigInt64Array ? new OrtTensor("int64", data, dims) : new OrtTensor("float32", data, dims),
    ]);
    const results: number[][] = [];
    for (let i = 0; i < rows.dims[0]; i++) {
      const row = new OrtTensor("float32", rows.data.slice(i * size, (i + 1) * size), [1, ...rows.dims.slice(1)]);
      const found = await session.run({ ...Object.fromEntries(others), [input]: row });
      results.push(Array.from(found[output ?? session.outputNames[0]].data as Float32Array));
    }
    return results;
  } finally {
    await session.release();
  }
}

/**
 * The network's own answers for terms of so many numbers each, every tenth exchanged for another: labels with errors in them. A label
 * of less than a thousandth stays as it is, since ONNX Runtime's float32 Sigmoid does not tell 1 from what is nearly 1.
 */
export function labelsOf(terms: readonly (readonly number[])[]): number[] {
  const random = stream(7, "labels");
  return terms.map((term) => {
    const chances = term.length === 1 ? [1 - term[0], term[0]] : term;
    const best = chances.indexOf(Math.max(...chances));
    const other = (best + 1 + random.integer(chances.length - 1)) % chances.length;
    return random.uniform() < 0.1 && chances[other] > 1e-3 ? other : best;
  });
}
