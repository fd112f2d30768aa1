import { peer, serve } from "./served.mjs";

/*
 * Times jax-js, on WebAssembly: gradient and Hessian-vector product (forward over reverse) of a perceptron, both under jit.
 * Functions take ownership of their arguments; `.ref` keeps one.
 */

const { blockUntilReady, defaultDevice, grad, init, jit, jvp, nn, numpy: np } = await peer("@jax-js/jax");

await serve(async ({ activation, shapes, weights, vector, inputs, inputShape, targets, targetShape }) => {
  await init("wasm");
  defaultDevice("wasm");
  const arrays = (list) => list.map((data, i) => np.array(data).reshape(shapes[i]));
  const [parameters, v] = [arrays(weights), arrays(vector)];
  const [x, t] = [np.array(inputs).reshape(inputShape), np.array(targets).reshape(targetShape)];
  const activate = activation === "tanh" ? np.tanh : nn.relu;
  const loss = (p, input, oneHot) => {
    let y = input;
    for (let i = 0; i < p.length; i += 2) {
      y = np.matmul(y, p[i]).add(p[i + 1]);
      if (i + 2 < p.length) y = activate(y);
    }
    return nn
      .logSoftmax(y, -1)
      .mul(oneHot)
      .sum()
      .mul(-1 / inputShape[0]);
  };
  const kept = (list) => list.map((array) => array.ref);
  const gradient = jit((p, input, oneHot) => grad((q) => loss(q, input.ref, oneHot.ref))(p));
  const product = jit((p, tangent, input, oneHot) => {
    const [slope, result] = jvp((q) => grad((r) => loss(r, input.ref, oneHot.ref))(q), [p], [tangent]);
    for (const part of slope) part.dispose();
    return result;
  });
  const done = async (result) => {
    await blockUntilReady(result);
    for (const part of result) part.dispose();
  };
  return {
    gradient: () => done(gradient(kept(parameters), x.ref, t.ref)),
    hessian: () => done(product(kept(parameters), kept(v), x.ref, t.ref)),
  };
});
