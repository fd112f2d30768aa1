import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { zipSync } from "fflate";
import { describe, expect, test } from "vitest";
import { type LoadDataOptions, loadData } from "../../src/data/index.ts";
import { mnistFolder, mnistTest } from "../mnist.ts";
import { byteIdx, float32Npy, int64Npy, temporaryFolder } from "./files.ts";
import { batchesOf, rowsOf } from "./passes.ts";

const write = temporaryFolder();
const two = { x: { dims: [null, 2], dtype: "float32" } } as const;
const both = { a: { dims: [null, 2], dtype: "float32" }, b: { dims: [null], dtype: "int64" } } as const;

describe("loadData", () => {
  test("reads the digits for a model of [n, 64] or [n, 1, 8, 8]", async () => {
    const data = fileURLToPath(new URL("../../examples/digits/digits_train.csv.gz", import.meta.url));
    for (const row of [[64], [1, 8, 8]]) {
      const wanted = { pixels: { dims: [null, ...row], dtype: "float32" } } as const;
      const loaded = await loadData({ wanted, data, scale: 16, batchSize: 1000 });
      expect(loaded).toMatchObject({ rows: 1437, batchSize: 1000, description: "digits_train.csv.gz" });
      expect(loaded.inputs).toEqual({ pixels: { dims: row, dtype: "float32" } });
      expect(loaded.targets).toEqual({ dims: [], dtype: "int32" });
    }
  });

  test("reads MNIST images and labels, scaled exactly, for a convolutional model", async () => {
    const { images, labels } = await mnistTest(20);
    const loaded = await loadData({
      wanted: { image: { dims: ["batch", 1, 28, 28], dtype: "float32" } },
      data: `${mnistFolder}/t10k-images-idx3-ubyte`,
      targets: `${mnistFolder}/t10k-labels-idx1-ubyte`,
      scale: 255,
      rows: [0, 20],
    });
    const [batch] = await batchesOf(loaded);
    expect(batch!.inputs.image!.dims).toEqual([20, 1, 28, 28]);
    expect(batch!.inputs.image!.data).toEqual(
      Float32Array.from(images.data as Uint8Array, (pixel) => Math.fround(pixel / 255)),
    );
    expect(batch!.targets).toEqual({ data: Int32Array.from(labels.data as Uint8Array), dims: [20], dtype: "int32" });
    expect(loaded.description).toBe("t10k-images-idx3-ubyte + t10k-labels-idx1-ubyte, rows 0:20");
  });

  test("reads a file for each input, in the types that the model takes", async () => {
    const a = await write("a.csv", "a1,a2\n1,2\n3,4\n");
    const b = await write("b.npy", float32Npy([2], [7, 9]));
    const targets = await write("y.csv", "y\n0.5\n1.5\n");
    const loaded = await loadData({ wanted: both, inputs: { b, a }, targets, targetType: "number", scale: 2 });
    const [batch] = await batchesOf(loaded);
    expect(batch!.inputs).toEqual({
      a: { data: Float32Array.of(0.5, 1, 1.5, 2), dims: [2, 2], dtype: "float32" },
      b: { data: BigInt64Array.of(7n, 9n), dims: [2], dtype: "int64" },
    });
    expect(batch!.targets).toEqual({ data: Float32Array.of(0.5, 1.5), dims: [2], dtype: "float32" });
    expect(loaded.description).toBe("a.csv + b.npy + y.csv");
  });

  test("finds inputs and targets in an NPZ by the documented names", async () => {
    const x = float32Npy([2, 2], [1, 2, 3, 4]);
    const y = int64Npy([2], [1, 0]);
    const cases = [
      [{ "x.npy": x, "y.npy": y }, {}],
      [{ "images.npy": x, "labels.npy": y }, {}],
      [{ "inputs.npy": x, "targets.npy": y, "extra.npy": y }, {}],
      [{ "features.npy": x, "y.npy": int64Npy([1], [5]), "digit.npy": y }, { label: "digit" }],
    ] as const;
    for (const [files, options] of cases) {
      const { inputs, targets } = await rowsOf(await loadData({ wanted: two, data: zipSync(files), ...options }));
      expect([inputs.x, targets]).toEqual([
        [1, 2, 3, 4],
        [1, 0],
      ]);
    }
    const named = zipSync({ "a.npy": x, "b.npy": y, "y.npy": y });
    expect((await rowsOf(await loadData({ wanted: both, data: named }))).inputs.b).toEqual([1, 0]);
    const path = await write("named.npz", named);
    const member = await loadData({ wanted: two, data: `${path}:a`, targets: `${path}:b` });
    expect(member.description).toBe("named.npz:a + named.npz:b");
  });

  test("keeps probabilities as floats and makes labels of whole numbers", async () => {
    const data = float32Npy([2, 2], [1, 2, 3, 4]);
    const targetsOf = async (targets: Uint8Array) =>
      (await batchesOf(await loadData({ wanted: two, data, targets })))[0]!.targets;
    expect(await targetsOf(float32Npy([2, 2], [1, 0, 0, 1]))).toMatchObject({ dims: [2, 2], dtype: "float32" });
    expect(await targetsOf(float32Npy([2, 1], [1, 0]))).toMatchObject({ dims: [2], dtype: "int32" });
    expect(await targetsOf(int64Npy([2, 3], [1, -100, 0, 1, 1, 1]))).toMatchObject({ dims: [2, 3], dtype: "int32" });
    await expect(targetsOf(float32Npy([2], [1, 0.5]))).rejects.toThrow(
      'data in memory: targets: expected whole numbers from -2147483648 to 2147483647 (int32), got 0.5 at row 1; class labels are whole numbers; for numbers to regress on, pass targetType: "number" and a loss that takes them',
    );
  });

  test("takes all columns of a CSV as the input where targets have a file of their own, or there are none", async () => {
    const data = await write("x.csv.gz", gzipSync("1,2\n3,4\n"));
    const targets = await write("labels.idx", byteIdx([2], [5, 6]));
    const { inputs, targets: labels } = await rowsOf(await loadData({ wanted: two, data, targets, rows: [1] }));
    expect([inputs.x, labels]).toEqual([[3, 4], [6]]);
    expect((await rowsOf(await loadData({ wanted: two, data, label: false }))).inputs.x).toEqual([1, 2, 3, 4]);
  });

  test("counts rows in messages from the file's first, whatever range is taken", async () => {
    const data = await write("tokens.npy", float32Npy([3, 2], [1, 2, 3, 4, 5, 6.5]));
    const wanted = { x: { dims: [null, 2], dtype: "int64" } } as const;
    await expect(loadData({ wanted, data, label: false, rows: [1] })).rejects.toThrow(
      "tokens.npy: expected whole numbers from -9007199254740991 to 9007199254740991 (int64), got 6.5 at row 2, column 1",
    );
  });

  const x = float32Npy([2, 2], [1, 2, 3, 4]);
  const csv = new TextEncoder().encode("1,2,0\n3,4,1");
  test.each<[Omit<LoadDataOptions, "wanted"> & Partial<LoadDataOptions>, string]>([
    [{}, "expected either one data file or a file for each input, got neither"],
    [{ data: x, inputs: { x } }, "expected either one data file or a file for each input, got both"],
    [{ data: csv, targets: x, label: 0 }, "expected either a file of targets or a label column, got both"],
    [{ data: x }, "data in memory: expected targets beside the inputs of x, got none; give a file of targets"],
    [{ inputs: { z: x } }, "expected a file for each of the model's inputs (x), got z"],
    [{ inputs: {} }, "expected a file for each of the model's inputs (x), got none"],
    [{ inputs: { a: x }, wanted: both }, "expected a file for each of the model's inputs (a, b), got a"],
    [
      { data: csv, wanted: both },
      "a data file holds one input, but the model has 2 (a, b); give a file for each input, or bind those that are the same for all rows",
    ],
    [{ data: zipSync({ "q.npy": x }), label: false }, 'data in memory: expected an array "x", the archive has q'],
    [
      { data: zipSync({ "x.npy": x, "q.npy": x }), label: "digit" },
      'data in memory: expected an array "digit", the archive has x, q',
    ],
    [
      { data: x, targets: int64Npy([3], [1, 2, 3]) },
      "data in memory has 2 rows but data in memory has 3; expected one entry a row in each, in the same order",
    ],
    [
      { data: x, targets: int64Npy([3], [1, 2, 3]), rows: [0, 2] },
      "data in memory has 2 rows but data in memory has 3; expected one entry a row in each, in the same order",
    ],
    [{ data: csv, targets: csv, rows: [0, 9] }, "data in memory: expected rows A:B with 0 <= A < B <= 2, got 0:9"],
    [
      { data: csv, wanted: { x: { dims: [null, 3], dtype: "float32" } } },
      'data in memory: rows have shape [2] (2 numbers), but the model\'s input "x" takes [3] (3) a row',
    ],
    [{ data: csv, scale: 0 }, "expected scale to be a positive number"],
    [{ data: csv, batchSize: 0 }, "expected a batch size of 1, 2, 3, ... rows, got 0"],
    [{ data: "nowhere.csv" }, "cannot read nowhere.csv: there is no such file; check the path"],
  ])("refuses, in one line, files that do not fit: %#", async (options, message) => {
    await expect(loadData({ wanted: two, ...options })).rejects.toThrow(message);
    await expect(loadData({ wanted: two, ...options })).rejects.toMatchObject({
      name: "CurvatureError",
      message: expect.not.stringContaining("\n"),
    });
  });
});
