import { listFolder, pathIn } from "#files";
import { CurvatureError } from "../../errors/index.ts";
import { type RangeFile, type ReadOptions, readLimits, zipDirectory, zipMember } from "../../files/index.ts";
import { readSource, type Source, sourceName } from "../readSource.ts";
import { isImageName } from "./image.ts";

/** A set of images, in a fixed order. */
export interface ImageFiles {
  readonly name: string;
  /** Names of the images, for messages; in a folder or an archive, their paths in it. */
  readonly names: readonly string[];
  /** Names of the classes in the order of their labels, and the label of each image; absent if there are no folders of classes. */
  readonly classes?: readonly string[];
  readonly labels?: readonly number[];
  /** Number of files of other kinds, which are left out. */
  readonly others: number;
  /** The bytes of an image. */
  read(index: number): Promise<Uint8Array>;
}

/** The images of a folder; undefined if the source is not the path of a folder. */
export async function folderImages(source: Source, options: ReadOptions): Promise<ImageFiles | undefined> {
  const path = source instanceof URL && source.protocol === "file:" ? decodeURIComponent(source.pathname) : source;
  if (typeof path !== "string" || path === "-" || /^[a-z][a-z\d+.-]+:/.test(path)) return undefined;
  const found = await listFolder(path).catch(() => undefined);
  if (found === undefined) return undefined;
  const read = (name: string) => readFile(pathIn(path, name), options);
  return filesOf(found, { name: `${sourceName(path.replace(/[\\/]+$/, ""))}/`, read });
}

/** The images of a zip archive, of which each is read where it lies; undefined if the archive has none. */
export async function zipImages(file: RangeFile, options: ReadOptions): Promise<ImageFiles | undefined> {
  const { name } = file;
  const { memoryLimit } = readLimits(options);
  const entries = new Map((await zipDirectory(file)).map((entry) => [entry.name, entry]));
  if (![...entries.keys()].some(isImageName)) return undefined;
  const visible = [...entries.keys()].filter((entry) => !entry.startsWith("__MACOSX/")).sort();
  const root = commonFolder(visible);
  const read = (entry: string) => zipMember(file, { entry: entries.get(root + entry)!, memoryLimit });
  return filesOf(
    visible.map((entry) => entry.slice(root.length)).filter((entry) => entry !== ""),
    { name, read },
  );
}

/** The images of a list of paths, which are relative to the list's folder. */
export function listedImages(
  paths: readonly string[],
  { name, folder, options }: { readonly name: string; readonly folder: string; readonly options: ReadOptions },
): ImageFiles {
  return { name, names: paths, others: 0, read: (index) => readFile(pathIn(folder, paths[index]!), options) };
}

/** Image files are read through the descriptors of files, not those of tables: an image is never taken for text. */
async function readFile(path: string, options: ReadOptions): Promise<Uint8Array> {
  return (await readSource(path, options)).bytes;
}

/** The folder that holds all files, unless these lie in it directly: archives are often made of one folder. */
function commonFolder(names: readonly string[]): string {
  const first = /^[^/]+\//.exec(names[0] ?? "")?.[0];
  if (first === undefined || !names.every((name) => name.startsWith(first))) return "";
  const inside = names.map((name) => name.slice(first.length));
  const nested = inside.filter(isImageName).every((name) => name.includes("/"));
  return nested ? first + commonFolder(inside.filter((name) => name !== "")) : "";
}

function filesOf(
  found: readonly string[],
  { name, read }: { readonly name: string; readonly read: (path: string) => Promise<Uint8Array> },
): ImageFiles {
  const files = found.filter((path) => !path.endsWith("/") && !/(^|\/)[.]/.test(path));
  const images = files.filter(isImageName);
  if (images.length === 0)
    throw new CurvatureError("data", `${name}: expected PNG or JPEG images, got none in ${files.length} files`);
  const classOf = (path: string) => (path.includes("/") ? path.slice(0, path.indexOf("/")) : undefined);
  const loose = images.find((path) => classOf(path) === undefined);
  const others = files.length - images.length;
  if (loose !== undefined) {
    const inClass = images.find((path) => classOf(path) !== undefined);
    if (inClass !== undefined) {
      throw new CurvatureError(
        "data",
        `${name}: expected every image in the folder of its class, got ${loose} beside ${inClass}`,
      );
    }
    return { name, names: images, others, read: (index) => read(images[index]!) };
  }
  const folders = found.flatMap((path) => (/^[^/.][^/]*\/$/.test(path) ? [path.slice(0, -1)] : []));
  const classes = [...new Set([...folders, ...images.map((path) => classOf(path)!)])].sort();
  const empty = classes.find((one) => !images.some((path) => classOf(path) === one));
  if (empty !== undefined) {
    throw new CurvatureError(
      "data",
      `${name}: expected PNG or JPEG images in the folder of each class, got none in ${empty}/; remove it, or it takes a label`,
    );
  }
  const ordered = classes.flatMap((one, label) =>
    images.filter((path) => classOf(path) === one).map((path) => ({ path, label })),
  );
  return {
    name,
    names: ordered.map(({ path }) => path),
    classes,
    labels: ordered.map(({ label }) => label),
    others,
    read: (index) => read(ordered[index]!.path),
  };
}
