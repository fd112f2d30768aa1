import { openSession } from "#runtime";
import { jvp, vjp } from "../autodiff/index.ts";
import { CurvatureError, checkObject } from "../errors/index.ts";
import { input, scalar, type Value } from "../graph/index.ts";
import type { Loss } from "../losses/index.ts";
import { type Model, matches, type Pattern } from "../models/index.ts";
import { div, reduceSum, zeros } from "../primitives/index.ts";
import { engineError, lower } from "../runtime/index.ts";
import {
  byName,
  type Dtype,
  formatDims,
  type Precision,
  sizeOf,
  type Tensor,
  toPrecision,
  valueNamed,
} from "../tensors/index.ts";
import { batchGraph, type FedBatchGraph } from "./engine/batchGraph.ts";
import type { Tensors } from "./engine/risk.ts";
import { lossHessian } from "./ggn.ts";
import { scaledLoss } from "./products/lossAndGradient.ts";
import { throughOutputs, weighted } from "./products/outputProduct.ts";

/** A derivative that can be saved as an ONNX model. */
export type ExportedProduct = "gradient" | "hvp" | "ggnvp" | "jvp" | "vjp";

/** Options of an export. */
export interface ExportOptions {
  readonly product: ExportedProduct;
  readonly loss: Loss;
  /** Rows of the inputs. */
  readonly batchSize: number;
  /** Default "float32". */
  readonly dtype?: Precision;
  /** Names or patterns of the parameters to differentiate; default: all. */
  readonly parameters?: Pattern | readonly Pattern[];
  /** Makes the parameters inputs under their names instead of initializers. */
  readonly parametersAsInputs?: boolean;
  /** Sizes of the inputs' rows by input name, for sizes that the model leaves open. */
  readonly rowShapes?: { readonly [input: string]: readonly number[] };
  /**
   * Shape of the targets including the axis of rows, for a loss that takes several forms; default: class indices, else the outputs' shape.
   */
  readonly targets?: { readonly dims: readonly number[]; readonly integer: boolean };
}

/** An ONNX model of a derivative, with its inputs and outputs. */
export interface ExportedModel {
  readonly bytes: Uint8Array;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Element type and shape of each input. */
  readonly inputTypes: { readonly [name: string]: { readonly dtype: Dtype; readonly dims: readonly number[] } };
  /**
   * Runs the exported model once, in the engine of this library.
   *
   * @throws CurvatureError "runtime" where the engine refuses the model or the inputs
   */
  run(feeds: Tensors): Promise<Tensors>;
}

/**
 * A derivative of a model's loss on one batch as an ONNX model of standard operators, for any runtime. Inputs: those of the
 * model under their names, `targets`, and `v.<parameter>` (hvp, ggnvp, jvp) or `u.<output>` (vjp). Outputs: `loss` and
 * `gradient.<parameter>`, `product.<parameter>`, or `tangent.<output>`. The reduction of the loss is over this batch alone.
 * Metadata name product, loss and the order of parameters.
 *
 * @throws CurvatureError "argument" for a batch size that is not a positive integer, sizes left open, or unknown parameters
 */
export async function exportProduct(model: Model, options: ExportOptions): Promise<ExportedModel> {
  checkObject(model, "exportProduct expects a model made by loadModel or functionModel", ["parameters", "outputs"]);
  checkObject(options, "exportProduct expects options", ["product", "loss", "batchSize"]);
  const { product, loss, dtype = "float32", parametersAsInputs = false } = options;
  if (!Object.hasOwn(BUILDERS, product)) {
    const known = Object.keys(BUILDERS).join(", ");
    throw new CurvatureError("argument", `exportProduct expects product to be one of ${known}, got ${String(product)}`);
  }
  const chosen = chosenParameters(model, options.parameters);
  const outputs = loss.outputNames ?? [model.outputs[0].name];
  const batch = await graphOf(model, { options, chosen, outputs });
  const names = chosen.map((index) => model.parameters[index].name);
  const built = BUILDERS[product]({ batch, names, output: outputs.join("+") });
  const parameterValues = Object.fromEntries(model.parameters.map(({ name }, i) => [name, batch.allParameters[i]]));
  const usesTargets = product !== "jvp" && product !== "vjp";
  const inputs = { ...batch.inputs, ...(usesTargets ? { targets: batch.targets } : {}), ...built.inputs };
  checkNames(model, Object.keys(inputs));
  const initializers = byName<Tensor>();
  if (!parametersAsInputs) {
    for (const { name, data, dims } of model.parameters) initializers[name] = { data: toPrecision(data, dtype), dims };
  }
  const { bytes, inputs: read } = lower(
    { inputs: { ...inputs, ...parameterValues }, outputs: built.outputs },
    {
      precision: dtype,
      portable: true,
      initializers,
      metadata: { product, loss: loss.name, reduction: loss.reduction, parameters: JSON.stringify(names) },
    },
  );
  const values: { readonly [name: string]: Value } = { ...inputs, ...parameterValues };
  return {
    bytes,
    inputs: read,
    outputs: Object.keys(built.outputs),
    inputTypes: Object.fromEntries(read.map((name) => [name, typeOf(values[name], dtype)])),
    run: (feeds) => runOnce(bytes, { feeds, outputs: Object.keys(built.outputs) }),
  };
}

function typeOf({ type, shape }: Value, dtype: Precision): ExportedModel["inputTypes"][string] {
  return { dtype: type === "float" ? dtype : type, dims: shape };
}

async function runOnce(
  bytes: Uint8Array,
  { feeds, outputs }: { readonly feeds: Tensors; readonly outputs: readonly string[] },
): Promise<Tensors> {
  try {
    const session = await openSession(bytes, { optimization: "all" });
    try {
      return await session.run(feeds, outputs);
    } finally {
      await session.release();
    }
  } catch (cause) {
    throw engineError("could not run the exported model", cause);
  }
}

function chosenParameters(model: Model, wanted: ExportOptions["parameters"]): number[] {
  const patterns =
    wanted === undefined ? undefined : Array.isArray(wanted) ? (wanted as readonly Pattern[]) : [wanted as Pattern];
  const chosen = model.parameters.flatMap(({ name }, index) =>
    patterns === undefined || matches(name, patterns) ? [index] : [],
  );
  if (chosen.length > 0) return chosen;
  throw new CurvatureError("argument", `no parameter of ${model.name} matches ${String(wanted)}`);
}

async function graphOf(
  model: Model,
  request: { readonly options: ExportOptions; readonly chosen: readonly number[]; readonly outputs: readonly string[] },
): Promise<FedBatchGraph> {
  const { options, chosen, outputs } = request;
  const { loss, batchSize: rows, dtype: precision = "float32" } = options;
  if (!Number.isInteger(rows) || rows < 1)
    throw new CurvatureError("argument", `batchSize must be a positive integer, got ${rows}`);
  const inputs = Object.fromEntries(
    model.inputs.map(({ name, dims }) => {
      const row = valueNamed(options.rowShapes ?? {}, name) ?? dims.slice(1);
      if (row.some((dim) => typeof dim !== "number")) {
        throw new CurvatureError(
          "argument",
          `input "${name}" has open sizes ${formatDims(dims)}; give rowShapes: { "${name}": [...] }`,
        );
      }
      return [name, [rows, ...(row as number[])]];
    }),
  );
  const targets = options.targets === undefined ? {} : { targets: options.targets };
  const batch = await batchGraph({
    model,
    loss,
    outputs,
    chosen,
    precision,
    shape: { rows, inputs, weighted: false, ...targets },
  });
  return { ...batch, scale: ownScale(batch) };
}

interface Built {
  readonly inputs: { readonly [name: string]: Value };
  readonly outputs: { readonly [name: string]: Value };
}

interface BuildRequest {
  readonly batch: FedBatchGraph;
  readonly names: readonly string[];
  readonly output: string;
}

const BUILDERS: { readonly [product in ExportedProduct]: (request: BuildRequest) => Built } = {
  gradient({ batch, names }) {
    const loss = scaledLoss(batch);
    return {
      inputs: {},
      outputs: { loss, ...prefixed("gradient", names, vjp([loss], batch.parameters, [scalar(1)])) },
    };
  },
  hvp({ batch, names }) {
    const v = vectors(batch, names);
    const gradient = vjp([scaledLoss(batch)], batch.parameters, [scalar(1)]);
    const product = jvp(gradient, batch.parameters, Object.values(v)).map(
      (part, i) => part ?? zeros(batch.parameters[i].shape),
    );
    return { inputs: v, outputs: prefixed("product", names, product) };
  },
  ggnvp({ batch, names }) {
    const v = vectors(batch, names);
    const { product } = throughOutputs((terms, u) => weighted(terms, lossHessian(terms, u)));
    return { inputs: v, outputs: prefixed("product", names, product(batch, Object.values(v))) };
  },
  jvp({ batch, names, output }) {
    const v = vectors(batch, names);
    const [tangent] = jvp([batch.output], batch.parameters, Object.values(v));
    return { inputs: v, outputs: { [`tangent.${output}`]: tangent ?? zeros(batch.output.shape) } };
  },
  vjp({ batch, names, output }) {
    const u = input(`u.${output}`, batch.output.shape);
    return {
      inputs: { [`u.${output}`]: u },
      outputs: prefixed("product", names, vjp([batch.output], batch.parameters, [u])),
    };
  },
};

function vectors({ parameters }: FedBatchGraph, names: readonly string[]): { readonly [name: string]: Value } {
  return Object.fromEntries(names.map((name, i) => [`v.${name}`, input(`v.${name}`, parameters[i].shape)]));
}

function prefixed(
  prefix: string,
  names: readonly string[],
  values: readonly Value[],
): { readonly [name: string]: Value } {
  return Object.fromEntries(names.map((name, i) => [`${prefix}.${name}`, values[i]]));
}

/** The factor c of this batch alone: one over the summed weight of its terms, or over their number. */
function ownScale({ loss, y, layout, targets }: FedBatchGraph): Value {
  if (loss.reduction === "sum") return scalar(1);
  const weights = loss.termWeights?.(y);
  if (weights !== undefined) return div(scalar(1), reduceSum(weights));
  const empty = { data: new Float32Array(sizeOf(targets.shape)), dims: targets.shape };
  return scalar(1 / loss.denominator(empty, { layout }));
}

function checkNames(model: Model, inputs: readonly string[]): void {
  const clash = model.parameters.find(({ name }) => inputs.includes(name));
  const name = clash?.name ?? model.inputs.find((each) => each.name === "targets")?.name;
  if (name !== undefined)
    throw new CurvatureError(
      "model",
      `${model.name}: "${name}" is the name of two inputs of the exported model; rename it in the file`,
    );
}
