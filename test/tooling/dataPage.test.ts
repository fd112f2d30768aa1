import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import { expect, test, vi } from "vitest";
import { rowsOfServer } from "../../examples/data/http.mjs";
import { crossEntropy, empiricalRisk, loadData, loadModel } from "../../src/index.ts";
import { run } from "../cli/commandLine.ts";

const MODEL = "examples/digits/digits_mlp.onnx";
const DATA = "examples/digits/digits_train.csv.gz";
const page = readFileSync("docs/data.md", "utf8");

test("the program of docs/data.md runs", async () => {
  const [, program = ""] = /```js\n(.*?)```/s.exec(page) ?? [];
  const lines: unknown[] = [];
  const log = vi.spyOn(console, "log").mockImplementation((line) => lines.push(line));
  const body = program.replace(/^import .*\n/gm, "");
  const work = new Function("loadData", "loadModel", `return (async () => {${body}})()`);
  await work(loadData, loadModel);
  log.mockRestore();
  expect(lines).toEqual(["1437 rows of digits_train.csv.gz"]);
});

test("docs/data.md names every option of the commands for data files, and no other", async () => {
  const { stdout } = await run("report", "--help");
  const help = stdout.slice(stdout.indexOf("Data:"), stdout.indexOf("Loss:"));
  const options = new Set(help.match(/--[a-z-]+/g));
  const named = new Set(page.match(/--[a-z-]+(?=[ `,)\]])/g));
  expect([...options].filter((option) => !named.has(option) && option !== "--input")).toEqual([]);
  expect([...named].filter((option) => !options.has(option))).toEqual([]);
});

test("examples/data/http.mjs reads a server on every pass, also after a failure", async () => {
  const rows = gunzipSync(readFileSync(DATA)).toString().trim().split("\n").slice(0, 250);
  const cells = rows.map((row) => row.split(",").map(Number));
  let requests = 0;
  const server = createServer(({ url }, response) => {
    const { searchParams } = new URL(url!, "http://localhost");
    const [from, count] = ["from", "count"].map((name) => Number(searchParams.get(name)));
    if (++requests % 5 === 3) response.statusCode = 503;
    const part = cells.slice(from!, from! + count!);
    response.end(JSON.stringify(part.map((row) => ({ x: row.slice(0, 64).map((pixel) => pixel / 16), y: row[64] }))));
  }).listen(0, "127.0.0.1");
  try {
    await vi.waitUntil(() => server.listening);
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/rows`;
    const data = await rowsOfServer(address, { rows: 250, columns: 64, pageSize: 100 });
    const model = await loadModel(MODEL);
    await using risk = await empiricalRisk({ model, loss: crossEntropy(), data });
    const held = await loadData({ model, data: DATA, scale: 16, rows: [0, 250], batchSize: 100 });
    await using reference = await empiricalRisk({ model, loss: crossEntropy(), data: held });
    expect(await risk.loss()).toBe(await reference.loss());
    expect(requests).toBeGreaterThan(6);
  } finally {
    server.close();
  }
});
