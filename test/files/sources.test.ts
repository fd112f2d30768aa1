import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, symlinkSync, writeSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { csv, loadTensor } from "../../src/data/index.ts";
import { fetchBytes, readLimits, shownAddress } from "../../src/files/index.ts";
import { readModel } from "../../src/onnx/index.ts";

let folder: string;
let server: Server;
let answer: RequestListener = (_, response) => response.end();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "onnx-curvature-sources-"));
  server = createServer((request, response) => answer(request, response)).listen(0, "127.0.0.1");
  await once(server, "listening");
});

afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true });
});

const origin = (login = "") => `http://${login}127.0.0.1:${(server.address() as AddressInfo).port}`;

/** A pipe of this test's own, and its path. */
function pipe(name: string): string {
  const path = join(folder, name);
  execFileSync("mkfifo", [path]);
  return path;
}

describe("files", () => {
  test("a pipe is read to its end", async () => {
    const path = pipe("rows");
    spawn("sh", ["-c", `sleep 0.2; (echo 1,2; sleep 0.2; echo 3,4) > ${path}`]);
    expect(await loadTensor(path)).toMatchObject({ dims: [2, 2], data: Float64Array.of(1, 2, 3, 4) });
  });

  test("a pipe into which nothing comes, with and without a writer", async () => {
    const silent = (path: string) =>
      `${path} is a pipe into which nothing was written for 200 ms; start the program that writes, raise timeout (--timeout), or give a file`;
    const path = pipe("silent");
    await expect(csv(path, { timeout: 200 })).rejects.toThrow(silent(path));
    await expect(readModel(path, { timeout: 200 })).rejects.toThrow(silent(path));
    const writer = spawn("sh", ["-c", `(sleep 100) > ${path}`], { detached: true });
    await expect(csv(path, { timeout: 200 })).rejects.toThrow(silent(path));
    process.kill(-writer.pid!);
  });

  test("a pipe that never ends is read up to the limit, or until the signal", async () => {
    const path = pipe("endless");
    spawn("sh", ["-c", `yes 1,2 > ${path}`]);
    await expect(csv(path, { memoryLimit: 1e6 })).rejects.toThrow(`${path} needs more than the memory limit of 1 MB`);
    await expect(csv(pipe("empty"), { signal: AbortSignal.timeout(100) })).rejects.toMatchObject({ code: "aborted" });
  });

  test("devices are refused, also behind a link", async () => {
    const link = join(folder, "terminal");
    symlinkSync("/dev/zero", link); // reading is all that is done with it
    for (const path of ["/dev/zero", link]) {
      await expect(csv(path)).rejects.toThrow(`${path} is a device or a socket; expected a file or a pipe`);
      await expect(readModel(path)).rejects.toThrow("is a device or a socket");
    }
  });

  test("files larger than the limit are not read; those that grow are read up to it", async () => {
    const path = join(folder, "large.csv");
    await writeFile(path, "1,2\n".repeat(1000));
    await expect(csv(path, { memoryLimit: 3999 })).rejects.toThrow(
      `${path} needs 4 kB, more than the memory limit of 4 kB; if that is meant, raise memoryLimit (--memory-limit)`,
    );
    const growing = join(folder, "growing.csv");
    const file = openSync(growing, "w");
    const writer = setInterval(() => writeSync(file, "1,2\n".repeat(100_000)), 0);
    try {
      await expect(csv(growing, { memoryLimit: 1e6 }).then(() => csv(growing, { memoryLimit: 1e6 }))).rejects.toThrow(
        /memory limit of 1 MB|empty file/,
      );
    } finally {
      clearInterval(writer);
    }
  });

  test.each([
    [{ memoryLimit: 0 }, "expected memoryLimit to be a positive number of bytes, got 0"],
    [{ memoryLimit: Number.NaN }, "expected memoryLimit to be a positive number of bytes, got NaN"],
    [{ timeout: -1 }, "expected timeout to be a positive number of milliseconds, got -1"],
  ])("refuses %j", (options, message) => {
    expect(() => readLimits(options)).toThrow(message);
  });
});

describe("addresses", () => {
  test("a server that never answers, that stops in the middle, and the signal", async () => {
    answer = (request, response) => {
      if (request.url === "/half.csv") response.write("1,2\n");
    };
    for (const path of ["never.csv", "half.csv"]) {
      const address = `${origin()}/${path}`;
      await expect(csv(address, { timeout: 200 })).rejects.toThrow(
        `Data at ${address} cannot be fetched: no answer for 200 ms; raise timeout (--timeout) or check the address.`,
      );
      await expect(csv(address, { signal: AbortSignal.timeout(100) })).rejects.toMatchObject({
        code: "aborted",
        message: `fetching ${address} was stopped by the caller's signal`,
      });
    }
    await expect(csv(`${origin()}/never.csv`, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: "aborted",
    });
    await expect(readModel(`${origin()}/never.onnx`, { timeout: 200 })).rejects.toThrow("no answer for 200 ms");
  });

  test("an endless answer, and one that says how long it is", async () => {
    answer = (request, response) => {
      if (request.url === "/told.csv") return void response.writeHead(200, { "Content-Length": 5e9 }).write("1");
      const more = () => response.write(Buffer.alloc(1e5, "1\n")) && setImmediate(more);
      response.on("drain", more);
      more();
    };
    await expect(csv(`${origin()}/endless.csv`, { memoryLimit: 1e6 })).rejects.toThrow(
      "more than the memory limit of 1 MB",
    );
    await expect(csv(`${origin()}/told.csv`, { memoryLimit: 1e6 })).rejects.toThrow(
      "needs 5 GB, more than the memory limit of 1 MB",
    );
  });

  test("a part is what was asked for, or refused", async () => {
    const file = Buffer.from("0123456789");
    const part = (contentRange: string | undefined, body: string) => {
      answer = (_, response) => {
        response.writeHead(206, contentRange === undefined ? {} : { "Content-Range": contentRange }).end(body);
      };
      const range = { offset: 4, length: 3 };
      return fetchBytes(new URL(`${origin()}/f`), { ...readLimits(), what: "File", range }).then(String);
    };
    const text = (bytes: string) => String(Uint8Array.from(Buffer.from(bytes)));
    expect(await part("bytes 4-6/10", "456")).toBe(text("456"));
    expect(await part("bytes 4-5/6", "45")).toBe(text("45"));
    expect(await part(undefined, "456")).toBe(text("456"));
    const asked = "cannot be fetched: asked for bytes 4-6, the server sent";
    await expect(part("bytes 0-2/10", "012")).rejects.toThrow(`${asked} "bytes 0-2/10".`);
    await expect(part("bytes 4-9/10", "456789")).rejects.toThrow(`${asked} "bytes 4-9/10".`);
    await expect(part("nonsense", "456")).rejects.toThrow(`${asked} "nonsense".`);
    await expect(part(undefined, "456789")).rejects.toThrow("the server sent more than the asked part");
    answer = (_, response) => response.writeHead(206, { "Content-Range": "bytes 0-1/10" }).end("01");
    await expect(csv(`${origin()}/f.csv`)).rejects.toThrow('asked for the whole file, the server sent "bytes 0-1/10"');
    let ended = false;
    answer = (_, response) => {
      response.on("close", () => {
        ended = true;
      });
      response.writeHead(200).write(file); // and goes on for ever
    };
    const whole = await fetchBytes(new URL(`${origin()}/f`), {
      ...readLimits(),
      what: "File",
      range: { offset: 4, length: 3 },
    });
    expect(String(whole)).toBe(text("456"));
    await expect.poll(() => ended).toBe(true);
  });

  test("redirections are followed, a password is sent and never repeated", async () => {
    const seen: string[] = [];
    answer = ({ url, headers }, response) => {
      seen.push(`${url} ${headers.authorization ?? "none"}`);
      if (url === "/old.csv") response.writeHead(302, { Location: "/new.csv" }).end();
      else if (url === "/new.csv") response.end("1,2\n");
      else response.writeHead(403, "Forbidden").end();
    };
    const credentials = `Basic ${Buffer.from("me:se cret").toString("base64")}`;
    expect(await csv(`${origin("me:se%20cret@")}/old.csv`)).toMatchObject({ rows: 1, description: "old.csv" });
    expect(seen).toEqual([`/old.csv ${credentials}`, `/new.csv ${credentials}`]);
    const secret = `${origin("me:secret@")}/none.csv?token=secret#secret`;
    for (const fail of [
      () => csv(secret),
      () => readModel(secret),
      () => csv("http://me:secret@[/x"),
      () => readModel("http://me:secret@[/x"),
    ]) {
      const error = await (fail() as Promise<unknown>).catch((cause: Error) => cause);
      expect(error).toBeInstanceOf(Error);
      for (let each = error as Error | undefined; each !== undefined; each = each.cause as Error | undefined) {
        expect(`${each.message} ${each.stack}`).not.toContain("secret");
      }
    }
  });

  test.each([
    ["https://user:pass@host/a/b.onnx?key=1#x", "https://host/a/b.onnx"],
    ["https://user@host/a", "https://host/a"],
    ["https://host/a@b?c@d", "https://host/a@b"],
    ["data:text/csv,1,2?3", "data:text/csv,1,2?3"],
    ["https:\\\\user:pass@host/a", "https:\\\\host/a"],
    ["HTTP://user:p@ss@host/", "HTTP://host/"],
  ])("shows %s as %s", (address, shown) => {
    expect(shownAddress(address)).toBe(shown);
  });
});
