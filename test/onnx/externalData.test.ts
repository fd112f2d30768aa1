import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ReadOptions } from "../../src/files/index.ts";
import {
  AttributeProto_AttributeType,
  ModelProtoSchema,
  TensorProto_DataLocation,
  type TensorProtoSchema,
} from "../../src/onnx/generated/onnx_pb.ts";
import { modelContents, readModel, subgraphContents } from "../../src/onnx/index.ts";
import { rejectionOf } from "./messageOf.ts";

let folder: string;
const numbers = Float32Array.of(1, 2, 3, 4, 5);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "onnx-curvature-"));
  mkdirSync(join(folder, "inner"));
  writeFileSync(join(folder, "inner", "weights.bin"), new Uint8Array(numbers.buffer));
});

afterAll(() => rmSync(folder, { recursive: true }));

type Entries = Readonly<Record<string, string>>;

function externalTensor(entries: Entries, dims: readonly bigint[] = [2n]): MessageInitShape<typeof TensorProtoSchema> {
  const externalData = Object.entries(entries).map(([key, value]) => ({ key, value }));
  return { name: "w", dataType: 1, dims: [...dims], externalData, dataLocation: TensorProto_DataLocation.EXTERNAL };
}

function modelBytes(graph: NonNullable<MessageInitShape<typeof ModelProtoSchema>["graph"]>): Uint8Array {
  const model = create(ModelProtoSchema, { irVersion: 8n, opsetImport: [{ domain: "", version: 17n }], graph });
  return toBinary(ModelProtoSchema, model);
}

/** The weight of a model in the folder whose external data are described so. */
async function load(entries: Entries, dims?: readonly bigint[], options: ReadOptions = {}) {
  const path = join(folder, "model.onnx");
  writeFileSync(path, modelBytes({ name: "g", initializer: [externalTensor(entries, dims)] }));
  const { graph } = modelContents(await readModel(path, options));
  expect(graph.initializers[0]!.external).toBe(true);
  return (await graph.initializers[0]!.load()).data;
}

const location = "inner/weights.bin";

describe("external data", () => {
  test("only the range that is named", async () => {
    expect(await load({ location, offset: "4", length: "8" })).toEqual(Float32Array.of(2, 3));
    expect(await load({ location })).toEqual(Float32Array.of(1, 2));
    expect(await load({ location, offset: "20" }, [0n])).toEqual(new Float32Array(0));
  });

  test("missing files, ranges beyond the end, lengths that do not fit", async () => {
    expect(await rejectionOf(load({ location: "no.bin" }))).toBe(
      `file: External data file "${join(folder, "no.bin")}", which holds weights of the model, is missing.`,
    );
    expect(await rejectionOf(load({ location: "inner/weights.bin/x" }))).toMatch(/cannot be read \(ENOTDIR\)\.$/);
    expect(await rejectionOf(load({ location: "inner" }))).toMatch(/is no ordinary file\.$/);
    expect(await rejectionOf(load({ location, offset: "16" }))).toMatch(
      /has 20 bytes, but bytes 16 to 24 are needed; it is truncated\.$/,
    );
    expect(await rejectionOf(load({ location }, [2n ** 40n], { memoryLimit: Number.POSITIVE_INFINITY }))).toMatch(
      /has 20 bytes, but bytes 0 to 4398046511104 are/,
    );
    expect(await rejectionOf(load({ location, length: "12" }))).toBe(
      `file: Tensor "w" needs 8 bytes, but declares 12 in external file "${location}"; export it again.`,
    );
    expect(await rejectionOf(load({ location, offset: "-4" }))).toMatch(
      /with offset "-4", which is no number of bytes/,
    );
    expect(await rejectionOf(load({ location, length: "1e99" }))).toMatch(/with length "1e99", which is no number/);
    expect(await rejectionOf(load({}))).toMatch(/has external data without a location/);
  });

  test.each(["../weights.bin", "inner/../../x", "..\\x", "/etc/hostname", "\\x", "C:\\x", "file:///x", "a\0b"])(
    "nothing outside of the folder: %j",
    async (outside) => {
      expect(await rejectionOf(load({ location: outside }))).toBe(
        `file: Tensor "w" has external data at ${JSON.stringify(outside)}; expected a path inside the model's own folder, without "..".`,
      );
    },
  );

  test("symbolic links in the folder are followed, wherever they lead; not to what is no file", async () => {
    const store = mkdtempSync(join(tmpdir(), "onnx-curvature-store-"));
    try {
      writeFileSync(join(store, "blob"), new Uint8Array(numbers.buffer));
      symlinkSync(join(store, "blob"), join(folder, "linked.bin"));
      expect(await load({ location: "linked.bin", offset: "4" })).toEqual(Float32Array.of(2, 3));
      execFileSync("mkfifo", [join(store, "pipe")]);
      symlinkSync(join(store, "pipe"), join(folder, "pipe.bin"));
      expect(await rejectionOf(load({ location: "pipe.bin" }))).toMatch(/pipe\.bin" is no ordinary file\.$/);
    } finally {
      rmSync(store, { recursive: true });
    }
  });

  test("no more than the memory limit, in one tensor or several that share a range", async () => {
    expect(await load({ location }, [2n], { memoryLimit: 200 })).toEqual(Float32Array.of(1, 2));
    expect(await rejectionOf(load({ location }, [2n ** 40n]))).toMatch(
      /its external data needs 4\.4 TB, more than the memory limit of .*; if that is meant, raise memoryLimit \(--memory-limit\)$/,
    );
    const initializer = Array.from({ length: 100 }, (_, i) => ({
      ...externalTensor({ location }, [5n]),
      name: `w${i}`,
    }));
    const path = join(folder, "shared.onnx");
    writeFileSync(path, modelBytes({ name: "g", initializer }));
    const { size } = statSync(path);
    await readModel(path, { memoryLimit: size });
    expect(await rejectionOf(readModel(path, { memoryLimit: size - 1 }))).toMatch(/shared\.onnx needs .* more than/);
    const doubled = [...initializer, ...initializer.map((each) => ({ ...each, name: `${each.name}b`, dims: [5000n] }))];
    writeFileSync(path, modelBytes({ name: "g", initializer: doubled }));
    expect(await rejectionOf(readModel(path, { memoryLimit: 2e6 }))).toMatch(
      /shared\.onnx: its external data needs 2 MB, more than the memory limit of 2 MB/,
    );
  });

  test("of models given as bytes", async () => {
    const bytes = modelBytes({ name: "g", initializer: [externalTensor({ location, offset: "4" })] });
    const weight = async (externalData: Record<string, Uint8Array>) =>
      (await modelContents(await readModel(bytes, { externalData })).graph.initializers[0]!.load()).data;
    expect(await weight({ [location]: new Uint8Array(numbers.buffer) })).toEqual(Float32Array.of(2, 3));
    expect(await rejectionOf(weight({}))).toBe(
      `file: The model keeps weights in file "${location}", but was given as bytes; pass externalData: { "${location}": bytes }.`,
    );
    expect(await rejectionOf(weight({ [location]: new Uint8Array(8) }))).toMatch(/has 8 bytes, but bytes 4 to 12 are/);
  });

  test("of attributes and subgraphs, which are read with the model", async () => {
    const tensor = externalTensor({ location, offset: "8" });
    const inner = { name: "then", initializer: [tensor], node: [] };
    const attribute = [
      { name: "value", type: AttributeProto_AttributeType.TENSOR, t: tensor },
      { name: "values", type: AttributeProto_AttributeType.TENSORS, tensors: [tensor] },
      { name: "then_branch", type: AttributeProto_AttributeType.GRAPH, g: inner },
      { name: "branches", type: AttributeProto_AttributeType.GRAPHS, graphs: [inner] },
    ];
    const bytes = modelBytes({ name: "g", node: [{ opType: "Any", attribute }] });
    const externalData = { [location]: new Uint8Array(numbers.buffer) };
    const { graph } = modelContents(await readModel(bytes, { externalData }));
    const { value, values, then_branch: thenBranch, branches } = graph.nodes[0]!.attributes;
    const expected = { data: Float32Array.of(3, 4), dims: [2], dtype: "float32" };
    expect(value).toEqual({ tensor: expected });
    expect(values).toEqual({ tensors: [expected] });
    const subgraphs = [(thenBranch as { graph: Uint8Array }).graph, (branches as { graphs: Uint8Array[] }).graphs[0]!];
    for (const subgraph of subgraphs) {
      expect(await subgraphContents(subgraph).initializers[0]!.load()).toEqual(expected);
    }
    expect(await rejectionOf(readModel(bytes))).toMatch(/The model keeps weights in file/);
  });
});
