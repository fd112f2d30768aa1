import { gzipSync } from "node:zlib";
import { zipSync } from "fflate";
import { npyBytes } from "../data/arrayBytes.ts";
import type { Draws } from "./fuzzDraws.ts";
import type { FileContent } from "./structuredFuzz.ts";

const DIMS: readonly (readonly number[])[] = [
  [2, 2],
  [2, 2],
  [2],
  [0, 2],
  [2, 0],
  [4],
  [],
  [1e9, 1e9],
  [2 ** 31, 2],
  [2 ** 53],
  [1, 2, 2],
];
const TYPES = [
  "<f4",
  "<f4",
  "<f8",
  "<i8",
  "<i4",
  "|u1",
  "|b1",
  ">f4",
  "<f2",
  "<c8",
  "<U5",
  "|O",
  "<M8[ns]",
  "constructor",
  "",
  "<f99",
];

/** A file of data for y = x w, x `[n, 2]`: an archive, an array, a table, of which little is as it says. */
export function randomDataFile(draws: Draws): {
  readonly files: { readonly [name: string]: FileContent };
  readonly data: string;
} {
  const [data, bytes] = draws.pick([archive, archive, array, table, table, images])(draws);
  const damaged = draws.chance(0.25) ? damage(bytes, draws) : bytes;
  const zipped = draws.chance(0.2) ? gzipSync(damaged, { level: 1 }) : damaged;
  const again = zipped !== damaged && draws.chance(0.4) ? damage(zipped, draws) : zipped;
  return { files: { [data]: again }, data };
}

function damage(bytes: Uint8Array, draws: Draws): Uint8Array {
  const result = bytes.slice();
  if (result.length === 0 || draws.chance(0.3)) return result.subarray(0, draws.below(result.length + 1));
  for (let i = 0; i <= draws.below(3); i++) result[draws.below(result.length)] = draws.below(256);
  return result;
}

function npy(draws: Draws): Uint8Array {
  const dims = draws.pick(DIMS);
  const descr = draws.pick(TYPES);
  const elements = new Uint8Array(draws.pick([0, 8, 16, 16, 32, 33])).fill(draws.pick([0, 0, 63, 255]));
  const bytes = npyBytes({ descr, dims, elements, fortran: draws.chance(0.2), version: draws.pick([1, 1, 2, 3]) });
  if (draws.chance(0.8)) return bytes;
  const header = draws.pick([
    "{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 2), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1e400,), }",
    "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }",
    "{'descr': '<f4', 'shape': (2, 2",
    "__import__('os').system('true')",
    "",
    `{'descr': '<f4', 'fortran_order': False, 'shape': (${"1,".repeat(5000)}), }`,
  ]);
  const text = new TextEncoder().encode(header);
  return Uint8Array.from([0x93, 78, 85, 77, 80, 89, 1, 0, text.length & 255, text.length >> 8, ...text, ...elements]);
}

function array(draws: Draws): [string, Uint8Array] {
  return [draws.pick(["data.npy", "data.npy", "data.npz", "data.csv"]), npy(draws)];
}

/** An archive of arrays: the wrong names, sizes and checksums, deep bombs, paths that lead out. */
function archive(draws: Draws): [string, Uint8Array] {
  const names = ["x.npy", "y.npy", "x", "../../x.npy", "x.npy/", "__proto__.npy", "x\u001b[31m.npy", ""];
  const good = npyBytes({ descr: "<f4", dims: [2, 2], elements: new Uint8Array(16) });
  const entries: { [name: string]: Uint8Array } = {
    "x.npy": draws.chance(0.6) ? good : npy(draws),
    "y.npy": draws.chance(0.6) ? good : npy(draws),
  };
  if (draws.chance(0.3)) entries[draws.pick(names)] = npy(draws);
  if (draws.chance(0.1))
    entries["x.npy"] = npyBytes({ descr: "<f4", dims: [2 ** 23, 2], elements: new Uint8Array(2 ** 26) });
  const bytes = zipSync(entries, { level: draws.pick([0, 6]) });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // One field of the directory or of an entry: sizes, checksum, offset, method, flags.
  if (draws.chance(0.5)) {
    const central = findSignature(bytes, draws.pick([0x04034b50, 0x02014b50, 0x06054b50]));
    const at = central + draws.pick([6, 8, 10, 12, 14, 16, 20, 24, 28, 30, 32, 42]);
    if (at + 4 <= bytes.length)
      view.setUint32(at, draws.pick([0, 1, 65535, 2 ** 31, 2 ** 32 - 1, draws.below(2 ** 31)]), true);
  }
  return ["data.npz", bytes];
}

function findSignature(bytes: Uint8Array, signature: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let i = 0; i + 4 <= bytes.length; i++) if (view.getUint32(i, true) === signature) return i;
  return 0;
}

function table(draws: Draws): [string, Uint8Array] {
  const cells = [
    "1",
    "2",
    "0.5",
    "-1e3",
    "1e999",
    "nan",
    "inf",
    "",
    " ",
    '"',
    '"a""b"',
    "a\u001b[31m",
    "0x10",
    "1,5",
    "\ufeff1",
    "\0",
    "9".repeat(400),
  ];
  const separator = draws.pick([",", ",", ",", ";", "\t"]);
  const end = draws.pick(["\n", "\n", "\r\n", "\r", "\n\n"]);
  const wild = draws.pick([0, 0.02, 0.3]);
  const rows = Array.from({ length: draws.below(8) }, () =>
    Array.from({ length: draws.chance(0.9) ? 4 : draws.below(9) }, () =>
      draws.chance(wild) ? draws.pick(cells) : String(draws.below(3)),
    ).join(separator),
  );
  if (draws.chance(0.03)) rows.push(`${"1,".repeat(2_000_000)}1`);
  return [draws.pick(["data.csv", "data.csv", "data.tsv", "data.txt"]), new TextEncoder().encode(rows.join(end))];
}

/** An IDX file, whose sizes and type are bytes of its head. */
function images(draws: Draws): [string, Uint8Array] {
  const head = [0, 0, draws.pick([8, 8, 9, 11, 12, 13, 14, 0, 255]), draws.pick([1, 2, 2, 3, 0, 200])];
  const sizes = Array.from({ length: 3 }, () =>
    draws.pick([
      [0, 0, 0, 2],
      [0, 0, 0, 1],
      [255, 255, 255, 255],
      [128, 0, 0, 0],
    ]),
  ).flat();
  return ["data-idx2-ubyte", Uint8Array.from([...head, ...sizes, ...new Uint8Array(draws.below(20))])];
}
