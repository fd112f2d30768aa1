import { decodeImage } from "#images";
import { CurvatureError } from "../../errors/index.ts";
import { arrayTypes, type Dtype, sizeOf, type Tensor } from "../../tensors/index.ts";
import { chooseBatchSize } from "../chooseBatchSize.ts";
import type { Batch, BatchOptions, Data } from "../data.ts";
import type { WantedInput } from "../fitInputs.ts";
import { withRowAccess } from "../rowAccess.ts";
import { rowTypeOf, sliceTensor } from "../rows.ts";
import { checkedRange, type RowRange } from "../takeRows.ts";
import { type Image, withChannels } from "./image.ts";
import type { ImageFiles } from "./imageFiles.ts";
import { type ImageLayout, imageLayout, type Layout } from "./imageLayout.ts";
import { cropImage, type ImageSize, resizedBy, resizeImage } from "./resizeImage.ts";

/** How images are fitted to a model. */
export interface ImageOptions {
  /** Resizes as torchvision's `Resize`: the shorter side in pixels, or `[height, width]`. */
  readonly resize?: number | readonly [height: number, width: number];
  /** Takes the middle as torchvision's `CenterCrop`: the side of a square in pixels, or `[height, width]`. */
  readonly crop?: number | readonly [height: number, width: number];
  /** Subtracted from each channel after the division by `scale`: one number, or one a channel. */
  readonly mean?: readonly number[];
  /** Divides each channel after that: one number, or one a channel. */
  readonly std?: readonly number[];
  /** Order of the axes of the model's input, where its shape leaves it open. */
  readonly layout?: Layout;
}

/** What a data set of images is made of. */
export interface ImageDataRequest extends ImageOptions {
  readonly files: ImageFiles;
  /** `[images, ...]`, of all images. */
  readonly targets?: Tensor | undefined;
  readonly classes?: readonly string[] | undefined;
  readonly input: string;
  readonly wanted: WantedInput;
  readonly scale: number;
  readonly rows?: RowRange | undefined;
  readonly batchSize?: number | undefined;
  readonly description: string;
}

/** Bytes up to which the numbers of all images are kept after the first pass. */
const KEPT_BYTES = 2 ** 28;

/** Images that are decoded at the same time. */
const AT_ONCE = 8;

/**
 * Data set of images, which are read and decoded on every pass, the next batch while the products with the present one are computed. Memory
 * holds the numbers of two batches, or those of all images where these take at most 256 MiB.
 *
 * @throws CurvatureError for an image that cannot be read, has another size than the model takes, or is smaller than the crop, naming it; see also
 *   `imageLayout`
 */
export async function imageData(request: ImageDataRequest): Promise<Data> {
  const { files, targets, classes, input, rows: range, description, wanted } = request;
  const [from, to] =
    range === undefined
      ? [0, files.names.length]
      : checkedRange(range, { rows: files.names.length, where: files.name });
  const first = await loaded(request, from);
  const where = `${files.name}: ${files.names[from]}`;
  const { dims } = wanted;
  const layout = imageLayout({ dims, input, size: first.image, stored: first.stored, layout: request.layout, where });
  const channelScale = checkedScales(request, layout);
  const bytes = 4 * (to - from) * sizeOf(layout.dims);
  const write = { ...request, layout, channelScale, ...(bytes <= KEPT_BYTES && { kept: new Map() }) };
  const between = (first: number, last: number): Data => {
    const own = targets && sliceTensor(targets, first, last);
    const batchSize = chooseBatchSize(request.batchSize, last - first);
    const batches = ({ signal }: BatchOptions = {}) =>
      prefetched(write, { first, last, targets: own, batchSize, signal });
    const data = {
      rows: last - first,
      batchSize,
      description,
      inputs: { [input]: { dims: layout.dims, dtype: wanted.dtype } },
      ...(own && { targets: rowTypeOf(own) }),
      ...(classes && { classes }),
      weighted: false,
      batches,
    };
    return withRowAccess(data, (a, b) => between(first + a, first + b));
  };
  return between(from, to);
}

interface Loaded {
  readonly image: Image;
  /** Channels in the file. */
  readonly stored: number;
}

/** An image in its size for the model. */
async function loaded(
  { files, resize, crop }: Pick<ImageDataRequest, "files" | "resize" | "crop">,
  index: number,
): Promise<Loaded> {
  const name = `${files.name}: ${files.names[index]}`;
  const image = await decodeImage(await files.read(index), name);
  const resized =
    resize === undefined
      ? image
      : resizeImage(image, typeof resize === "number" ? resizedBy(image, resize) : sizeOfSides(resize));
  if (crop === undefined) return { image: resized, stored: image.channels };
  const size = sizeOfSides(typeof crop === "number" ? [crop, crop] : crop);
  if (size.width > resized.width || size.height > resized.height) {
    throw new CurvatureError(
      "data",
      `${name}: is ${resized.width} x ${resized.height} pixels, smaller than the crop of ${size.width} x ${size.height}; resize it first (--resize)`,
    );
  }
  return { image: cropImage(resized, size), stored: image.channels };
}

function sizeOfSides([height, width]: readonly [height: number, width: number]): ImageSize {
  return { width, height };
}

/** `value = pixel * factor + shift` of each channel. */
interface ChannelScale {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

function checkedScales({ mean = [0], std = [1], wanted }: ImageDataRequest, { channels }: ImageLayout): ChannelScale {
  for (const [name, values] of Object.entries({ mean, std })) {
    if (
      (values.length === 1 || values.length === channels) &&
      values.every((value) => Number.isFinite(value) && (name === "mean" || value > 0))
    )
      continue;
    const kind = name === "mean" ? "finite" : "positive";
    throw new CurvatureError(
      "argument",
      `expected ${name} as one ${kind} number or ${channels}, one a channel, got ${values.join(", ") || "none"}`,
    );
  }
  const isFloat = wanted.dtype.startsWith("float");
  if (!isFloat && (mean.some((value) => value !== 0) || std.some((value) => value !== 1))) {
    throw new CurvatureError("argument", `mean and std are for inputs of floats; the model takes ${wanted.dtype}`);
  }
  const each = (values: readonly number[]) =>
    Array.from({ length: channels }, (_, channel) => values[values.length === 1 ? 0 : channel]!);
  return { mean: each(mean), std: each(std) };
}

interface Writing extends Omit<ImageDataRequest, "layout"> {
  readonly layout: ImageLayout;
  readonly channelScale: ChannelScale;
  /** Batches that were made, by their first and last image; absent where they are not kept. */
  readonly kept?: Map<string, Promise<Tensor>>;
}

interface Pass {
  readonly first: number;
  readonly last: number;
  readonly targets: Tensor | undefined;
  readonly batchSize: number;
  readonly signal: AbortSignal | undefined;
}

/** The batches, each begun when the one before is handed on. */
async function* prefetched(write: Writing, pass: Pass): AsyncGenerator<Batch> {
  const { first, last, targets, batchSize, signal } = pass;
  const start = (from: number) => {
    const batch = from < last ? batchOf(write, { from, to: Math.min(from + batchSize, last), signal }) : undefined;
    // A pass that ends early leaves this promise, whose failure then concerns nobody.
    batch?.catch(() => {});
    return batch;
  };
  let next = start(first);
  for (let from = first; from < last; from += batchSize) {
    throwIfAborted(signal);
    const pixels = await next!;
    next = start(from + batchSize);
    const [begin, rows] = [from - first, pixels.dims[0]!];
    yield {
      start: begin,
      rows,
      inputs: { [write.input]: pixels },
      ...(targets && { targets: sliceTensor(targets, begin, begin + rows) }),
    };
  }
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (!signal?.aborted) return;
  throw new CurvatureError("aborted", "the pass over the data was stopped by the caller's signal", {
    cause: signal.reason,
  });
}

interface BatchRange {
  readonly from: number;
  readonly to: number;
  readonly signal: AbortSignal | undefined;
}

/** The numbers of a batch, kept if all may be. */
function batchOf(write: Writing, range: BatchRange): Promise<Tensor> {
  const { kept } = write;
  const key = `${range.from}:${range.to}`;
  const known = kept?.get(key);
  if (known !== undefined) return known;
  // A batch that is kept is made to its end: another pass may wait for it.
  const made = pixelsOf(write, kept === undefined ? range : { ...range, signal: undefined });
  kept?.set(key, made);
  made.catch(() => kept?.delete(key));
  return made;
}

async function pixelsOf(write: Writing, { from, to, signal }: BatchRange): Promise<Tensor> {
  const { layout, wanted } = write;
  const size = sizeOf(layout.dims);
  const data = newArray(wanted.dtype, (to - from) * size);
  let next = from;
  let failure: { readonly index: number; readonly error: unknown } | undefined;
  const worker = async () => {
    for (let index = next++; index < to && !signal?.aborted; index = next++) {
      try {
        const { image } = await loaded(write, index);
        writePixels(image, { write, index, into: data, at: (index - from) * size });
      } catch (error) {
        // The first image that fails is named, whichever fails first.
        if (failure === undefined || index < failure.index) failure = { index, error };
        next = to;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, to - from) }, worker));
  if (failure !== undefined) throw failure.error;
  throwIfAborted(signal);
  return { data, dims: [to - from, ...layout.dims], dtype: wanted.dtype };
}

type Numbers = Float32Array | Float64Array | Uint8Array | Int32Array | Int16Array | Uint16Array | Uint32Array;

function newArray(dtype: Dtype, length: number): Numbers {
  if (
    dtype === "string" ||
    dtype === "float16" ||
    dtype === "int64" ||
    dtype === "uint64" ||
    dtype === "int8" ||
    dtype === "bool"
  ) {
    throw new CurvatureError("unsupported", `images enter a model as floats or uint8; it takes ${dtype}`);
  }
  return new arrayTypes[dtype](length);
}

function writePixels(
  given: Image,
  {
    write,
    index,
    into,
    at,
  }: { readonly write: Writing; readonly index: number; readonly into: Numbers; readonly at: number },
): void {
  const { layout, channelScale, wanted, files, input, scale } = write;
  const { width, height, channels, data } = withChannels(given, layout.channels);
  const pixels = width * height;
  if (pixels * channels !== sizeOf(layout.dims) || !fits({ width, height }, layout)) {
    const where = `${files.name}: ${files.names[index]}`;
    imageLayout({
      dims: [null, ...layout.dims],
      input,
      size: given,
      stored: given.channels,
      layout: layout.layout,
      where,
    });
  }
  const divisor = wanted.dtype.startsWith("float") ? scale : 1;
  for (let channel = 0; channel < channels; channel++) {
    const [mean, std] = [channelScale.mean[channel]!, channelScale.std[channel]!];
    const values = Float64Array.from({ length: 256 }, (_, value) => (value / divisor - mean) / std);
    const [first, step] = layout.layout === "NCHW" ? [at + channel * pixels, 1] : [at + channel, channels];
    for (let pixel = 0; pixel < pixels; pixel++)
      into[first + pixel * step] = values[data[pixel * channels + channel]!]!;
  }
}

/** Whether a size is that of the rows; rows of one axis have any. */
function fits({ width, height }: ImageSize, { dims, layout }: ImageLayout): boolean {
  if (dims.length === 1) return true;
  const [rows, columns] = dims.length === 2 ? dims : layout === "NCHW" ? dims.slice(1) : dims;
  return rows === height && columns === width;
}
