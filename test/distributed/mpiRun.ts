import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";
import { test } from "vitest";
import config from "../../vitest.config.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Launchers of MPI programs by the name of their library. */
export const launchers = {
  openMpi: process.env.ONNX_CURVATURE_OPENMPI_RUN,
  mpich: process.env.ONNX_CURVATURE_MPICH_RUN,
  /** MPICH 5, whose libmpi_abi has the standard's binary interface. */
  standard: process.env.ONNX_CURVATURE_MPI_ABI_RUN,
} as const;

/** A launcher's name. */
export type LauncherName = keyof typeof launchers;

/** A test that needs a launcher: skipped where the environment names none, a failure where it has to. */
export function testWith(name: LauncherName) {
  const required = process.env.ONNX_CURVATURE_REQUIRE_ALL === "1";
  return test.skipIf(launchers[name] === undefined && !required);
}

/** What a job printed, and how it ended. */
export interface Job {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
}

/** How to run a program. */
export interface JobOptions {
  readonly ranks: number;
  readonly launcher?: LauncherName;
  readonly env?: { readonly [name: string]: string };
  readonly args?: readonly string[];
  /** Processors that Open MPI binds a rank to; default "none". */
  readonly binding?: "none" | "core";
  /** Where the ranks run, if not on this host: a command that enters the first host, and the launcher's options. */
  readonly hosts?: { readonly enter: readonly string[]; readonly options: readonly string[] };
  /** Told every line of standard output as it comes. */
  readonly onLine?: (line: string) => void;
  /** Told all that stands on standard error as it grows. */
  readonly onError?: (text: string) => void;
}

/** Runs a program of `test/distributed/programs` on ranks. */
export async function runRanks(program: string, options: JobOptions): Promise<Job> {
  return runJob([process.execPath, await bundled(program), ...(options.args ?? [])], options);
}

/** Runs a command on ranks; it is killed with all its children after 110 seconds. */
export function runJob(
  command: readonly string[],
  { ranks, launcher = "openMpi", env = {}, binding = "none", hosts, onLine, onError }: JobOptions,
): Promise<Job> {
  const path = launchers[launcher];
  if (path === undefined) throw new Error(`the environment names no launcher for ${launcher}; see CONTRIBUTING.md`);
  const own = launcher === "openMpi" ? ["--oversubscribe", "--bind-to", binding] : [];
  const began = performance.now();
  // Launchers that start at one time would otherwise make the same folder.
  const temporary = mkdtempSync(join(tmpdir(), "mpi-"));
  const [program, ...rest] = [...(hosts?.enter ?? []), path, ...own, ...(hosts?.options ?? []), "-n", String(ranks)];
  const child = spawn(program!, [...rest, ...command], {
    cwd: root,
    env: { ...process.env, TMPDIR: temporary, ...settings(launcher, path), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const text = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (chunk: string) => {
      const before = text[name].lastIndexOf("\n") + 1;
      text[name] += chunk;
      const lines = text[name].slice(before).split("\n").slice(0, -1);
      if (name === "stdout") for (const line of lines) onLine?.(line);
      else onError?.(text.stderr);
    });
  }
  const limit = setTimeout(() => {
    child.kill("SIGKILL");
    // Daemons on other hosts may hold them open.
    for (const stream of [child.stdout, child.stderr]) stream.destroy();
  }, 110_000);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      clearTimeout(limit);
      rmSync(temporary, { recursive: true, force: true });
      resolve({ code, ...text, seconds: (performance.now() - began) / 1000 });
    });
  });
}

function settings(launcher: LauncherName, path: string): { readonly [name: string]: string } {
  if (launcher === "standard") return { MPI_LIBRARY: join(path, "../../lib/libmpi_abi.so.1") };
  return {
    OMPI_ALLOW_RUN_AS_ROOT: "1",
    OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: "1",
    OMPI_MCA_btl_vader_single_copy_mechanism: "none",
  };
}

const bundles = new Map<string, Promise<string>>();

/** The program as one JavaScript file beside the packages that it imports. */
function bundled(program: string): Promise<string> {
  const known = bundles.get(program) ?? bundle(program);
  bundles.set(program, known);
  return known;
}

async function bundle(program: string): Promise<string> {
  const folder = mkdtempSync(join(root, "node_modules/.mpi-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  await build({
    configFile: false,
    logLevel: "error",
    ...(config.resolve && { resolve: config.resolve }),
    build: {
      ssr: join(root, "test/distributed/programs", `${program}.ts`),
      outDir: folder,
      target: "node20",
      rolldownOptions: { output: { entryFileNames: "[name].mjs" } },
    },
  });
  const file = join(folder, `${program}.mjs`);
  if (!existsSync(file)) throw new Error(`vite wrote no ${file}`);
  return file;
}
