import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { byteSize } from "../../src/cli/parsers.ts";
import { folderOf, MODEL, run } from "./commandLine.ts";

const hostile = (name: string) => fileURLToPath(new URL(`hostile/${name}`, import.meta.url));
const out = join(folderOf(), "report");
const few = [
  "--probes",
  "2",
  "--steps",
  "2",
  "--density-probes",
  "1",
  "--eigenvalues",
  "1",
  "--no-dense",
  "--matrices",
  "hessian",
];
const report = (model: string, data: string, ...rest: string[]) =>
  run("report", model, "--data", data, "--loss", "crossEntropy", "--out", out, ...few, ...rest);
const onlyPrintable = (text: string) =>
  expect(text.replaceAll("\n", "").match(/[\p{Cc}\p{Bidi_Control}].{0,20}/gu)).toBeNull();

describe("terminal escapes in names", () => {
  test("are shown by inspect, its JSON, report, its files, export and errors, and never sent", async () => {
    const model = hostile("ansi.onnx");
    const inspected = await run("inspect", model);
    expect(inspected.stdout).toContain("\\x1b[31mred\\x1b[0m");
    const json = await run("inspect", model, "--json");
    expect(JSON.parse(json.stdout).inputs[0].name).toContain("\x1b");
    const reported = await report(model, hostile("ok.csv"));
    expect(reported.code).toBe(0);
    const missing = await run("inspect", `no\x1b[31m\u202e\u009b such.onnx`);
    expect(missing).toMatchObject({
      code: 1,
      stderr: "error: no\\x1b[31m\\u202e\\x9b such.onnx: no such file; check the path of the model.\n",
    });
    const refused = await run("inspect", model, "--out\x1b[31m");
    expect(refused).toMatchObject({ code: 2 });
    const exported = await run(
      "export",
      model,
      "--product",
      "hvp",
      "--loss",
      "ce",
      "--batch-size",
      "2",
      "--out",
      join(folderOf(), "h.onnx"),
    );
    expect(exported.code).toBe(0);
    for (const { stdout, stderr } of [inspected, json, reported, missing, refused, exported]) {
      onlyPrintable(stdout);
      onlyPrintable(stderr);
    }
    for (const name of ["report.html", "report.json"]) onlyPrintable(readFileSync(join(out, name), "utf8"));
  });
});

describe("files that lie", () => {
  const expected = async (failing: ReturnType<typeof run>, message: string) => {
    const { code, stdout, stderr } = await failing;
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^error: [^\n]+\n$/);
    expect(stderr).toContain(message);
  };
  const model = hostile("iname0.onnx");

  test("the table as it is, whatever the input is called", async () => {
    const [called, plain] = [
      await report(model, hostile("ok.csv")),
      await report(hostile("ansi.onnx"), hostile("ok.csv")),
    ];
    expect(called.code).toBe(0);
    expect(plain.code).toBe(0);
    expect(called.stdout).toContain("loss ");
  });

  test("one flipped bit, a bomb, an element type, an endless device, no outputs, an input that objects inherit", async () => {
    await expected(
      report(model, hostile("flipped.csv.gz")),
      "flipped.csv.gz: expected a complete gzip file, got one that is truncated or damaged",
    );
    await expected(report(model, hostile("npyd_constructor.npy")), "got constructor; convert the array with astype");
    await expected(report(model, "/dev/zero"), "/dev/zero is a device or a socket; expected a file or a pipe");
    await expected(
      run("inspect", hostile("nograpout.onnx")),
      "nograpout.onnx declares no outputs; name a value of its graph as output: NAME (--output NAME)",
    );
    const bomb = join(
      folderOf({ "bomb.csv.gz": gzipSync(Buffer.alloc(50e6, "1,2,3,4,0\n"), { level: 1 }) }),
      "bomb.csv.gz",
    );
    await expected(
      report(model, bomb, "--memory-limit", "10MB"),
      "bomb.csv.gz: decompressing it needs more than the memory limit of 10 MB",
    );
    await expected(
      run(
        "report",
        model,
        "--input",
        `constructor=${hostile("ok.csv")}`,
        "--targets",
        hostile("ok.csv"),
        "--loss",
        "ce",
      ),
      "expected a file for each of the model's inputs (__proto__), got constructor",
    );
    const twice = await run(
      "report",
      model,
      "--input",
      "constructor=a",
      "--input",
      "constructor=b",
      "--targets",
      "c",
      "--loss",
      "ce",
    );
    expect(twice).toMatchObject({ code: 2 });
    expect(twice.stderr).toContain('Input "constructor" is given twice.');
  });

  test("pipes and servers that say nothing", async () => {
    const pipe = join(folderOf(), "pipe");
    execFileSync("mkfifo", [pipe]);
    const silent = `${pipe} is a pipe into which nothing was written for 300 ms`;
    await expected(report(model, pipe, "--timeout", "0.3"), silent);
    await expected(run("inspect", pipe, "--timeout", "0.3"), silent);
    const server = createServer(() => {}).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const address = `http://me:secret@127.0.0.1:${(server.address() as AddressInfo).port}/m.onnx`;
    const failed = await run("inspect", address, "--timeout", "0.3", "--debug");
    expect(failed.code).toBe(1);
    expect(failed.stderr).toContain("no answer for 300 ms; raise timeout (--timeout) or check the address");
    expect(failed.stderr).not.toContain("secret");
    server.closeAllConnections();
    server.close();
  });

  test("nothing is left half-written", () => {
    expect(existsSync(`${out}.partial`)).toBe(false);
  });
});

describe("sizes on the command line", () => {
  test.each([
    ["1", 1],
    ["500MB", 500e6],
    ["2 GB", 2e9],
    ["1.5g", 1.5e9],
    ["2GiB", 2 * 2 ** 30],
    ["64Ki", 65536],
    ["3T", 3e12],
    ["none", Number.POSITIVE_INFINITY],
  ])("%s", (text, bytes) => {
    expect(byteSize(text)).toBe(bytes);
  });

  test.each(["", "0", "-1", "GB", "1XB", "1e9", "2i", "0.2", "nan"])("not %j", async (text) => {
    expect(() => byteSize(text)).toThrow("Expected a number of bytes, for example 500MB or 2GB, or none.");
  });

  test("bound a model file", async () => {
    const { code, stderr } = await run("inspect", MODEL, "--memory-limit", "1kB");
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining("digits_mlp.onnx needs 5.28 kB, more than the memory limit of 1 kB"),
    ]);
  });
});
