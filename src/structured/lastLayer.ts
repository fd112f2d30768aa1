import { pullback } from "../autodiff/index.ts";
import { CurvatureError } from "../errors/index.ts";
import { input, topologicalOrder } from "../graph/index.ts";
import type { Risk } from "../operators/index.ts";

/**
 * Names of the tensors of the last layer: the layers from whose results no further weight leads to the outputs. Two heads are two last layers.
 *
 * @throws CurvatureError "unsupported" where no layer of weights is last
 */
export async function lastLayer(risk: Risk): Promise<readonly string[]> {
  const { layers, f, parameters } = (await risk.engine.graph(2)).layered();
  const cotangents = pullback(
    [f],
    layers.map(({ output }) => output),
    [input("u", f.shape)],
  );
  const last = layers.filter((layer, index) => {
    const cotangent = cotangents[index];
    if (cotangent === null || layer.weight === undefined) return false;
    const order = new Set(topologicalOrder([cotangent]));
    return !parameters.some((parameter) => order.has(parameter));
  });
  const indices = new Set(last.flatMap(({ weight, bias }) => [weight!.index, ...(bias ? [bias.index] : [])]));
  const names = risk.parameters.filter((_, index) => indices.has(index)).map(({ name }) => name);
  if (names.length > 0) return names;
  throw new CurvatureError(
    "unsupported",
    `no last layer is found in ${risk.model.name}: its outputs are no affine function of a layer's weights; name the weights`,
  );
}
