import { vjp } from "../../src/autodiff/index.ts";
import { input } from "../../src/graph/index.ts";
import { concat } from "../../src/primitives/index.ts";
import { compile } from "../../src/runtime/index.ts";
import type { Tensor } from "../../src/tensors/index.ts";
import type { RiskCase } from "./riskCases.ts";
import { termPositions } from "./termReferences.ts";

/** A case's model as a function of all its parameters, on all rows at once, in float64. */
export interface ModelAt {
  readonly theta: Float64Array;
  /** The joined outputs, row-major. */
  outputs(theta: Float64Array): Promise<Float64Array>;
  /** Gradient of the objective: the loss's slopes by formula, pulled back through the model. */
  gradient(theta: Float64Array): Promise<Float64Array>;
  release(): Promise<void>;
}

/** Compiles a case's model with its parameters as inputs. */
export async function modelAt(riskCase: RiskCase): Promise<ModelAt> {
  const { model, loss, inputs, output, axis, reference, denominator, weights } = riskCase;
  const names = loss.outputNames ?? [model.outputs[0].name];
  const shapes = Object.fromEntries(Object.entries(inputs).map(([name, { dims }]) => [name, dims]));
  const graph = await model.graph({ shapes, outputs: names, cut: loss.absorbs });
  const values = names.map((name) => graph.outputs[name]);
  const joined = values.length === 1 ? values[0] : concat(values, values[0].shape.length - 1);
  const u = input("u", joined.shape);
  const pulled = vjp([joined], graph.parameters, [u]);
  const program = await compile(
    {
      inputs: { ...graph.inputs, u, ...Object.fromEntries(graph.parameters.map((value, i) => [`p${i}`, value])) },
      outputs: { f: joined, ...Object.fromEntries(pulled.map((value, i) => [`g${i}`, value])) },
    },
    { precision: "float64" },
  );
  const run = async (theta: Float64Array, slopes: Float64Array) => {
    const feeds: Record<string, Tensor> = { ...inputs, u: { data: slopes, dims: joined.shape } };
    let offset = 0;
    model.parameters.forEach(({ dims, data }, i) => {
      feeds[`p${i}`] = { data: theta.subarray(offset, offset + data.length), dims };
      offset += data.length;
    });
    return program.run(feeds);
  };
  const size = output.reduce((product, dim) => product * dim, 1);
  const outputs = async (theta: Float64Array) => (await run(theta, new Float64Array(size))).f.data as Float64Array;
  const terms = termPositions(output, axis);
  return {
    theta: Float64Array.from(model.parameters.flatMap(({ data }) => [...data])),
    outputs,
    async gradient(theta) {
      const f = await outputs(theta);
      const slopes = new Float64Array(size);
      terms.forEach((positions, t) => {
        const { weight, gradient } = reference(
          positions.map((i) => f[i]),
          t,
        );
        const row = weights?.[Math.floor((t * output[0]) / terms.length)] ?? 1;
        positions.forEach((i, c) => {
          slopes[i] = (row * weight * gradient[c]) / denominator;
        });
      });
      const results = await run(theta, slopes);
      return Float64Array.from(pulled.flatMap((_, i) => [...(results[`g${i}`].data as Float64Array)]));
    },
    release: program.release,
  };
}

/** Central difference of a function of the parameters along v. */
export async function centralDifference(
  evaluate: (theta: Float64Array) => Promise<Float64Array>,
  { theta, v, step = 1e-5 }: { readonly theta: Float64Array; readonly v: Float64Array; readonly step?: number },
): Promise<Float64Array> {
  const above = await evaluate(theta.map((x, i) => x + step * v[i]));
  const below = await evaluate(theta.map((x, i) => x - step * v[i]));
  return above.map((x, i) => (x - below[i]) / (2 * step));
}
