import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { normalVector, uniformNumbers, uniformVector } from "../random.mjs";
import { summary, timer } from "../timing.mjs";

/** A package of this folder's own package.json, which is installed on request. */
export async function peer(name) {
  try {
    return await import(name);
  } catch (cause) {
    throw new Error(`${name} is not installed; run npm install --prefix bench/peers`, { cause });
  }
}

/** Sizes and rows of the multilayer perceptrons among the problems. */
const perceptrons = {
  A: { sizes: [64, 16, 10], activation: "tanh", rows: 360 },
  B: { sizes: [784, 64, 32, 10], activation: "tanh", rows: 512 },
  C: { sizes: [784, 1024, 512, 256, 128, 64, 10], activation: "relu", rows: 512 },
};

/** A perceptron's weights [inputs, outputs] and biases, a vector of the same shapes, inputs and one-hot targets: plain arrays. */
function perceptronProblem(name) {
  const { sizes, activation, rows } = perceptrons[name];
  const random = uniformNumbers(1);
  const shapes = sizes.slice(1).flatMap((outputs, i) => [[sizes[i], outputs], [outputs]]);
  const size = ([a, b = 1]) => a * b;
  const weights = shapes.map((shape, i) => uniformVector(random, size(shape), 1 / Math.sqrt(sizes[i >> 1])));
  const vector = shapes.map((shape) => normalVector(random, size(shape)));
  const classes = sizes[sizes.length - 1];
  const targets = new Float32Array(rows * classes);
  for (let row = 0; row < rows; row++) targets[row * classes + Math.floor(random() * classes)] = 1;
  const inputs = normalVector(random, rows * sizes[0]);
  return {
    activation,
    shapes,
    weights,
    vector,
    inputs,
    inputShape: [rows, sizes[0]],
    targets,
    targetShape: [rows, classes],
  };
}

/**
 * Times the functions that `make` gives for a perceptron: told what to time on standard input with --serve, as ../run.mjs
 * is, else all of them once.
 */
export async function serve(make) {
  const { values } = parseArgs({
    options: {
      problem: { type: "string", default: "A" },
      threads: { type: "string", default: "1" },
      serve: { type: "boolean", default: false },
      seconds: { type: "string", default: "2" },
    },
  });
  const works = await make(perceptronProblem(values.problem));
  const timers = Object.fromEntries(Object.entries(works).map(([name, work]) => [name, timer(work)]));
  if (!values.serve) {
    for (const [quantity, { measure, times }] of Object.entries(timers)) {
      await measure(Number(values.seconds));
      console.log(JSON.stringify({ quantity, ...summary(times), first: times.first, repeats: times.all.length }));
    }
    return;
  }
  console.log(JSON.stringify({ ready: true }));
  for await (const line of createInterface({ input: process.stdin })) {
    const { quantity, seconds } = JSON.parse(line);
    try {
      const { times, measure } = timers[quantity];
      const done = { all: times.all.length, undisturbed: times.undisturbed.length };
      await measure(seconds);
      const all = times.all.slice(done.all);
      const undisturbed = times.undisturbed.slice(done.undisturbed);
      console.log(JSON.stringify({ quantity, all, undisturbed, first: times.first }));
    } catch (error) {
      console.log(JSON.stringify({ quantity, error: String(error) }));
    }
  }
}
