import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { loadModel } from "../../src/index.ts";
import { compare, riskOf } from "./layerComparison.ts";

/** Parameters that also enter outside of layers: in a concatenation, an exponent, through a sum of parameters, in a first step without input. */
const ELSEWHERE: { readonly [file: string]: readonly string[] } = {
  "batch_ensemble_bmm__dy23.onnx": ["w1", "w2"],
  "batch_ensemble_bmm__ts20.onnx": ["w1", "w2"],
  "batchnorm_batch_statistics_eval__dyNone.onnx": ["a.bias"],
  "capsule_routing__dyNone.onnx": ["W"],
  "capsule_routing__ts11.onnx": ["W"],
  "highway_dyt_swish_beta__dy18.onnx": ["val_17"],
  "instancenorm_running_stats__dy23.onnx": ["n.weight", "n.bias"],
  "lstm_learned_state__dy23.onnx": ["h0", "c0", "val_40", "val_103"],
  "lstm_learned_state__ts20.onnx": ["h0", "c0", "onnx::LSTM_222", "onnx::LSTM_242"],
  "neural_ode_midpoint__dy20.onnx": ["y"],
  "neural_ode_midpoint__ts17.onnx": ["y", "gate"],
  "rbf_pow_param_exponent__dy23.onnx": ["c", "pw"],
  "rbf_pow_param_exponent__ts20.onnx": ["c", "ls", "pw"],
  "rnn_relu_uni2__dy18.onnx": ["r.bias_hh_l0", "r.bias_hh_l1"],
  "rwkv_recurrence__ts17.onnx": ["w"],
  "ssm_cumsum_mamba__ts17.onnx": ["logA"],
  "tabular_dcn_fm_multilabel__ts13.onnx": ["fm"],
  "tabular_dcn_fm_multilabel__tsp20.onnx": ["fm"],
};

const folder = fileURLToPath(new URL("../models/weights", import.meta.url));
/** Files whose outputs are not finite for random inputs (a root of a random degree, the logarithm of a random exposure). */
const notRandom = /gnn_dense|poisson_glm/;
/** Files that compute with statistics of the batch. */
const coupled = /batch_statistics/;
const files = readdirSync(folder).filter((name) => name.endsWith(".onnx") && !notRandom.test(name));

test.each(files)("input times cotangent is the gradient, row by row: %s", async (name) => {
  const found = await compare(await riskOf(await loadModel(`${folder}/${name}`)));
  expect(found.layers).toBeGreaterThan(0);
  expect(found.missing).toEqual([]);
  expect(found.elsewhere).toEqual(ELSEWHERE[name] ?? []);
  expect(found.difference).toBeLessThan(1e-12);
  if (!coupled.test(name)) expect(found.ofIgnoredRow).toBe(0);
});
