import { expect, test } from "vitest";
import {
  laplace,
  logMarginalLikelihood,
  optimizePrior,
  predict,
  priorCurve,
} from "../../../src/applications/laplace/index.ts";
import { arrays, type Data, ggn, hessian } from "../../../src/index.ts";
import { ekfac } from "../../../src/structured/index.ts";
import { rejectionOf } from "../../onnx/messageOf.ts";
import { plainLoss, smallRisk } from "../smallRisk.ts";

test("messages", async () => {
  const risk = await smallRisk();
  const plain = await smallRisk({ loss: plainLoss() });
  const posterior = await laplace(risk);
  const noTargets: Data = arrays({ inputs: { x: { data: new Float64Array(3), dims: [1, 3] } } });
  const flipped = await smallRisk({ labels: [1, 2, 0, 1, 0, 2, 2] });
  const cases: readonly (readonly [() => Promise<unknown>, string])[] = [
    [
      () => laplace(plain),
      "laplace needs a loss that is a negative log-likelihood of a known family, but plain declares none",
    ],
    [
      () => laplace(risk, { weights: "nothing" }),
      "laplace finds no weights that match nothing; there are w1, b1, w2, b2",
    ],
    [
      () => laplace(risk, { weights: { random: 99, seed: 0 } }),
      "laplace expects a subnetwork of 1 to 24 weights, got 99",
    ],
    [
      () => laplace(risk, { weights: { indices: [1, 1] } }),
      "laplace expects indices of a subnetwork to be different integers from 0 to 23",
    ],
    [
      () => laplace(risk, { weights: { largest: "size" as never, count: 2 } }),
      'largest "magnitude" or "variance", got "size"',
    ],
    [() => laplace(risk, { structure: "dense" as never }), 'laplace expects structure to be "full", "kfac"'],
    [
      () => laplace(risk, { structure: ggn(plain), weights: "b1" }),
      "laplace expects a matrix of the 3 weights of the posterior, got 24 x 24",
    ],
    [
      () => laplace(risk, { sigmaNoise: 0.1 }),
      "laplace: sigmaNoise is the noise of squared errors, but the loss is crossEntropy",
    ],
    [() => laplace(risk, { temperature: 0 }), "laplace expects temperature to be a positive finite number, got 0"],
    [() => laplace(risk, { priorPrecision: 0 }), "laplace expects priorPrecision to be positive and finite, got 0"],
    [() => laplace(risk, { priorPrecision: { w1: 1 } }), "one number for each of w1, b1, w2, b2, got none for b1"],
    [
      () => laplace(risk, { priorPrecision: new Float64Array(3).fill(1) }),
      "laplace expects priorPrecision as a number or as 24 numbers",
    ],
    [() => laplace(risk, { priorMean: new Float64Array(3) }), "laplace expects priorMean as a number or as 24 numbers"],
    [
      () => laplace(risk, { priorPrecision: Float64Array.from({ length: 24 }, (_, i) => 1 + i) }),
      "has no closed form with a prior precision that varies within it",
    ],
    [
      async () => laplace(risk, { structure: (await laplace(risk, { structure: "diagonal" })).matrix, weights: "w1" }),
      "laplace expects a matrix of the 9 weights",
    ],
    [
      () => laplace(risk, { structure: async (own) => (await ekfac(own)).withDamping(1) }),
      "the prior precision is the damping",
    ],
    [
      () =>
        laplace(flipped, { structure: async (own) => hessian(own), estimation: { steps: 24 } }).then((own) =>
          logMarginalLikelihood(own),
        ),
      "negative curvature",
    ],
    [() => posterior.withPrior({ sigmaNoise: 1 }), "withPrior: sigmaNoise is the noise of squared errors"],
    [
      () => predict(posterior, noTargets, { link: "moments" }),
      "predict expects link for the categorical likelihood to be",
    ],
    [() => predict(posterior, noTargets, { link: "monteCarlo" }), "predict draws random vectors and expects seed"],
    [
      () => optimizePrior(posterior, { method: "validation" }),
      'optimizePrior: method "validation" needs rows with targets as validation',
    ],
    [() => optimizePrior(posterior, { sigmaNoise: true }), "optimizePrior: the noise is optimized for squared errors"],
    [() => optimizePrior(posterior, { by: "weight" }), 'has a closed form for structure: "diagonal" alone'],
    [() => priorCurve(posterior, { precisions: [] }), "priorCurve expects at least one precision, got none"],
    [() => priorCurve(posterior, { validation: noTargets }), "priorCurve expects rows with targets"],
    [() => priorCurve(posterior, { link: "network" }), 'priorCurve takes a link other than "network"'],
    [() => predict({} as never, noTargets), "predict expects a posterior, as await laplace(risk) gives it"],
  ];
  for (const [call, message] of cases) expect(await rejectionOf(call())).toContain(message);
});
