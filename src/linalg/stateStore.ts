import { CurvatureError } from "../errors/index.ts";

/** A file that holds the state of one long run. */
export interface StateStore {
  /** Writes the state: whole or not at all, whatever stops the process meanwhile. */
  save(state: unknown): Promise<void>;
  /** The state last saved, or undefined where there is none. */
  load(): Promise<unknown>;
  /** Removes the file. */
  clear(): Promise<void>;
}

/** First bytes of every file: what it is, and the version of its layout. */
const MAGIC = "onnx-curvature state 1\n";

/**
 * Store for the states of iterative methods in one file, in Node: give what `...Steps` yields, or `error.state`, to `save`, and what `load` gives
 * to the option `state`. Numbers keep their bits. A file is written beside its place, flushed to disk and renamed, so that a process killed at
 * any time leaves the last complete state. Layout: a line that names it, the length of a JSON text, the text, and the arrays as they are in memory.
 *
 * @throws CurvatureError "argument" from `save` for what is no plain data, "file" where the file cannot be read or is none of these
 */
export function stateStore(path: string): StateStore {
  return {
    async save(state) {
      const parts = encoded(state);
      const { mkdir, open, rename } = await import("node:fs/promises");
      const { dirname } = await import("node:path");
      const beside = `${path}.${process.pid}.tmp`;
      await mkdir(dirname(path), { recursive: true });
      const file = await open(beside, "w");
      try {
        for (const part of parts) await file.appendFile(part);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(beside, path);
    },
    async load() {
      const { readFile } = await import("node:fs/promises");
      let bytes: Uint8Array;
      try {
        bytes = await readFile(path);
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
        throw new CurvatureError("file", `stateStore cannot read ${path}; look at its permissions`, { cause });
      }
      return decoded(path, bytes);
    },
    async clear() {
      const { rm } = await import("node:fs/promises");
      await rm(path, { force: true });
    },
  };
}

type Values = Float64Array | Float32Array | Uint32Array | Int32Array | Uint8Array;

const KINDS = { Float64Array, Float32Array, Uint32Array, Int32Array, Uint8Array } as const;

/** How a value that JSON does not have stands in the text. */
interface Marker {
  readonly $: keyof typeof KINDS | "number" | "undefined";
  readonly at?: number;
  readonly length?: number;
  readonly text?: string;
}

/** The pieces of a file: its head, and each array's bytes. */
function encoded(state: unknown): readonly Uint8Array[] {
  const arrays: Uint8Array[] = [];
  let at = 0;
  const marked = (value: unknown): unknown => {
    if (ArrayBuffer.isView(value)) {
      const kind = value.constructor.name;
      if (!Object.hasOwn(KINDS, kind)) throw notPlain(`a ${kind}`);
      const { length } = value as Values;
      arrays.push(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
      const marker = { $: kind, at, length };
      at += value.byteLength;
      return marker;
    }
    if (typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0))) {
      return { $: "number", text: Object.is(value, -0) ? "-0" : String(value) };
    }
    if (value === undefined) return { $: "undefined" };
    if (value === null || typeof value === "number" || typeof value === "string" || typeof value === "boolean")
      return value;
    if (Array.isArray(value)) return value.map(marked);
    if (typeof value !== "object") throw notPlain(`a ${typeof value}`);
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, marked(part)]));
  };
  const text = new TextEncoder().encode(JSON.stringify(marked(state)));
  const head = new TextEncoder().encode(`${MAGIC}${text.length}\n`);
  return [head, text, ...arrays];
}

function notPlain(got: string): CurvatureError {
  const message = `stateStore expects a state of numbers, texts, arrays and plain objects, got ${got}`;
  return new CurvatureError("argument", `${message}; save what a method yields or error.state`);
}

function decoded(path: string, bytes: Uint8Array): unknown {
  const head = new TextDecoder().decode(bytes.subarray(0, MAGIC.length + 20));
  const lines = head.split("\n");
  const length = Number(lines[1]);
  const start = MAGIC.length + (lines[1]?.length ?? 0) + 1;
  if (!head.startsWith(MAGIC) || !Number.isSafeInteger(length) || start + length > bytes.length) throw unreadable(path);
  const arrays = bytes.subarray(start + length);
  const revive = (_: string, value: unknown): unknown => {
    if (typeof value !== "object" || value === null || !("$" in value)) return value;
    const { $, at = 0, length: count = 0, text } = value as Marker;
    // JSON.parse would drop the key of an undefined value, which states do not have where it matters.
    if ($ === "undefined") return undefined;
    if ($ === "number") return Number(text);
    const Kind = KINDS[$];
    const size = count * Kind.BYTES_PER_ELEMENT;
    if (at + size > arrays.length) throw unreadable(path);
    // A copy: arrays of eight bytes must begin at a multiple of eight.
    return new Kind(new Uint8Array(arrays.subarray(at, at + size)).buffer);
  };
  try {
    return JSON.parse(new TextDecoder().decode(bytes.subarray(start, start + length)), revive);
  } catch (cause) {
    if (cause instanceof CurvatureError) throw cause;
    throw unreadable(path, cause);
  }
}

function unreadable(path: string, cause?: unknown): CurvatureError {
  const message = `stateStore expects a complete state in ${path}, got something else; clear it and start again`;
  return new CurvatureError("file", message, cause === undefined ? {} : { cause });
}
