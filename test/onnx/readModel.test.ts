import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type GraphProtoSchema, ModelProtoSchema } from "../../src/onnx/generated/onnx_pb.ts";
import { modelContents, readModel, writeModel } from "../../src/onnx/index.ts";
import { rejectionOf } from "./messageOf.ts";

const digits = fileURLToPath(new URL("../models/digits_mlp_op13.onnx", import.meta.url));
const external = fileURLToPath(new URL("../models/exported/mlp_external_data.onnx", import.meta.url));
const dataFile = "mlp_external_data.onnx.data";

let folder: string;
let server: Server;
let requested: string[] = [];

/** Serves the models and, at /ranges/, answers range requests with the range alone. */
function serve(): Promise<Server> {
  const created = createServer(({ url = "", headers }, response) => {
    requested.push(`${url} ${headers.range ?? "whole"}`);
    const file = basename(url);
    if (file === "missing.onnx" || (url.startsWith("/alone/m") && file.endsWith(".data")))
      return response.writeHead(404, "Not Found").end();
    if (url.startsWith("/closing/") && file.endsWith(".data")) return response.destroy();
    const bytes = readFileSync(join(external, "..", file));
    if (url.startsWith("/short/")) {
      response.writeHead(200, { "Content-Length": bytes.length });
      return response.write(bytes.subarray(0, 100), () => response.destroy());
    }
    const range = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? "");
    if (range === null || !url.startsWith("/ranges/")) return response.end(bytes);
    return response.writeHead(206).end(bytes.subarray(Number(range[1]), Number(range[2]) + 1));
  });
  return new Promise((resolve) => created.listen(0, "127.0.0.1", () => resolve(created)));
}

const address = (path: string) => `http://127.0.0.1:${(server.address() as AddressInfo).port}/${path}`;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "onnx-curvature-"));
  server = await serve();
});

afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

/** Values of all initializers by name. */
async function weights(...args: Parameters<typeof readModel>) {
  const { graph } = modelContents(await readModel(...args));
  const entries = graph.initializers.map(async ({ name, load }) => [name, (await load()).data] as const);
  return Object.fromEntries(await Promise.all(entries));
}

function withVersions(irVersion: number, opset: number | undefined): Uint8Array {
  const opsetImport = opset === undefined ? [] : [{ domain: "", version: BigInt(opset) }];
  const model = create(ModelProtoSchema, { irVersion: BigInt(irVersion), graph: { name: "g" }, opsetImport });
  return toBinary(ModelProtoSchema, model);
}

describe("sources", () => {
  test("path, file URL, http URL and bytes give the same model", async () => {
    const expected = await weights(digits);
    expect(Object.keys(expected).length).toBeGreaterThan(1);
    expect(await weights(pathToFileURL(digits))).toEqual(expected);
    expect(await weights(pathToFileURL(digits).href)).toEqual(expected);
    expect(await weights(readFileSync(digits))).toEqual(expected);
  });

  test("data: URLs, which have no folder", async () => {
    const url = (path: string) => `data:;base64,${readFileSync(path).toString("base64")}`;
    expect(await weights(url(digits))).toEqual(await weights(digits));
    expect(await rejectionOf(weights(url(external)))).toMatch(/but was given as bytes; pass externalData/);
    expect(await rejectionOf(readModel(`data:,${"text".repeat(1000)}`))).toMatch(
      /^.{200,300}\.\.\.: expected an ONNX model/,
    );
  });

  test.each(["ranges", "whole"])("external data over http (%s)", async (kind) => {
    requested = [];
    expect(await weights(address(`${kind}/mlp_external_data.onnx`))).toEqual(await weights(external));
    expect(requested.filter((line) => line.includes(".data bytes=")).length).toBeGreaterThan(0);
  });

  test("external data that no server has", async () => {
    const gone = weights(address("alone/mlp_external_data.onnx"));
    expect(await rejectionOf(gone)).toMatch(
      /^file: External data, .*, at http.*\.data cannot be fetched: HTTP 404 Not Found\.$/,
    );
    const model = modelContents(await readModel(address("closing/mlp_external_data.onnx")));
    const outside = model.graph.initializers.find((each) => each.external)!;
    expect(await rejectionOf(outside.load())).toMatch(/cannot be fetched: no complete answer; check/);
  });

  test("external data given as bytes", async () => {
    const files = { [dataFile]: readFileSync(join(external, "..", dataFile)) };
    expect(await weights(readFileSync(external), { externalData: files })).toEqual(await weights(external));
  });
});

describe("refusals", () => {
  test("missing files, folders and addresses", async () => {
    expect(await rejectionOf(readModel("no/such/model.onnx"))).toBe(
      "file: no/such/model.onnx: no such file; check the path of the model.",
    );
    expect(await rejectionOf(readModel(folder))).toMatch(/this is a folder; give the path of the \.onnx file in it\.$/);
    expect(await rejectionOf(readModel(`${digits}/x.onnx`))).toMatch(/cannot be read \(ENOTDIR\)\.$/);
    expect(await rejectionOf(readModel(address("missing.onnx")))).toMatch(
      /^file: Model http:.*missing\.onnx cannot be fetched: HTTP 404 Not Found\.$/,
    );
    expect(await rejectionOf(readModel("http://127.0.0.1:1/m.onnx"))).toMatch(
      /^file: Model http:.* cannot be fetched: no complete answer; check the address and the network\.$/,
    );
    expect(await rejectionOf(readModel(address("short/mlp_external_data.onnx")))).toMatch(/no complete answer/);
    expect(await rejectionOf(readModel("file:///a%2Fb"))).toMatch(/no valid address; expected a path, a file: URL/);
    expect(await rejectionOf(readModel("http://["))).toMatch(/no valid address; expected a path, a file: URL/);
  });

  test.each([
    ["", "empty file, expected an ONNX model"],
    ["ir_version: 8\ngraph {\n", 'text that starts with "ir_version: 8'],
    ["<!DOCTYPE html><html>", "text that starts with "],
    ["version https://git-lfs.github.com/spec/v1", "a Git LFS pointer; fetch the file itself with git lfs pull"],
    ["PK\x03\x04\0\0\0", "a zip archive"],
    ["\x1f\x8b\x08", "a gzip archive; unpack it first"],
    ["\xfd7zXZ\0\0\x04", "an xz archive; unpack it first (xz -d)"],
    ["\x28\xb5\x2f\xfd\x04\0", "a Zstandard archive; unpack it first (zstd -d)"],
    ["BZh91AY&SY\0", "a bzip2 archive; unpack it first (bzip2 -d)"],
    ["\x04\x22\x4d\x18\x64", "an LZ4 archive; unpack it first (lz4 -d)"],
    ["7z\xbc\xaf\x27\x1c\0\x04", "a 7z archive; unpack it first (7z x)"],
    ["\x89HDF\r\n", "an HDF5 file"],
    ["\x80\x02}q", "a pickle"],
    ["\x93NUMPY\x01", "a NumPy array"],
    ["\x1c\0\0\0TFL3", "a TensorFlow Lite model"],
    ["\x1c\0\0\0ORTM", "a model in ONNX Runtime's own format"],
    ["\x08\x07", "something without a graph"],
  ])("%j", async (text, message) => {
    const path = join(folder, "file.onnx");
    writeFileSync(path, text, "latin1");
    const rejection = await rejectionOf(readModel(path));
    expect(rejection.startsWith(`file: ${path}: `)).toBe(true);
    expect(rejection).toContain(message);
  });

  test("files beyond 2 GiB", async () => {
    const path = join(folder, "large.onnx");
    writeFileSync(path, "");
    truncateSync(path, 2 ** 31 + 1);
    expect(await rejectionOf(readModel(path))).toMatch(
      /larger than 2 GiB, which no \.onnx file is; its weights belong in/,
    );
  });

  test("truncated files", async () => {
    const bytes = readFileSync(digits);
    expect(await rejectionOf(readModel(bytes.subarray(0, 3000)))).toBe(
      "file: The given model: expected an ONNX model, but this is truncated or damaged (premature EOF), get it again.",
    );
  });

  test("subgraphs nested beyond what protobuf readers take are called so", async () => {
    let graph: MessageInitShape<typeof GraphProtoSchema> = { name: "innermost" };
    for (let depth = 0; depth < 40; depth++) {
      graph = { name: "g", node: [{ opType: "If", attribute: [{ name: "then_branch", type: 5, g: graph }] }] };
    }
    const model = create(ModelProtoSchema, { irVersion: 8n, graph, opsetImport: [{ domain: "", version: 17n }] });
    expect(await rejectionOf(readModel(toBinary(ModelProtoSchema, model)))).toBe(
      "file: The given model: subgraphs are nested more than 33 deep, which ONNX Runtime does not read either; export the model without such nesting.",
    );
  });

  test("what is not a source", async () => {
    for (const source of [undefined, null, 3, {}, [1]]) {
      expect(await rejectionOf(readModel(source as unknown as string))).toMatch(
        /^argument: expected a model as a path, a URL or the bytes of a \.onnx file, got (undefined|null|number|object)$/,
      );
    }
  });

  test("versions that ONNX Runtime does not take", async () => {
    expect(await rejectionOf(readModel(withVersions(14, 20)))).toBe(
      "file: The given model: has IR version 14, but ONNX Runtime takes at most 13; export it with an older onnx.",
    );
    expect(await rejectionOf(readModel(withVersions(13, 27)))).toBe(
      "file: The given model: uses opset 27, but 7 to 26 can be read; convert it with onnx.version_converter.convert_version.",
    );
    expect(await rejectionOf(readModel(withVersions(3, 6)))).toMatch(/uses opset 6, but 7 to 26/);
    expect(await rejectionOf(readModel(withVersions(8, undefined)))).toMatch(
      /names no operator set; the file is trunc/,
    );
    expect(await rejectionOf(readModel(withVersions(0, 20)))).toMatch(/names no IR version; the file is truncated/);
    await readModel(withVersions(13, 26));
    await readModel(withVersions(3, 7));
  });
});

test("a model written with the newest opset has a version that ONNX Runtime takes", async () => {
  for (const [opset, irVersion] of [
    [7, 10],
    [22, 10],
    [23, 11],
    [24, 12],
    [25, 13],
    [26, 13],
  ] as const) {
    const graph = { name: "g", nodes: [], inputs: [], outputs: [], initializers: [] };
    const contents = modelContents(await readModel(writeModel({ opsets: { "": opset }, producer: "test", graph })));
    expect(contents.irVersion).toBe(irVersion);
  }
});
