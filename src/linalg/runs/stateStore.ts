import { crc32, readWhole, removeWhole, writeWhole } from "#files";
import { CurvatureError } from "../../errors/index.ts";
import { checkOptions } from "../operator/options.ts";

/** A file that holds the state of one long run. */
export interface StateStore {
  /** Writes the state: whole or not at all, whatever stops the process meanwhile. */
  save(state: unknown): Promise<void>;
  /** The state last saved, or undefined where there is none. */
  load(): Promise<unknown>;
  /** Removes the file. */
  clear(): Promise<void>;
}

/** Options of `stateStore`. */
export interface StateStoreOptions {
  /**
   * Settings that the bits of the run's products depend on, such as `risk.settings`: saved with each state, and states that were saved with other
   * settings are refused. Without it states are taken whatever they were saved with.
   */
  readonly settings?: { readonly [name: string]: string | number | boolean };
}

/** First bytes of every file: what it is, and the version of its layout. */
const MAGIC = "onnx-curvature state 2\n";

/**
 * Store for the states of iterative methods in one file, in Node: give what `...Steps` yields, or `error.state`, to `save`, and what `load` gives
 * to the option `state`. Numbers keep their bits. A file is written beside its place, flushed to disk and renamed, so that a process killed at
 * any time leaves the last complete state, and of several saves at once, in one process or several, the last to end is kept whole. What killed
 * processes left beside it is removed by later saves. Layout: a line that names it, the length of a JSON text and the CRC-32 of text and arrays, the
 * text, and the arrays as they are in memory.
 *
 * @throws CurvatureError "argument" from `save` for anything but plain data and from `load` for a state of other settings, "file" where the file
 * cannot be read, is none of these or is damaged
 */
export function stateStore(path: string, options: StateStoreOptions = {}): StateStore {
  checkOptions("stateStore", options, "settings");
  const { settings } = options;
  return {
    async save(state) {
      await writeWhole(path, encoded({ state, settings }));
    },
    async load() {
      const bytes = await readWhole(path).catch((cause: unknown) => {
        if (cause instanceof CurvatureError) throw cause;
        throw new CurvatureError("file", `stateStore cannot read ${path}; look at its permissions`, { cause });
      });
      if (bytes === undefined) return undefined;
      const saved = decoded(path, bytes) as { readonly state: unknown } & StateStoreOptions;
      if (settings) checkSettings(path, { saved: saved.settings ?? {}, settings });
      return saved.state;
    },
    clear: () => removeWhole(path),
  };
}

type Settings = NonNullable<StateStoreOptions["settings"]>;

function checkSettings(path: string, { saved, settings }: { readonly saved: Settings; readonly settings: Settings }) {
  const names = new Set([...Object.keys(settings), ...Object.keys(saved)]);
  const valueIn = (of: Settings, name: string) => (Object.hasOwn(of, name) ? of[name] : undefined);
  const differing = [...names].filter((name) => valueIn(saved, name) !== valueIn(settings, name));
  if (differing.length === 0) return;
  const listed = (of: Settings) => differing.map((name) => `${name} ${valueIn(of, name) ?? "unknown"}`).join(", ");
  throw new CurvatureError(
    "argument",
    `stateStore expects the state in ${path} to be of a run with ${listed(settings)}, got one with ${listed(saved)}; products have other bits then: use the settings of the state, or clear it and start again`,
  );
}

type Values = Float64Array | Float32Array | Uint32Array | Int32Array | Uint8Array;

const KINDS = { Float64Array, Float32Array, Uint32Array, Int32Array, Uint8Array } as const;

/** Text form of a value that JSON does not have. */
interface Marker {
  readonly $: keyof typeof KINDS | "number" | "undefined" | "object";
  /** Of an object that has a key `$` itself. */
  readonly entries?: readonly (readonly [key: string, value: unknown])[];
  readonly at?: number | undefined;
  readonly length?: number | undefined;
  readonly text?: string | undefined;
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
    const entries = Object.entries(value).map(([key, part]) => [key, marked(part)] as const);
    return Object.hasOwn(value, "$") ? { $: "object", entries } : Object.fromEntries(entries);
  };
  const text = new TextEncoder().encode(JSON.stringify(marked(state)));
  const head = new TextEncoder().encode(`${MAGIC}${text.length} ${checksum([text, ...arrays])}\n`);
  return [head, text, ...arrays];
}

/** CRC-32 of parts one after the other, as eight hexadecimal digits. */
function checksum(parts: readonly Uint8Array[]): string {
  // Of no bytes, Node gives 0 whatever came before.
  return parts
    .reduce((crc, part) => (part.length === 0 ? crc : crc32(part, crc)), 0)
    .toString(16)
    .padStart(8, "0");
}

function notPlain(got: string): CurvatureError {
  const message = `stateStore expects a state of numbers, texts, arrays and plain objects, got ${got}`;
  return new CurvatureError("argument", `${message}; save what a method yields or error.state`);
}

function decoded(path: string, bytes: Uint8Array): unknown {
  const head = new TextDecoder("latin1").decode(bytes.subarray(0, MAGIC.length + 40));
  const [, line = "", size, crc] = /^(([1-9]\d*) ([\da-f]{8})\n)/.exec(head.slice(MAGIC.length)) ?? [];
  const [length, start] = [Number(size), MAGIC.length + line.length];
  if (!head.startsWith(MAGIC) || !Number.isSafeInteger(length) || start + length > bytes.length) throw unreadable(path);
  if (checksum([bytes.subarray(start)]) !== crc) throw unreadable(path);
  const arrays = bytes.subarray(start + length);
  const revive = (_: string, value: unknown): unknown => {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, "$")) return value;
    const { $, at = 0, length: count = 0, text, entries = [] } = value as Marker;
    if ($ === "object") return Object.fromEntries(entries);
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
