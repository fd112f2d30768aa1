import { folderOf } from "#files";
import { CurvatureError } from "../errors/index.ts";
import { isZip, type RangeFile } from "../files/index.ts";
import type { Tensor } from "../tensors/index.ts";
import { checkedScale } from "./checkedScale.ts";
import { convertTargets } from "./convertTargets.ts";
import type { Data } from "./data.ts";
import { type DataRequest, describeRange, onlyInput, withoutTargets } from "./dataRequest.ts";
import { imageData } from "./images/imageData.ts";
import { folderImages, type ImageFiles, zipImages } from "./images/imageFiles.ts";
import { imageList, openList } from "./images/imageList.ts";
import { loadTargets } from "./loadTargets.ts";
import { type ArrayFormat, formatOf, splitMember } from "./loadTensor.ts";
import { type Contents, readSource, type Source } from "./readSource.ts";
import { isArrayFile } from "./streamArray.ts";
import { rangeFile, regularFile } from "./streamSource.ts";
import { openTableStream, tableFormat } from "./tables/openTable.ts";

/** Images, and the targets that belong to them in the same source. */
export interface OpenedImages {
  readonly files: ImageFiles;
  readonly targets?: Tensor;
  readonly classes?: readonly string[];
}

/** The images of `data`, or its contents if it has none; neither where it was not read. */
export async function openImages(
  options: DataRequest,
): Promise<{ readonly images?: OpenedImages; readonly contents?: Contents }> {
  const { data, stream } = options;
  if (data === undefined || splitMember(data).member !== undefined) return {};
  const folder = await folderImages(data, options);
  if (folder !== undefined) return { images: folderTargets(folder, options) };
  const file = await regularFile(data);
  const archive = file && (await archiveImages(file, options));
  if (archive !== undefined) return { images: folderTargets(archive, options) };
  if (stream) {
    // A list of images is held, its images are not.
    if (file === undefined || !(await isStreamedList(file, options))) return {};
  }
  const contents = await readSource(data, options);
  const { bytes, name } = contents;
  // An address or a pipe, whose contents are known only now.
  const held = file === undefined ? await archiveImages(await rangeFile(bytes, name), options) : undefined;
  if (held !== undefined) return { images: folderTargets(held, options) };
  const list = isListFormat(formatOf(contents)) && (await listOf(contents, { data, options }));
  return list ? { images: list } : { contents };
}

async function archiveImages(file: RangeFile, options: DataRequest): Promise<ImageFiles | undefined> {
  return isZip(await file.range(0, 4)) ? zipImages(file, options) : undefined;
}

async function isStreamedList(file: RangeFile, options: DataRequest): Promise<boolean> {
  const head = await file.range(0, 4096);
  if (isArrayFile(head) || isZip(head) || !isListFormat(tableFormat(head, file.name))) return false;
  return (await openList(options, (read) => openTableStream(file, read))) !== undefined;
}

function isListFormat(format: ArrayFormat): boolean {
  return format === "csv" || format === "jsonl";
}

/** A table of paths and targets. One with further columns is taken for such a list only if the targets are named. */
async function listOf(
  contents: Contents,
  { data, options }: { readonly data: Source; readonly options: DataRequest },
): Promise<OpenedImages | undefined> {
  const { label, targetType, classes, signal, drop, columns, targets, memoryLimit, timeout } = options;
  if (drop !== undefined || columns !== undefined) return undefined;
  const own = targets === undefined ? label : false;
  const request = {
    folder: typeof data === "string" && data !== "-" ? folderOf(data) : ".",
    reading: {
      ...(memoryLimit !== undefined && { memoryLimit }),
      ...(timeout !== undefined && { timeout }),
      ...(signal && { signal }),
    },
    ...(own !== undefined && { label: own }),
    ...(targetType && { targetType }),
    ...(classes && { classes }),
    ...(signal && { signal }),
  };
  return imageList(contents, { options, request });
}

/** The labels of the folders, in the order of the names that are asked for. */
function folderTargets(files: ImageFiles, { label, classes, targets }: DataRequest): OpenedImages {
  if (label !== undefined && label !== false) {
    throw new CurvatureError(
      "argument",
      `${files.name}: expected no label column, since the classes of images are their folders; give other targets as a file (--targets)`,
    );
  }
  const { names, labels } = files;
  if (files.classes === undefined || labels === undefined || targets !== undefined || label === false) return { files };
  const order = classes ?? files.classes;
  const unknown = files.classes.find((name) => !order.includes(name));
  if (unknown !== undefined) {
    throw new CurvatureError(
      "data",
      `${files.name}: expected folders among the classes ${order.join(", ")}, got ${unknown}/`,
    );
  }
  const data = Int32Array.from(labels, (own) => order.indexOf(files.classes![own]!));
  return { files, targets: { data, dims: [names.length] }, classes: order };
}

/** Data set of images, with targets from the same source or from a file of their own. */
export async function loadImages({ files, ...own }: OpenedImages, options: DataRequest): Promise<Data> {
  const { wanted, label, rows, batchSize, targetType, resize, crop, mean, std, layout } = options;
  const { rows: _, ...allRows } = options;
  const loaded = options.targets === undefined ? undefined : await loadTargets(options.targets, allRows);
  const given = loaded?.targets ?? (own.targets && { name: files.name, tensor: own.targets });
  if (given === undefined && label !== false) throw withoutTargets(options, [files.name]);
  if (given !== undefined && given.tensor.dims[0] !== files.names.length) {
    throw new CurvatureError(
      "data",
      `${files.name} has ${files.names.length} images but ${given.name} has ${given.tensor.dims[0]} rows; expected one entry an image, in the order of their paths`,
    );
  }
  const input = onlyInput(options);
  const names = [files.name, ...(loaded?.targets ? [loaded.targets.name] : [])].join(" + ");
  const left = files.others === 0 ? "" : `; ${files.others} other ${files.others === 1 ? "file" : "files"} left out`;
  return imageData({
    files,
    targets: given && convertTargets(given, { targetType, start: 0 }),
    classes: loaded === undefined ? own.classes : loaded.classes,
    input,
    wanted: wanted[input]!,
    scale: checkedScale(options.scale),
    rows,
    batchSize,
    description: names + describeRange(options) + left,
    ...(resize !== undefined && { resize }),
    ...(crop !== undefined && { crop }),
    ...(mean && { mean }),
    ...(std && { std }),
    ...(layout && { layout }),
  });
}

/** Checks that options of images are given with images only. */
export function checkNoImages(options: DataRequest): void {
  const given = (["resize", "crop", "mean", "std", "layout"] as const).find((name) => options[name] !== undefined);
  if (given === undefined) return;
  throw new CurvatureError(
    "argument",
    `expected ${given} (--${given}) with images: a folder, a zip archive or a list of PNG or JPEG files; other data are scaled by scale (--scale)`,
  );
}
