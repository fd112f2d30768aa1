import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { LoadOptions } from "../../src/models/index.ts";
import { checkPublicModel } from "./publicModel.ts";
import { packages, unpacked } from "./publicPackages.ts";

interface PublicModel {
  readonly pack: string;
  readonly path: string;
  readonly shapes: { readonly [input: string]: readonly number[] };
  readonly options?: LoadOptions;
  readonly moved?: number;
}

const { ocr, words, voices, wakeWords } = packages;
// Logits: ONNX Runtime's own Sigmoid in float32 has few correct digits where the text detector's probabilities are; and what
// hey_jarvis does with its probability, a second network for some rows only, is an If on the data.
const silero: LoadOptions = {
  bind: { sr: 16000, "input[0]": 1, "input[1]": 512, "state[1]": 1, state: 0.1 },
  output: "output",
};
// A state in which the probability is not so small that the float32 Sigmoid has few digits of it.
const louder: LoadOptions = { ...silero, bind: { ...silero.bind, state: -1 } };
const older: LoadOptions = { bind: { sr: 16000, batch: 1, sequence: 512, h: 0.1, c: 0.1 }, output: "output" };

const models: readonly PublicModel[] = [
  { pack: ocr, path: "assets/ch_ppocr_mobile_v2.0_cls_infer.onnx", shapes: { x: [2, 3, 48, 96] } },
  {
    pack: ocr,
    path: "assets/ch_PP-OCRv4_det_infer.onnx",
    shapes: { x: [1, 3, 32, 32] },
    options: { output: "p2o.Add.281" },
    moved: 4,
  },
  { pack: ocr, path: "assets/ch_PP-OCRv4_rec_infer.onnx", shapes: { x: [1, 3, 48, 32] }, moved: 4 },
  { pack: words, path: "models/hello_deepa.onnx", shapes: { "onnx::Flatten_0": [1, 25, 96] } },
  { pack: voices, path: "dist/silero_vad_v5.onnx", shapes: { input: [1, 512] }, options: silero },
  { pack: voices, path: "dist/silero_vad_v6.onnx", shapes: { input: [1, 512] }, options: louder },
  { pack: voices, path: "dist/silero_vad_legacy.onnx", shapes: { input: [1, 512] }, options: older },
  { pack: wakeWords, path: "models/alexa_v0.1.onnx", shapes: {} },
  { pack: wakeWords, path: "models/hey_jarvis_v0.1.onnx", shapes: {}, options: { output: "input.19" } },
  { pack: wakeWords, path: "models/hey_rhasspy_v0.1.onnx", shapes: {} },
  { pack: wakeWords, path: "models/timer_v0.1.onnx", shapes: {} },
  { pack: wakeWords, path: "models/embedding_model.onnx", shapes: { input_1: [1, 76, 32, 1] } },
  { pack: wakeWords, path: "models/melspectrogram.onnx", shapes: { input: [1, 1280] } },
];

describe("public models", () => {
  test.each(models)("$path", async ({ pack, path, options = {}, ...rest }) => {
    const found = await checkPublicModel(join(unpacked(pack), path), { ...rest, options });
    expect(found.output).toBeLessThan(1e-5);
    expect(found.directional).toBeLessThan(1e-2);
    expect(found.hessian).toBeLessThan(1e-6);
  });
});
