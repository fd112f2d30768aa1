import type { Data } from "../../data/index.ts";
import { CurvatureError } from "../../errors/index.ts";
import type { RunOptions } from "../../linalg/index.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import { type FileModel, fileSession, functionModel, type Model } from "../../models/index.ts";
import { empiricalRisk, type Risk } from "../../operators/index.ts";
import { dtypeOf, type Tensor } from "../../tensors/index.ts";
import { accuracy } from "../accuracy.ts";
import { checkRiskFor } from "../sharpness/sharpnessRun.ts";

/** Options of `measureFile`. */
export interface MeasureFileOptions extends RunOptions {
  /** The file to run, read by `loadModel`. */
  readonly model: FileModel;
}

/** Loss and accuracy of a file. */
export interface FileLoss {
  readonly loss: number;
  /** Share of rows whose largest output is the label; absent without class labels. */
  readonly accuracy?: number;
}

const NAME = "measureFile";

/**
 * Loss and accuracy of a model file as ONNX Runtime runs it with its default settings, on the rows of a risk with the loss of that risk. One run over
 * the rows.
 *
 * This may differ from the loss of the weights in the file: ONNX Runtime 1.30 fuses a DequantizeLinear and the MatMul that reads it, and then
 * rounds the activations to eight bits (session option `session.qdq_matmulnbits_accuracy_level`, "1" for floats).
 *
 * @throws CurvatureError "unsupported" for files with external data, a fixed number of rows, or a sigmoid at the end that the loss would take apart; "aborted" when the
 *   signal fires
 */
export async function measureFile(risk: Risk, options: MeasureFileOptions): Promise<FileLoss> {
  checkRiskFor(NAME, risk);
  checkOptions(NAME, options, "model signal onProgress");
  const { model, signal } = options;
  const names = risk.lossFunction.outputNames ?? [model.outputs[0]!.name];
  const probabilities = new Set(names.filter((name) => isProbability(risk, { model, name })));
  const batches = await outputsOf(risk, { model, names, probabilities, signal });
  const first = batches[0]!;
  const data: Data = {
    ...risk.data,
    inputs: Object.fromEntries(
      names.map((name) => [`${name} of the file`, { dims: first[name]!.dims.slice(1), dtype: dtypeOf(first[name]!) }]),
    ),
    async *batches(choice) {
      let i = 0;
      for await (const batch of risk.data.batches(choice)) {
        const outputs = batches[i++]!;
        yield { ...batch, inputs: Object.fromEntries(names.map((name) => [`${name} of the file`, outputs[name]!])) };
      }
    },
  };
  const read = functionModel({
    name: model.name,
    parameters: { zero: { data: new Float64Array(1), dims: [1] } },
    inputs: Object.fromEntries(Object.entries(data.inputs).map(([name, { dims }]) => [name, { dims }])),
    apply: (_, inputs) => Object.fromEntries(names.map((name) => [name, inputs[`${name} of the file`]!])),
  });
  return measured(read, { risk, data, signal });
}

async function measured(
  model: Model,
  { risk, data, signal }: { readonly risk: Risk; readonly data: Data; readonly signal: AbortSignal | undefined },
): Promise<FileLoss> {
  const run = signal ? { signal } : {};
  const { lossFunction: loss, shard } = risk;
  const file = await empiricalRisk({ model, loss, data, shard, dtype: "float64", assumeLogits: true });
  try {
    const share = await accuracy(file, run);
    return { loss: await file.loss(run), ...(share !== undefined && { accuracy: share }) };
  } finally {
    await file.dispose();
  }
}

/** Whether an output is the probabilities of a softmax that the loss has itself: it takes their logarithms. */
function isProbability(risk: Risk, { model, name }: { readonly model: FileModel; readonly name: string }): boolean {
  const { activation } = model.outputs.find((output) => output.name === name) ?? {};
  const isAbsorbed = activation !== undefined && risk.lossFunction.absorbs.includes(activation);
  if (model.fixedRows !== undefined && (risk.rows % model.fixedRows !== 0 || risk.data.batchSize !== model.fixedRows)) {
    throw new CurvatureError(
      "unsupported",
      `${NAME}: ${model.name} computes ${model.fixedRows} rows at once, so it needs data in batches of that size`,
    );
  }
  if (isAbsorbed && activation === "Sigmoid") {
    throw new CurvatureError(
      "unsupported",
      `${NAME}: ${model.name} ends in a sigmoid, whose logits its probabilities in float32 do not give back`,
    );
  }
  return isAbsorbed && activation === "Softmax";
}

async function outputsOf(
  { data }: Risk,
  {
    model,
    names,
    probabilities,
    signal,
  }: {
    readonly model: FileModel;
    readonly names: readonly string[];
    readonly probabilities: ReadonlySet<string>;
    readonly signal: AbortSignal | undefined;
  },
): Promise<readonly { readonly [name: string]: Tensor }[]> {
  const session = await fileSession(model);
  try {
    const outputs: { readonly [name: string]: Tensor }[] = [];
    for await (const { inputs } of data.batches(signal ? { signal } : {})) {
      const own = await session.run(inputs, names);
      outputs.push(
        Object.fromEntries(
          names.map((name) => [name, probabilities.has(name) ? logarithms(own[name]!) : own[name]!] as const),
        ),
      );
    }
    return outputs;
  } finally {
    await session.release();
  }
}

function logarithms({ data, dims }: Tensor): Tensor {
  return { data: Float32Array.from(data as Float32Array, Math.log), dims };
}
