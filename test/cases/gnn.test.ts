import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { arrays, crossEntropy, empiricalRisk, ggn, hessian, loadModel } from "../../src/index.ts";
import { eigh, toDense } from "../../src/linalg/index.ts";
import { run } from "../cli/commandLine.ts";
import { rejectionOf } from "../onnx/messageOf.ts";

/** A graph network, whose rows are the nodes of one graph: numbers by PyTorch in float64, `e` is the bound edge_index [2, 20]. */
interface GraphCase {
  readonly x: readonly number[];
  readonly e: readonly number[];
  readonly y: readonly number[];
  readonly ref: {
    readonly loss: number;
    readonly gnorm: number;
    readonly eigH: readonly number[];
    readonly eigG: readonly number[];
  };
}

const file = (name: string) => fileURLToPath(new URL(`gnn/${name}`, import.meta.url));
const graph = JSON.parse(readFileSync(file("case.json"), "utf8")) as GraphCase;

async function riskOf(options: { readonly batchSize: number; readonly coupledRows: boolean }) {
  const { batchSize, coupledRows } = options;
  const edges = { data: BigInt64Array.from(graph.e, BigInt), dims: [2, 20] };
  const model = await loadModel(file("model.onnx"), { bind: { edge_index: edges } });
  const inputs = { data: Float32Array.from(graph.x), dims: [9, 3] };
  const data = arrays({ inputs, targets: { data: Int32Array.from(graph.y), dims: [9] }, batchSize });
  return empiricalRisk({ model, loss: crossEntropy(), data, dtype: "float64", coupledRows });
}

test("a graph network is refused with the node where nodes meet", async () => {
  expect(await rejectionOf(riskOf({ batchSize: 512, coupledRows: false }))).toContain(
    'rows of a batch influence one another, first at GatherND "node_GatherND_13": number 0 of output "output" of row 8',
  );
});

test.each([512, 4])("its matrices are PyTorch's with coupledRows and batches of %i", async (batchSize) => {
  const risk = await riskOf({ batchSize, coupledRows: true });
  expect(await risk.loss()).toBeCloseTo(graph.ref.loss, 12);
  expect(Math.hypot(...(await risk.gradient()))).toBeCloseTo(graph.ref.gnorm, 12);
  for (const [matrix, expected] of [
    [hessian(risk), graph.ref.eigH],
    [ggn(risk), graph.ref.eigG],
  ] as const) {
    const { values } = await eigh(await toDense(matrix));
    const largest = Math.max(...expected.map(Math.abs));
    [...values]
      .sort((a, b) => a - b)
      .forEach((value, i) => {
        expect(Math.abs(value - expected[i])).toBeLessThan(1e-9 * largest);
      });
  }
  await risk.dispose();
});

test("the command line binds an input to the array in a file, and takes coupled rows", async () => {
  const out = mkdtempSync(join(tmpdir(), "graph-"));
  const args = ["--data", file("x.npy"), "--targets", file("y.npy"), "--bind", `edge_index=${file("edge_index.npy")}`];
  const report = ["report", file("model.onnx"), ...args, "--loss", "crossEntropy", "--dtype", "float64", "--json"];
  try {
    const refused = await run(...report, "--out", out);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("influence one another");
    const taken = await run(...report, "--coupled-rows", "--matrices", "ggn", "--batch-size", "4", "--out", out);
    expect(taken.code).toBe(0);
    expect(JSON.parse(taken.stdout).loss.value).toBeCloseTo(graph.ref.loss, 12);
  } finally {
    rmSync(out, { recursive: true });
  }
});
