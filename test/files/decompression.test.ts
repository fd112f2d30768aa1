import { deflateRawSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { zipSync } from "fflate";
import { describe, expect, test, vi } from "vitest";
import { csv, loadTensor, readNpz } from "../../src/data/index.ts";
import { CurvatureError } from "../../src/errors/index.ts";
import type * as nodeFiles from "../../src/files/node.ts";
import * as web from "../../src/files/web.ts";
import { byteIdx, float32Npy } from "../data/files.ts";
import { rowsOf } from "../data/passes.ts";

// Node's and the browsers' decompression in turn, behind the name that the package chooses one by.
const chosen = vi.hoisted(() => ({ files: undefined as unknown as typeof nodeFiles }));
const node = await vi.importActual<typeof nodeFiles>("../../src/files/node.ts");
vi.mock("#files", () => ({
  freeMemory: () => 8e9,
  readPath: (...args: Parameters<typeof nodeFiles.readPath>) => chosen.files.readPath(...args),
  gunzipMembers: (...args: Parameters<typeof nodeFiles.gunzipMembers>) => chosen.files.gunzipMembers(...args),
  inflateRaw: (...args: Parameters<typeof nodeFiles.inflateRaw>) => chosen.files.inflateRaw(...args),
  crc32: (bytes: Uint8Array) => chosen.files.crc32(bytes),
}));

const values = Array.from({ length: 24 }, (_, i) => Math.fround(Math.sin(i) * 3));
const table = Array.from({ length: 12 }, (_, row) => `${row * 0.25},${row % 3},${row % 2}`).join("\n");
const archive = zipSync({ "x.npy": float32Npy([6, 4], values), "y.npy": float32Npy([2], [1, 2]) }, { level: 0 });

const numbersOf = async (bytes: Uint8Array) => [...(await loadTensor(bytes)).data].map(Number);

const files: readonly (readonly [
  name: string,
  bytes: Uint8Array,
  read: (bytes: Uint8Array) => Promise<readonly number[]>,
])[] = [
  ["csv.gz", gzipSync(table), async (bytes) => (await rowsOf(await csv(bytes))).inputs[""]!],
  ["npy.gz", gzipSync(float32Npy([6, 4], values)), numbersOf],
  ["idx.gz", gzipSync(byteIdx([4, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])), numbersOf],
  ["gz of two members", Buffer.concat([gzipSync(`${table}\n`), gzipSync(table)]), numbersOf],
  ["stored npz", zipSync({ "x.npy": float32Npy([6, 4], values) }, { level: 0 }), numbersOf],
  ["deflated npz", zipSync({ "x.npy": float32Npy([6, 4], values) }, { level: 9 }), numbersOf],
];

describe.each([
  ["Node", node],
  ["browsers", web as unknown as typeof nodeFiles],
])("decompression in %s", (_, implementation) => {
  test.each(files)("%s: each flipped bit is refused or harmless", async (_name, bytes, read) => {
    chosen.files = implementation;
    const right = await read(bytes);
    let refused = 0;
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const flipped = Uint8Array.from(bytes);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      const numbers = await read(flipped).catch((error: unknown) => {
        expect(error).toBeInstanceOf(CurvatureError);
        return undefined;
      });
      if (numbers === undefined) refused++;
      else if (JSON.stringify(numbers) !== JSON.stringify(right)) expect.fail(`bit ${bit} changed the numbers`);
    }
    // Most bits are contents or checksums; only times, systems and versions may change unnoticed.
    expect(refused).toBeGreaterThan(8 * bytes.length - 8 * 60);
  });

  test("gives back any bytes, of any number of members, and no more than the limit", async () => {
    chosen.files = implementation;
    const member = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.nat(70_000).map((length) => new Uint8Array(length)),
    );
    await fc.assert(
      fc.property(fc.array(member, { minLength: 1, maxLength: 4 }), fc.nat(9), (members, level) => {
        const packed = Uint8Array.from(Buffer.concat(members.map((each) => gzipSync(each, { level }))));
        const contents = Uint8Array.from(Buffer.concat(members));
        const got = implementation.gunzipMembers(packed, Math.max(contents.length, 1))!;
        expect(Buffer.compare(Buffer.from(got), contents)).toBe(0);
        if (contents.length > 1) expect(implementation.gunzipMembers(packed, contents.length - 1)).toBeUndefined();
        const raw = implementation.inflateRaw(deflateRawSync(contents), contents.length);
        expect(Buffer.compare(Buffer.from(raw), contents)).toBe(0);
        expect(implementation.crc32(contents)).toBe(node.crc32(contents));
      }),
      { numRuns: 60 },
    );
  });

  test("knows the checksum of the standard's example", () => {
    expect(implementation.crc32(new TextEncoder().encode("123456789"))).toBe(0xcbf43926);
  });

  test("stops at the limit of a bomb, and says how to raise it", async () => {
    chosen.files = implementation;
    const bomb = gzipSync(new Uint8Array(30e6));
    expect(bomb.length).toBeLessThan(40e3);
    const message =
      "data in memory: decompressing it needs more than the memory limit of 1 MB; if that is meant, raise memoryLimit (--memory-limit)";
    await expect(loadTensor(bomb, { memoryLimit: 1e6 })).rejects.toThrow(message);
    const zeros = zipSync({
      "x.npy": float32Npy(
        [1_000_000],
        Array.from({ length: 1_000_000 }, () => 0),
      ),
    });
    await expect(loadTensor(zeros, { memoryLimit: 1e6 })).rejects.toThrow(
      /file x\.npy: decompressing it needs .* MB, more than the memory limit of 1 MB/,
    );
    expect((await loadTensor(zeros, { memoryLimit: 5e6 })).dims).toEqual([1_000_000]);
  });
});

describe("archives", () => {
  const withEntry = (edit: (bytes: Uint8Array, view: DataView, directory: number) => void) => {
    const bytes = Uint8Array.from(archive);
    const view = new DataView(bytes.buffer);
    edit(bytes, view, view.getUint32(bytes.length - 6, true));
    return bytes;
  };

  test.each([
    [
      "encrypted",
      (_: Uint8Array, view: DataView, at: number) => view.setUint16(at + 8, 1, true),
      "is encrypted; unpack it first",
    ],
    [
      "of another method",
      (_: Uint8Array, view: DataView, at: number) => view.setUint16(at + 10, 12, true),
      "got compression method 12",
    ],
    ["cut short", (bytes: Uint8Array) => bytes.fill(0, bytes.length - 22), "it has no directory at its end"],
    [
      "with a name twice",
      (bytes: Uint8Array, _: DataView, at: number) => {
        const second = bytes.lastIndexOf("y".charCodeAt(0));
        expect(second).toBeGreaterThan(at);
        bytes[second - 4] = "x".charCodeAt(0); // of "y.npy"
      },
      "its directory names a file twice",
    ],
  ] as const)("%s", async (_, edit, message) => {
    chosen.files = node;
    expect(() => readNpz(withEntry(edit), { members: ["x"] })).toThrow(message);
  });

  test("an array whose declared size is beyond the file is refused before anything is taken", async () => {
    chosen.files = node;
    const huge = withEntry((_, view, at) => view.setUint32(at + 24, 0xfffffff0, true));
    expect(() => readNpz(huge, { memoryLimit: 1e9 })).toThrow(/needs 4\.29 GB, more than the memory limit of 1 GB/);
  });
});
