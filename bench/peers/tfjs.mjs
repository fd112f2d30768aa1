import { peer, serve } from "./served.mjs";

/*
 * Times TensorFlow.js, on WebAssembly: gradient and Hessian-vector product (gradient of gradient times vector, since it has
 * no forward derivative) of a perceptron.
 */

const tf = await peer("@tensorflow/tfjs");
await peer("@tensorflow/tfjs-backend-wasm");

await serve(async ({ activation, shapes, weights, vector, inputs, inputShape, targets, targetShape }) => {
  tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
  await tf.setBackend("wasm");
  const tensors = (list) => list.map((data, i) => tf.tensor(data, shapes[i]));
  const [parameters, v] = [tensors(weights), tensors(vector)];
  const [x, t] = [tf.tensor(inputs, inputShape), tf.tensor(targets, targetShape)];
  const activate = activation === "tanh" ? tf.tanh : tf.relu;
  // logSumExp has no second derivative here (that of its maximum is missing), so the sum is written out; logits are small.
  const loss = (...p) => {
    let y = x;
    for (let i = 0; i < p.length; i += 2) {
      y = tf.add(tf.matMul(y, p[i]), p[i + 1]);
      if (i + 2 < p.length) y = activate(y);
    }
    const logits = tf.sub(y, tf.log(tf.sum(tf.exp(y), 1, true)));
    return tf.mul(tf.sum(tf.mul(logits, t)), -1 / inputShape[0]);
  };
  const gradient = tf.grads(loss);
  const slope = (...p) => tf.addN(gradient(p).map((part, i) => tf.sum(tf.mul(part, v[i]))));
  const product = tf.grads(slope);
  const done = async (work) => {
    const results = tf.tidy(() => work(parameters));
    await results[0].data();
    tf.dispose(results);
  };
  return { gradient: () => done(gradient), hessian: () => done(product) };
});
