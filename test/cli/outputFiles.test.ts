import { execFileSync } from "node:child_process";
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { prepareFiles, writeFiles } from "../../src/cli/outputFiles.ts";
import { DATA, MODEL, run } from "./commandLine.ts";

const folder = mkdtempSync(join(tmpdir(), "onnx-curvature-output-"));
afterAll(() => rmSync(folder, { recursive: true }));

const path = (name: string) => join(folder, name);
const isRoot = process.getuid?.() === 0;

/** Whether a command of the system does what it says here; some need rights that not every machine gives. */
function succeeds(command: string, ...args: readonly string[]): boolean {
  try {
    execFileSync(command, args, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

describe("only regular files are written", () => {
  test.each([
    ["a symbolic link", () => symlinkSync(path("target"), path("out")), () => lstatSync(path("out")).isSymbolicLink()],
    ["a pipe", () => execFileSync("mkfifo", [path("out")]), () => lstatSync(path("out")).isFIFO()],
    ["a folder", () => mkdirSync(path("out")), () => lstatSync(path("out")).isDirectory()],
  ] as const)("not in place of %s", async (kind, make, isStill) => {
    make();
    const message = `cannot write ${path("out")}: it is ${kind}; choose another --out`;
    await expect(prepareFiles(path("out"))).rejects.toThrow(message);
    await expect(writeFiles([[path("out"), "x"]])).rejects.toThrow(message);
    // A folder gets the file under its usual name.
    if (kind !== "a folder") {
      const args = ["export", MODEL, "--product", "hvp", "--loss", "ce", "--batch-size", "2", "--out", path("out")];
      expect(await run(...args)).toMatchObject({ code: 1, stdout: "", stderr: `error: ${message}\n` });
    }
    expect(isStill()).toBe(true);
    expect(readdirSync(folder)).toEqual(["out"]);
    rmSync(path("out"), { recursive: true });
  });

  test.runIf(isRoot)("not in place of a device: a copy of the null device, made for this test", async (context) => {
    if (!succeeds("mknod", path("device"), "c", "1", "3")) return context.skip();
    await expect(writeFiles([[path("device"), "x"]])).rejects.toThrow("it is a device; choose another --out");
    expect(lstatSync(path("device")).isCharacterDevice()).toBe(true);
    rmSync(path("device"));
  });

  test("not in place of a socket", async () => {
    const server = createServer().listen(path("socket"));
    await expect(writeFiles([[path("socket"), "x"]])).rejects.toThrow("it is a socket; choose another --out");
    server.close();
    rmSync(path("socket"), { force: true });
  });

  test("a regular file is replaced as a whole", async () => {
    writeFileSync(path("a"), "old");
    const before = statSync(path("a")).ino;
    await writeFiles([
      [path("a"), "new"],
      [path("b"), Uint8Array.of(1, 2)],
    ]);
    expect(readFileSync(path("a"), "utf8")).toBe("new");
    expect(statSync(path("a")).ino).not.toBe(before);
    expect(readdirSync(folder)).toEqual(["a", "b"]);
  });
});

describe("several files are written together", () => {
  test("where one cannot be, all stay as they were", async () => {
    const home = path("together");
    mkdirSync(home);
    writeFileSync(join(home, "a"), "old");
    const missing = join(home, "none", "b");
    await expect(
      writeFiles([
        [join(home, "a"), "new"],
        [missing, "new"],
      ]),
    ).rejects.toThrow(`cannot write ${missing}: it cannot be made there; choose another --out`);
    expect(readFileSync(join(home, "a"), "utf8")).toBe("old");
    expect(readdirSync(home)).toEqual(["a"]);
  });

  test.runIf(isRoot)("a disk that becomes full between two leaves neither", async (context) => {
    const disk = path("disk");
    mkdirSync(disk);
    if (!succeeds("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk)) return context.skip();
    try {
      writeFileSync(join(disk, "report.html"), "old");
      await expect(
        writeFiles([
          [join(disk, "report.html"), "x".repeat(30_000)],
          [join(disk, "report.json"), "x".repeat(60_000)],
        ]),
      ).rejects.toThrow(`cannot write ${join(disk, "report.json")}: the disk is full; choose another --out`);
      expect(readdirSync(disk)).toEqual(["report.html"]);
      expect(readFileSync(join(disk, "report.html"), "utf8")).toBe("old");
    } finally {
      execFileSync("umount", [disk]);
    }
  });

  test("of a report neither is written where one cannot be", async () => {
    const home = path("report");
    mkdirSync(home);
    symlinkSync("elsewhere", join(home, "report.json"));
    const failed = await run("report", MODEL, "--data", DATA, "--loss", "ce", "--rows", "0:20", "--out", home);
    expect(failed).toMatchObject({ code: 1, stdout: "" });
    expect(failed.stderr).toContain("report.json: it is a symbolic link");
    expect(readdirSync(home)).toEqual(["report.json"]);
  });
});
