import { CurvatureError } from "../errors/index.ts";
import { input, integers, type Value } from "../graph/index.ts";
import { concat, gather, permute, reshape, slice } from "../primitives/index.ts";
import { compile, type Program } from "../runtime/index.ts";
import { type Precision, type Tensor, toPrecision, type Vector } from "../tensors/index.ts";
import type { BlockProduct, PlacedBlock } from "./blocks/index.ts";

/** Compiled products of a list of blocks. */
export interface BlockPrograms {
  /** The products of all blocks with `columns` vectors, [columns, size] -> [columns, size]. */
  run(products: readonly BlockProduct[], x: Vector, columns: number): Promise<Vector>;
  release(): Promise<void>;
}

/**
 * Programs for products with blocks: one graph for all blocks of equal forms and number of columns, whose arrays are inputs. Another damping or
 * power is other arrays for the same program.
 */
export function blockPrograms(
  blocks: readonly PlacedBlock[],
  { size, dtype, threads }: { readonly size: number; readonly dtype: Precision; readonly threads: number | undefined },
): BlockPrograms {
  const programs = new Map<string, Promise<Program>>();
  const feeds = new WeakMap<readonly BlockProduct[], { readonly [name: string]: Tensor }>();
  const conversions = new WeakMap<Vector, Vector>();
  let released = false;
  const program = (products: readonly BlockProduct[], columns: number): Promise<Program> => {
    const key = JSON.stringify([columns, products.map(({ form }) => form)]);
    const known = programs.get(key);
    if (known !== undefined) return known;
    const graph = productGraph(blocks, { products, columns, size });
    const made = compile(graph, { precision: dtype, ...(threads !== undefined && { threads }) });
    programs.set(key, made);
    made.catch(() => programs.delete(key));
    return made;
  };
  return {
    async run(products, x, columns) {
      if (released) {
        throw new CurvatureError("argument", "this structured matrix has been disposed of; make or load it again");
      }
      const arrays = feeds.get(products) ?? arrayFeeds(products, { dtype, conversions });
      feeds.set(products, arrays);
      const own = await program(products, columns);
      const { y } = await own.run({ ...arrays, x: { data: x, dims: [columns, size] } });
      return y.data as Vector;
    },
    async release() {
      released = true;
      for (const made of programs.values()) await (await made).release();
      programs.clear();
    },
  };
}

function arrayName(block: number, name: string): string {
  return `block ${block} ${name}`;
}

/** The arrays of all products in the precision of the engine. Functions of a block that share an array, as its basis, share what it is converted to. */
function arrayFeeds(
  products: readonly BlockProduct[],
  { dtype, conversions }: { readonly dtype: Precision; readonly conversions: WeakMap<Vector, Vector> },
): { readonly [name: string]: Tensor } {
  const feeds: { [name: string]: Tensor } = {};
  const converted = (array: Vector): Vector => {
    const own = conversions.get(array) ?? toPrecision(array, dtype);
    conversions.set(array, own);
    return own;
  };
  products.forEach(({ arrays }, block) => {
    for (const [name, { data, dims }] of Object.entries(arrays)) {
      feeds[arrayName(block, name)] = { data: converted(data as Vector), dims };
    }
  });
  return feeds;
}

function productGraph(
  blocks: readonly PlacedBlock[],
  {
    products,
    columns,
    size,
  }: { readonly products: readonly BlockProduct[]; readonly columns: number; readonly size: number },
) {
  const x = input("x", [columns, size]);
  const inputs: { [name: string]: Value } = { x };
  const results = products.map(({ arrays, build }, block) => {
    const own: { [name: string]: Value } = {};
    for (const [name, { dims }] of Object.entries(arrays)) {
      own[name] = input(arrayName(block, name), dims);
      inputs[arrayName(block, name)] = own[name];
    }
    return build(taken(x, blocks[block]), own);
  });
  return { inputs, outputs: { y: put(results, { blocks, size }) } };
}

/** The entries of x [K, size] that a block acts on, in its order. */
function taken(x: Value, placed: PlacedBlock): Value {
  const { place, block } = placed;
  if ("indices" in place) return gather(x, integers([...place.indices]), 1);
  const range = slice(x, { axis: 1, start: place.offset, limit: place.offset + block.size });
  if (place.transposed === undefined) return range;
  const [rows, columns] = place.transposed;
  return transposedMatrices(range, [columns, rows]);
}

/** Vectors [K, rows * columns] of matrices, each transposed. */
function transposedMatrices(x: Value, [rows, columns]: readonly [number, number]): Value {
  const [K, size] = x.shape;
  return reshape(permute(reshape(x, [K, rows, columns]), [0, 2, 1]), [K, size]);
}

/** The results of all blocks as one vector [K, size]: ranges one after the other, in order, and the rest by index. */
function put(
  results: readonly Value[],
  { blocks, size }: { readonly blocks: readonly PlacedBlock[]; readonly size: number },
): Value {
  const inRanges = results.map((result, block) => {
    const { place } = blocks[block];
    if ("indices" in place || place.transposed === undefined) return result;
    return transposedMatrices(result, place.transposed);
  });
  const order = blocks.map((_, block) => block).sort((a, b) => firstEntry(blocks[a]) - firstEntry(blocks[b]));
  const all = concat(
    order.map((block) => inRanges[block]),
    1,
  );
  const positions = new Int32Array(size);
  let at = 0;
  for (const block of order) {
    const { place, block: own } = blocks[block];
    for (let k = 0; k < own.size; k++) positions["indices" in place ? place.indices[k] : place.offset + k] = at++;
  }
  return positions.every((position, entry) => position === entry) ? all : gather(all, integers([...positions]), 1);
}

function firstEntry({ place }: PlacedBlock): number {
  return "indices" in place ? (place.indices[0] ?? 0) : place.offset;
}
