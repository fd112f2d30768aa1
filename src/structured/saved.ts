import { readPathRange, writeWhole } from "#files";
import { CurvatureError } from "../errors/index.ts";
import { checkOptions } from "../linalg/operator/options.ts";
import type { Precision } from "../tensors/index.ts";
import type { StructuredApproximation } from "./approximation.ts";
import { blockOfArrays } from "./blocks/blockOfArrays.ts";
import type { BlockFunction, BlockKind, PlacedBlock } from "./blocks/index.ts";
import { decodeSafetensors, encodeSafetensors, type StoredArray } from "./safetensors.ts";
import { type StructuredOperator, structuredOperator } from "./structuredOperator.ts";

/** What a structured matrix was made of, by name: such as hashes of the model's file, of the parameters, and of the loss. */
export type Identity = { readonly [name: string]: string };

/** Options of `saveStructured`. */
export interface SaveOptions {
  /** What the matrix was made of, which `loadStructured` compares; default none. */
  readonly identity?: Identity | undefined;
  /** Further numbers to keep in the file, by name; default none. */
  readonly arrays?: { readonly [name: string]: Float64Array } | undefined;
}

/** Options of `loadStructured`. */
export interface LoadOptions {
  /** What the matrix must have been made of. Without it, any file is taken. */
  readonly identity?: Identity | undefined;
  /** Threads within one operation; the engine's choice if absent. */
  readonly threads?: number | undefined;
}

/** What `kfac` and others say about their approximation, where the saved matrix was one. */
export type SavedNotes = Partial<Pick<StructuredApproximation, "coverage" | "terms" | "reversePasses">>;

/** A structured matrix from a file. */
export interface LoadedStructured extends StructuredOperator, SavedNotes {
  /** What it was made of, as it was saved. */
  readonly identity: Identity;
  /** Further numbers of the file, by name. */
  readonly arrays: { readonly [name: string]: Float64Array };
}

/** Layout of the files that this version writes and reads. */
const FORMAT = "onnx-curvature structured 1";

/** The part of a file that is no array. */
interface Description extends SavedNotes {
  readonly size: number;
  readonly dtype: Precision;
  readonly identity: Identity;
  readonly blocks: readonly (Omit<PlacedBlock, "block" | "place"> & {
    readonly kind: BlockKind;
    /** "indices" for those in an array. */
    readonly place: "indices" | { readonly offset: number; readonly transposed?: readonly [number, number] };
    readonly function: BlockFunction;
    readonly arrays: readonly string[];
  })[];
}

/**
 * Writes a structured matrix, or a function of one, to a safetensors file: all arrays of its blocks in float64, their places, dampings and powers,
 * and `coverage` where it has it. The file is written whole or not at all. Arrays are named "<block>.<array>", as `Block.arrays` has them; any
 * safetensors library reads them. What is computed from them, such as eigendecompositions of factors, is not saved.
 *
 * @throws CurvatureError "argument" for a matrix without blocks or an identity that is no record of texts, "file" where the file cannot be
 *   written
 */
export async function saveStructured(path: string, K: StructuredOperator, options: SaveOptions = {}): Promise<void> {
  checkOptions("saveStructured", options, "identity arrays");
  const { identity = {}, arrays = {} } = options;
  checkIdentity("saveStructured", identity);
  if (!Array.isArray(K?.blocks) || !Array.isArray(K.functions)) {
    const message =
      "saveStructured expects a structured matrix, got an operator without blocks; a root has none, save its matrix";
    throw new CurvatureError("argument", message);
  }
  const parts = encodeSafetensors(new Map([...arraysOf(K.blocks), ...furtherArrays(arrays)]), {
    format: FORMAT,
    description: JSON.stringify(describe(K, identity)),
  });
  await writeWhole(path, parts).catch((cause: unknown) => {
    if (cause instanceof CurvatureError) throw cause;
    throw new CurvatureError(
      "file",
      `saveStructured cannot write ${path}; look at its permissions and at the free space`,
      {
        cause,
      },
    );
  });
}

/**
 * Reads a structured matrix that `saveStructured` wrote. Its products have the same bits.
 *
 * @throws CurvatureError "file" where the file cannot be read, is another one, or is damaged; "argument" where it was made of something else than
 *   `identity`
 */
export async function loadStructured(path: string, options: LoadOptions = {}): Promise<LoadedStructured> {
  checkOptions("loadStructured", options, "identity threads");
  const { identity, threads } = options;
  if (identity !== undefined) checkIdentity("loadStructured", identity);
  const { arrays, metadata } = decodeSafetensors(await bytesOf(path)) ?? {};
  if (arrays === undefined || !metadata?.format?.startsWith("onnx-curvature structured "))
    throw unreadable(path, "something else");
  if (metadata.format !== FORMAT)
    throw unreadable(path, `a file of format "${metadata.format}", which another version wrote`);
  const description = describedIn(path, metadata.description);
  if (identity !== undefined) compare(path, { saved: description.identity, expected: identity });
  const { size, dtype } = description;
  try {
    const blocks = description.blocks.map((_, index) => placedBlock(index, { description, arrays }));
    const functions = description.blocks.map((block) => block.function);
    return {
      ...structuredOperator({ size, dtype, blocks, functions, threads }),
      ...notesOf(description),
      identity: description.identity,
      arrays: Object.fromEntries(
        [...arrays].flatMap(([name, { data }]) =>
          name.startsWith(FURTHER) ? [[name.slice(FURTHER.length), Float64Array.from(data)]] : [],
        ),
      ),
    };
  } catch (cause) {
    throw unreadable(path, "blocks that do not fit one another", cause);
  }
}

function describe(K: StructuredOperator & SavedNotes, identity: Identity): Description {
  return {
    size: K.shape[0],
    dtype: K.dtype,
    identity,
    ...notesOf(K),
    blocks: K.blocks.map(({ block, name, parameters, place, reason }, index) => ({
      kind: block.kind,
      name,
      parameters,
      reason,
      place: "indices" in place ? "indices" : place,
      function: K.functions[index],
      arrays: Object.keys(block.arrays),
    })),
  };
}

function notesOf({ coverage, terms, reversePasses }: SavedNotes): SavedNotes {
  return {
    ...(coverage !== undefined && { coverage }),
    ...(terms !== undefined && { terms }),
    ...(reversePasses !== undefined && { reversePasses }),
  };
}

/** Beginning of the names of arrays that are of no block. */
const FURTHER = "further.";

function furtherArrays(arrays: { readonly [name: string]: Float64Array }): readonly (readonly [string, StoredArray])[] {
  return Object.entries(arrays).map(([name, data]) => [`${FURTHER}${name}`, { data, dims: [data.length] }]);
}

/** The arrays of all blocks by name. */
function arraysOf(blocks: readonly PlacedBlock[]): ReadonlyMap<string, StoredArray> {
  const arrays = new Map<string, StoredArray>();
  for (const [index, { block, place }] of blocks.entries()) {
    for (const [name, { data, dims }] of Object.entries(block.arrays)) {
      arrays.set(`${index}.${name}`, { data: data as Float64Array, dims });
    }
    if ("indices" in place) arrays.set(`${index}.indices`, { data: place.indices, dims: [place.indices.length] });
  }
  return arrays;
}

function placedBlock(
  index: number,
  { description, arrays }: { readonly description: Description; readonly arrays: ReadonlyMap<string, StoredArray> },
): PlacedBlock {
  const { kind, name, parameters, reason, place, arrays: names } = description.blocks[index];
  const own = Object.fromEntries(names.map((array) => [array, arrays.get(`${index}.${array}`)!]));
  const indices = arrays.get(`${index}.indices`)?.data;
  return {
    block: blockOfArrays(kind, own),
    name,
    parameters,
    reason,
    place: place === "indices" ? { indices: Int32Array.from(indices!) } : place,
  };
}

async function bytesOf(path: string): Promise<Uint8Array> {
  const found = await readPathRange(path, { offset: 0, length: Number.MAX_SAFE_INTEGER }).catch((cause: unknown) => {
    if (cause instanceof CurvatureError) throw cause;
    throw new CurvatureError("file", `loadStructured cannot read ${path}; look at its name and its permissions`, {
      cause,
    });
  });
  if (found !== undefined) return found.bytes;
  throw new CurvatureError("file", `loadStructured expects a regular file, got ${path}`);
}

function describedIn(path: string, text: string | undefined): Description {
  try {
    return JSON.parse(text ?? "") as Description;
  } catch (cause) {
    throw unreadable(path, "no description of its blocks", cause);
  }
}

function checkIdentity(name: string, identity: unknown): void {
  const isRecord = typeof identity === "object" && identity !== null && !Array.isArray(identity);
  if (isRecord && Object.values(identity).every((text) => typeof text === "string")) return;
  throw new CurvatureError(
    "argument",
    `${name}: identity must be an object of texts, such as { model: "<hash>", parameters: "<hash>" }`,
  );
}

function compare(path: string, { saved, expected }: { readonly saved: Identity; readonly expected: Identity }): void {
  const names = [...new Set([...Object.keys(expected), ...Object.keys(saved)])];
  const valueIn = (of: Identity, name: string) => (Object.hasOwn(of, name) ? of[name] : undefined);
  const differing = names.filter((name) => valueIn(saved, name) !== valueIn(expected, name));
  if (differing.length === 0) return;
  const listed = (of: Identity) => differing.map((name) => `${name} ${valueIn(of, name) ?? "not given"}`).join(", ");
  throw new CurvatureError(
    "argument",
    `loadStructured expects the matrix in ${path} to be of ${listed(expected)}, got one of ${listed(saved)}; make it again for this risk, or load the one that belongs to it`,
  );
}

function unreadable(path: string, got: string, cause?: unknown): CurvatureError {
  const message = `loadStructured expects a complete matrix that saveStructured wrote in ${path}, got ${got}; save it again`;
  return new CurvatureError("file", message, cause === undefined ? {} : { cause });
}
