import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { encode } from "fast-png";
import { zipSync } from "fflate";
import { afterAll, describe, expect, test, vi } from "vitest";
import { decodePng } from "../../src/data/images/decodePng.ts";
import { withChannels } from "../../src/data/images/image.ts";
import { zipImages } from "../../src/data/images/imageFiles.ts";
import { jpegComponents } from "../../src/data/images/jpegComponents.ts";
import { decodeImage } from "../../src/data/images/nodeDecoder.ts";
import { cropImage, resizedBy, resizeImage } from "../../src/data/images/resizeImage.ts";
import { decodeImage as decodeOnPages } from "../../src/data/images/webDecoder.ts";
import { type LoadDataOptions, loadData, takeRows } from "../../src/data/index.ts";
import { selfCommunicator, shardOf } from "../../src/distributed/index.ts";
import { batchesOf, range, rowsOf } from "./passes.ts";

const fixture = (name: string) => readFileSync(fileURLToPath(new URL(`../fixtures/images/${name}`, import.meta.url)));
const folder = mkdtempSync(join(tmpdir(), "onnx-curvature-images-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A PNG of one colour, or gray. */
function png(width: number, height: number, ...colour: readonly number[]): Uint8Array {
  const data = Uint8Array.from({ length: width * height * colour.length }, (_, i) => colour[i % colour.length]!);
  return encode({ width, height, channels: colour.length as 1 | 3, depth: 8, data });
}

/** Writes files below a new folder and returns its path. */
let count = 0;
function tree(files: { readonly [path: string]: string | Uint8Array }): string {
  const root = join(folder, `set${count++}`);
  for (const [path, contents] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), contents);
  }
  return root;
}

const NAMES = ["rgb.png", "rgba.png", "gray.png", "palette.png", "palette4.png", "bits.png", "photo.jpg", "gray.jpg"];

describe("decoding", () => {
  test.each(NAMES)("%s has Pillow's pixels in RGB and gray", async (name) => {
    const image = await decodeImage(fixture(name), name);
    expect([image.width, image.height]).toEqual([37, 29]);
    expect(Buffer.from(withChannels(image, 3).data).equals(fixture(`${name}.rgb.bin`))).toBe(true);
    expect(Buffer.from(withChannels(image, 1).data).equals(fixture(`${name}.gray.bin`))).toBe(true);
  });

  test.each(NAMES.filter((name) => name.endsWith("png")))(
    "%s: the decoder without sharp gives the same",
    async (name) => {
      for (const decode of [decodePng, decodeOnPages]) {
        const image = await decode(fixture(name), name);
        expect(Buffer.from(withChannels(image, 3).data).equals(fixture(`${name}.rgb.bin`))).toBe(true);
      }
    },
  );

  test("refuses other kinds and damage, naming the file", async () => {
    await expect(decodeImage(fixture("cmyk.jpg"), "c.jpg")).rejects.toThrow(
      "c.jpg: expected an image in gray or RGB of 8 bits a channel, got CMYK; convert it first",
    );
    await expect(decodeImage(fixture("deep.png"), "d.png")).rejects.toThrow(
      "d.png: expected an image in gray or RGB of 8 bits a channel, got 16 bits",
    );
    await expect(decodePng(fixture("deep.png"), "d.png")).rejects.toThrow("got 16 bits");
    for (const name of ["rgb.png", "photo.jpg"]) {
      const cut = fixture(name).subarray(0, 500);
      await expect(decodeImage(cut, name)).rejects.toThrow(
        `${name}: expected a complete PNG or JPEG image, got one that cannot be read`,
      );
    }
    await expect(decodePng(fixture("rgb.png").subarray(0, 500), "rgb.png")).rejects.toThrow(
      "got one that cannot be read",
    );
    await expect(decodeImage(new TextEncoder().encode("GIF89a"), "x.png")).rejects.toThrow(
      "its first bytes are those of neither",
    );
    await expect(decodeOnPages(new TextEncoder().encode("GIF89a"), "x.png")).rejects.toThrow(
      "its first bytes are those of neither",
    );
    await expect(decodeOnPages(fixture("photo.jpg"), "x.jpg")).rejects.toThrow("x.jpg: JPEG needs a browser or Node");
    await expect(decodeOnPages(fixture("cmyk.jpg"), "c.jpg")).rejects.toThrow("of 8 bits a channel, got CMYK");
  });

  test("components of JPEG", () => {
    expect(["photo.jpg", "gray.jpg", "cmyk.jpg"].map((name) => jpegComponents(fixture(name)))).toEqual([3, 1, 4]);
    expect(jpegComponents(fixture("photo.jpg").subarray(0, 10))).toBeUndefined();
    expect(jpegComponents(Uint8Array.from([0xff, 0xd8, 0xff, 0xda, 0, 2, 1, 2, 3, 4, 5, 6]))).toBeUndefined();
  });

  test("on pages takes all pixels of the browser's bitmap, without colour management, premultiplication and rotation", async () => {
    const closed = vi.fn();
    vi.stubGlobal("createImageBitmap", async (blob: Blob, options: unknown) => {
      expect(blob.type).toBe("image/jpeg");
      expect(options).toEqual({ colorSpaceConversion: "none", premultiplyAlpha: "none", imageOrientation: "none" });
      const image = await decodeImage(new Uint8Array(await blob.arrayBuffer()), "photo.jpg");
      return { ...image, close: closed };
    });
    vi.stubGlobal(
      "OffscreenCanvas",
      class {
        bitmap: { readonly data: Uint8Array } | undefined;
        getContext() {
          return {
            drawImage: (bitmap: { readonly data: Uint8Array }, x: number, y: number) => {
              expect([x, y]).toEqual([0, 0]);
              this.bitmap = bitmap;
            },
            getImageData: (x: number, y: number, width: number, height: number) => {
              expect([x, y, width, height]).toEqual([0, 0, 37, 29]);
              const { data } = this.bitmap!;
              const pixels = Array.from({ length: width * height }, (_, i) => [
                ...data.subarray(3 * i, 3 * i + 3),
                255,
              ]);
              return { data: Uint8ClampedArray.from(pixels.flat()) };
            },
          };
        }
      },
    );
    try {
      const image = await decodeOnPages(fixture("photo.jpg"), "photo.jpg");
      expect([image.width, image.height, image.channels]).toEqual([37, 29, 4]);
      expect(Buffer.from(withChannels(image, 3).data).equals(fixture("photo.jpg.rgb.bin"))).toBe(true);
      expect(closed).toHaveBeenCalledOnce();
    } finally {
      vi.unstubAllGlobals();
    }
  });

  test("without sharp reads PNG, and says what JPEG needs", async () => {
    vi.resetModules();
    vi.doMock("sharp", () => {
      throw new Error("not installed");
    });
    try {
      const { decodeImage: decode } = await import("../../src/data/images/nodeDecoder.ts");
      expect((await decode(fixture("rgb.png"), "rgb.png")).width).toBe(37);
      await expect(decode(fixture("photo.jpg"), "photo.jpg")).rejects.toThrow(
        "photo.jpg: JPEG needs the optional package sharp, which is not installed; run npm install sharp, or convert to PNG",
      );
    } finally {
      vi.doUnmock("sharp");
    }
  });
});

describe("resizing and cropping", () => {
  test.each([
    [20, 15],
    [13, 50],
    [64, 64],
    [37, 8],
    [5, 29],
    [1, 1],
  ])("to %d x %d gives Pillow's pixels to the last bit", async (width, height) => {
    const resized = resizeImage(await decodeImage(fixture("rgb.png"), "rgb.png"), { width, height });
    expect([resized.width, resized.height]).toEqual([width, height]);
    expect(Buffer.from(resized.data).equals(fixture(`rgb.${width}x${height}.bin`))).toBe(true);
  });

  // torchvision.transforms.functional.resize: int(size * long / short).
  test.each([
    [500, 375, 256, 341, 256],
    [375, 500, 256, 256, 341],
    [37, 29, 20, 25, 20],
    [32, 32, 8, 8, 8],
  ])("%d x %d by the shorter side %d is %d x %d", (width, height, size, wide, high) => {
    expect(resizedBy({ width, height }, size)).toEqual({ width: wide, height: high });
  });

  // torchvision.transforms.functional.center_crop: int(round((height - crop) / 2.0)), halves to even.
  test.each([
    [7, 4, 2],
    [5, 4, 0],
    [9, 4, 2],
    [8, 4, 2],
    [4, 4, 0],
  ])("the middle of %d with %d begins at %d", (height, size, top) => {
    const image = { width: 1, height, channels: 1, data: Uint8Array.from(range(height)) };
    expect([...cropImage(image, { width: 1, height: size }).data]).toEqual(range(size).map((y) => y + top));
  });
});

const nchw = { x: { dims: ["n", 3, 2, 4], dtype: "float32" } } as const;

describe("data sets of images", () => {
  const files = {
    "dog/a.png": png(4, 2, 10, 20, 30),
    "cat/deep/b.png": png(4, 2, 40, 50, 60),
    "cat/c.png": png(4, 2, 255, 0, 5),
    "notes.txt": "x",
    ".hidden/x.png": png(4, 2, 1, 1, 1),
  };
  const planes = (...colour: readonly number[]) => colour.flatMap((value) => range(8).map(() => value));
  const expected = [planes(255, 0, 5), planes(40, 50, 60), planes(10, 20, 30)].flat();

  test("a folder: its subfolders are the classes, sorted", async () => {
    const data = await loadData({ wanted: nchw, data: tree(files) });
    expect(data).toMatchObject({
      rows: 3,
      classes: ["cat", "dog"],
      description: expect.stringMatching(/^set\d+\/; 1 other file left out$/),
    });
    expect([data.inputs, data.targets]).toEqual([
      { x: { dims: [3, 2, 4], dtype: "float32" } },
      { dims: [], dtype: "int32" },
    ]);
    const { inputs, targets } = await rowsOf(data);
    expect([inputs.x, targets]).toEqual([expected, [0, 0, 1]]);
  });

  test("a zip archive, also of one folder", async () => {
    for (const root of ["", "train/"]) {
      const named = Object.fromEntries(Object.entries(files).map(([name, bytes]) => [root + name, Buffer.from(bytes)]));
      const data = await loadData({ wanted: nchw, data: zipSync(named) });
      const { inputs, targets } = await rowsOf(data);
      expect([data.classes, inputs.x, targets]).toEqual([["cat", "dog"], expected, [0, 0, 1]]);
    }
  });

  test("a zip archive on disk: each image is read where it lies", async () => {
    const noise = Uint8Array.from({ length: 2 ** 20 }, (_, i) => (i * i) % 251);
    const members = { "ant/1.png": png(4, 2, 1, 2, 3), "bee/2.png": png(4, 2, 4, 5, 6), "bee/readme.bin": noise };
    const bytes = zipSync(members, { level: 0 });
    let read = 0;
    const file = {
      name: "set.zip",
      size: bytes.length,
      range: async (offset: number, length: number) => {
        const found = bytes.subarray(offset, offset + length);
        read += found.length;
        return found;
      },
    };
    const images = (await zipImages(file, {}))!;
    expect([images.names, images.classes, images.others]).toEqual([["ant/1.png", "bee/2.png"], ["ant", "bee"], 1]);
    read = 0;
    expect(await images.read(1)).toEqual(members["bee/2.png"]);
    expect(read).toBeLessThan(500);
    const path = join(tree({ "set.zip": bytes }), "set.zip");
    for (const stream of [false, true]) {
      const data = await loadData({ wanted: nchw, data: path, stream });
      expect((await rowsOf(data)).targets).toEqual([0, 1]);
    }
    writeFileSync(path, bytes.subarray(0, -1));
    await expect(loadData({ wanted: nchw, data: path })).rejects.toThrow("set.zip: expected a complete NPZ (zip) file");
  });

  test("a list is found with stream too", async () => {
    const root = tree({
      "a.png": png(4, 2, 1, 2, 3),
      "b.png": png(4, 2, 4, 5, 6),
      "list.csv": "path,y\na.png,1\nb.png,0\n",
    });
    const data = await loadData({ wanted: nchw, data: join(root, "list.csv"), stream: true });
    const { inputs, targets } = await rowsOf(data);
    expect([targets, inputs.x![0], inputs.x![24]]).toEqual([[1, 0], 1, 4]);
  });

  test("a list of paths and labels, with and without header, in CSV and JSON lines", async () => {
    const lists = {
      "a.csv": "path,label\ncat/c.png,cat\ndog/a.png,dog\n",
      "b.csv": "cat/c.png,cat\ndog/a.png,dog\n",
      "c.jsonl": '{"file": "cat/c.png", "y": "cat"}\n{"file": "dog/a.png", "y": "dog"}\n',
    };
    const root = tree({ ...files, ...lists });
    for (const name of Object.keys(lists)) {
      const data = await loadData({ wanted: nchw, data: join(root, name) });
      const { inputs, targets } = await rowsOf(data);
      expect([data.description, data.classes]).toEqual([name, ["cat", "dog"]]);
      expect([inputs.x, targets]).toEqual([[planes(255, 0, 5), planes(10, 20, 30)].flat(), [0, 1]]);
    }
  });

  test("values as targets, in a list or a file of their own", async () => {
    const root = tree({
      ...files,
      "list.csv": "path,a,b\ncat/c.png,0.5,1\ndog/a.png,1.5,2\n",
      "y.csv": "1.5\n2.5\n3.5\n",
    });
    const list = await loadData({ wanted: nchw, data: join(root, "list.csv"), label: "a,b", targetType: "number" });
    expect((await rowsOf(list)).targets).toEqual([0.5, 1, 1.5, 2]);
    const own = await loadData({
      wanted: nchw,
      data: root,
      targets: join(root, "y.csv"),
      targetType: "number",
      rows: [1],
    });
    expect((await rowsOf(own)).targets).toEqual([2.5, 3.5]);
    await expect(loadData({ wanted: nchw, data: root, targets: new TextEncoder().encode("1\n2\n") })).rejects.toThrow(
      "has 3 images but data in memory has 2 rows; expected one entry an image, in the order of their paths",
    );
  });

  test("NHWC by the model's shape; gray, flat, and colours made of gray", async () => {
    const root = tree({ "a/1.png": png(4, 2, 10, 20, 30) });
    const pixels = async (dims: readonly (number | null)[], options: Partial<LoadDataOptions> = {}, data = root) =>
      (await rowsOf(await loadData({ wanted: { x: { dims, dtype: "float32" } }, data, ...options }))).inputs.x;
    const gray = (19595 * 10 + 38470 * 20 + 7471 * 30 + 32768) >> 16;
    expect(await pixels([null, 2, 4, 3])).toEqual(range(8).flatMap(() => [10, 20, 30]));
    expect(await pixels([null, 1, 2, 4])).toEqual(range(8).map(() => gray));
    expect(await pixels([null, 2, 4])).toEqual(range(8).map(() => gray));
    expect(await pixels([null, 8])).toEqual(range(8).map(() => gray));
    expect(await pixels([null, 24], { layout: "NHWC" })).toEqual(range(8).flatMap(() => [10, 20, 30]));
    expect(await pixels([null, null, null, null], { layout: "NCHW" })).toEqual(planes(10, 20, 30));
    expect(await pixels([null, 3, 2, 4], {}, tree({ "a/1.png": png(4, 2, 7) }))).toEqual(planes(7, 7, 7));
  });

  test("scale, mean and deviation of each channel, after resizing and cropping", async () => {
    const root = tree({ "a/photo.jpg": fixture("photo.jpg") });
    const [mean, std] = [
      [0.485, 0.456, 0.406],
      [0.229, 0.224, 0.225],
    ];
    const wanted = { x: { dims: [null, 3, 16, 16], dtype: "float32" } } as const;
    const options = { data: root, scale: 255, mean, std, resize: 20, crop: 16 };
    const found = (await rowsOf(await loadData({ wanted, ...options }))).inputs.x!;
    const image = resizeImage(await decodeImage(fixture("photo.jpg"), ""), { width: 25, height: 20 });
    // (25 - 16) / 2 = 4.5, rounded to 4.
    const reference = range(3 * 16 * 16).map((i) => {
      const [channel, y, x] = [Math.floor(i / 256), Math.floor(i / 16) % 16, i % 16];
      const pixel = image.data[((y + 2) * 25 + x + 4) * 3 + channel]!;
      return Math.fround((pixel / 255 - mean[channel]!) / std[channel]!);
    });
    expect(found).toEqual(reference);
    const exact = await loadData({ wanted, data: root, resize: [16, 16] });
    expect(exact.inputs.x!.dims).toEqual([3, 16, 16]);
  });

  test("uint8 inputs take pixels as they are", async () => {
    const wanted = { x: { dims: [null, 3, 2, 4], dtype: "uint8" } } as const;
    const [batch] = await batchesOf(
      await loadData({ wanted, data: tree({ "a/1.png": png(4, 2, 10, 20, 30) }), scale: 255 }),
    );
    expect(batch!.inputs.x!.data).toEqual(Uint8Array.from(planes(10, 20, 30)));
    await expect(loadData({ wanted, data: tree(files), mean: [1] })).rejects.toThrow(
      "mean and std are for inputs of floats; the model takes uint8",
    );
  });

  test("every pass gives the same batches; parts and shards read their own images only", async () => {
    const many = Object.fromEntries(range(11).map((i) => [`c${i % 2}/${i}.png`, png(4, 2, i, i, i)]));
    const data = await loadData({ wanted: nchw, data: tree(many), batchSize: 4 });
    const [one, two] = [await rowsOf(data), await rowsOf(data)];
    expect(one).toEqual(two);
    expect(one.sizes).toEqual([4, 4, 3]);
    const part = takeRows(data, [5, 9]);
    expect(part.description).toMatch(/, rows 5:9$/);
    const rows = await rowsOf(takeRows(part, [1, 4]));
    expect([rows.starts, rows.targets]).toEqual([[0], one.targets.slice(6, 9)]);
    expect(rows.inputs.x).toEqual(one.inputs.x!.slice(6 * 24, 9 * 24));
    const shards = [0, 1, 2].map((rank) => shardOf(data, { ...selfCommunicator(), rank, size: 3 }));
    const all = await Promise.all(shards.map(rowsOf));
    expect(all.flatMap(({ targets }) => targets)).toEqual(one.targets);
    expect(all.flatMap(({ inputs }) => inputs.x)).toEqual(one.inputs.x);
  });

  test("a pass that is left, or stopped, leaves no failure behind", async () => {
    const many = Object.fromEntries(range(6).map((i) => [`c/${i}.png`, i < 2 ? png(4, 2, i, i, i) : "broken"]));
    const data = await loadData({ wanted: nchw, data: tree(many), batchSize: 2 });
    for await (const batch of data.batches()) {
      expect(batch.rows).toBe(2);
      break;
    }
    await expect(batchesOf(data)).rejects.toThrow("c/2.png: expected a complete PNG or JPEG image");
    const stop = new AbortController();
    stop.abort();
    await expect(batchesOf(data, stop.signal)).rejects.toMatchObject({ code: "aborted" });
  });

  test("the order of the classes that is asked for", async () => {
    const data = await loadData({ wanted: nchw, data: tree(files), classes: ["dog", "cow", "cat"] });
    expect([data.classes, (await rowsOf(data)).targets]).toEqual([
      ["dog", "cow", "cat"],
      [2, 2, 0],
    ]);
  });

  const set = () => tree(files);
  test.each<[() => Omit<LoadDataOptions, "model">, string]>([
    [() => ({ data: tree({ "a/x.txt": "x" }) }), "expected PNG or JPEG images, got none in 1 files"],
    [
      () => ({ data: tree({ "a/1.png": png(4, 2, 1), "2.png": png(4, 2, 1) }) }),
      "expected every image in the folder of its class, got 2.png beside a/1.png",
    ],
    [
      () => ({ data: tree({ "a/1.png": png(4, 2, 1), "b/x.txt": "" }) }),
      "got none in b/; remove it, or it takes a label",
    ],
    [
      () => ({ data: tree({ "1.png": png(4, 2, 1) }) }),
      "expected targets beside the inputs of x, got none; give a file of targets",
    ],
    [() => ({ data: set(), label: 1 }), "expected no label column, since the classes of images are their folders"],
    [() => ({ data: set(), classes: ["cat"] }), "expected folders among the classes cat, got dog/"],
    [
      () => ({ data: tree({ "a/1.png": png(5, 2, 1) }) }),
      'a/1.png: is 5 x 2 pixels (width x height), but the model\'s input "x" takes [3, 2, 4] a row; say --resize 4x2',
    ],
    [
      () => ({ data: set(), crop: 3 }),
      "cat/c.png: is 4 x 2 pixels, smaller than the crop of 3 x 3; resize it first (--resize)",
    ],
    [() => ({ data: set(), mean: [1, 2] }), "expected mean as one finite number or 3, one a channel, got 1, 2"],
    [() => ({ data: set(), std: [0] }), "expected std as one positive number or 3, one a channel, got 0"],
    [
      () => ({ data: set(), wanted: { x: { dims: [null, null, null, null], dtype: "float32" } } }),
      "may have its channels first or last; expected images as [n, c, h, w] or [n, h, w, c], said by layout: NCHW or NHWC (--layout)",
    ],
    [
      () => ({ data: set(), wanted: { x: { dims: [null, 3, 4, 3], dtype: "float32" } } }),
      "may have its channels first or last",
    ],
    [
      () => ({ data: set(), wanted: { x: { dims: [null, 5, 4, 7], dtype: "float32" } } }),
      "has no axis of 1 or 3 channels there",
    ],
    [
      () => ({ data: set(), wanted: { x: { dims: [null, 24], dtype: "float32" } } }),
      "takes colours whose order is unknown; say layout: NCHW or NHWC (--layout)",
    ],
    [
      () => ({ data: set(), wanted: { x: { dims: [null], dtype: "float32" } } }),
      "takes no images, which are [n, c, h, w] or [n, h, w, c]",
    ],
    [
      () => ({ data: set(), wanted: { x: { dims: [null, 3, 2, 4], dtype: "int64" } } }),
      "images enter a model as floats or uint8; it takes int64",
    ],
    [() => ({ data: set(), rows: [2, 9] }), "expected rows A:B with 0 <= A < B <= 3, got 2:9"],
    [
      () => ({ data: new TextEncoder().encode("1,0\n2,1\n"), crop: 3 }),
      "expected crop (--crop) with images: a folder, a zip archive or a list of PNG or JPEG files",
    ],
    [() => ({ data: join(tree({ "l.csv": "path,y\nnone.png,0\n" }), "l.csv") }), "none.png: there is no such file"],
  ])("is refused in one line: %#", async (options, message) => {
    const failing = async () => batchesOf(await loadData({ wanted: nchw, ...options() }));
    await expect(failing()).rejects.toThrow(message);
    await expect(failing()).rejects.toMatchObject({
      name: "CurvatureError",
      message: expect.not.stringContaining("\n"),
    });
  });

  test("an image among others of another size is named", async () => {
    const data = await loadData({ wanted: nchw, data: tree({ "a/1.png": png(4, 2, 1), "a/2.png": png(2, 4, 1) }) });
    await expect(batchesOf(data)).rejects.toThrow("a/2.png: is 2 x 4 pixels (width x height)");
  });
});
