import { jvp, vjp } from "../../src/autodiff/index.ts";
import { input, scalar, type Value } from "../../src/graph/index.ts";
import { arrangeOutputs, arrangeTargets, type Loss, type TermLayout } from "../../src/losses/index.ts";
import { mul, reduceSum } from "../../src/primitives/index.ts";
import { compile } from "../../src/runtime/index.ts";
import { dtypeOf, type Tensor } from "../../src/tensors/index.ts";

/** A loss as a function of the outputs alone, at fixed targets. */
export interface Objective {
  readonly layout: TermLayout;
  readonly denominator: number;
  /** Weighted sum over terms, and each term without its weight. */
  value(f: Float64Array): Promise<{ readonly sum: number; readonly terms: Float64Array }>;
  /** Gradient of the sum, and its second derivative times u. */
  derivatives(
    f: Float64Array,
    u: Float64Array,
  ): Promise<{ readonly gradient: Float64Array; readonly product: Float64Array }>;
  release(): Promise<void>;
}

/** Compiles a loss for outputs of a shape. */
export async function objective(
  loss: Loss,
  { output, targets }: { readonly output: readonly number[]; readonly targets: Tensor },
): Promise<Objective> {
  const integer = !dtypeOf(targets).startsWith("float");
  const layout = loss.layout(output, { dims: targets.dims, integer });
  const f = input("f", output);
  const y = input("y", targets.dims, integer ? "int64" : "float");
  const u = input("u", output);
  const arranged = arrangeTargets(y, layout);
  const terms = loss.terms(arrangeOutputs(f, layout), arranged);
  const weights = loss.termWeights?.(arranged);
  const sum = reduceSum(weights === undefined ? terms : mul(weights, terms));
  const [gradient] = vjp([sum], [f], [scalar(1)]);
  const [product] = jvp([gradient], [f], [u]) as [Value];
  const values = await compile({ inputs: { f, y }, outputs: { sum, terms } }, { precision: "float64" });
  const slopes = await compile({ inputs: { f, y, u }, outputs: { gradient, product } }, { precision: "float64" });
  const feeds = (point: Float64Array) => ({ f: { data: point, dims: output }, y: targets });
  const numbers = (tensor: Tensor) => Float64Array.from(tensor.data as Float64Array);
  return {
    layout,
    denominator: loss.reduction === "sum" ? 1 : loss.denominator(targets, { layout }),
    async value(point) {
      const results = await values.run(feeds(point));
      return { sum: Number(results.sum.data[0]), terms: numbers(results.terms) };
    },
    async derivatives(point, direction) {
      const results = await slopes.run({ ...feeds(point), u: { data: direction, dims: output } });
      return { gradient: numbers(results.gradient), product: numbers(results.product) };
    },
    async release() {
      await values.release();
      await slopes.release();
    },
  };
}
