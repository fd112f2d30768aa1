import type { RangeFile } from "./rangeFile.ts";
import {
  damagedZip,
  directoryStart,
  LOCAL_HEADER_BYTES,
  localBytes,
  MOST_DIRECTORY_END,
  type ZipEntry,
  zipContents,
  zipEntries,
} from "./zip.ts";

/**
 * The files of a zip archive of which ranges are read: its end and its directory.
 *
 * @throws CurvatureError as `zipEntries`
 */
export async function zipDirectory(file: RangeFile): Promise<readonly ZipEntry[]> {
  const { name, size } = file;
  const base = Math.max(0, size - MOST_DIRECTORY_END);
  const end = await file.range(base, size - base);
  const start = directoryStart(end, { archive: name, base });
  if (start >= base) return zipEntries(end, { archive: name, base });
  return zipEntries(await file.range(start, size - start), { archive: name, base: start });
}

/**
 * Contents of a file of an archive, of which nothing else is read.
 *
 * @throws CurvatureError as `zipContents`
 */
export async function zipMember(
  file: RangeFile,
  { entry, memoryLimit }: { readonly entry: ZipEntry; readonly memoryLimit: number },
): Promise<Uint8Array> {
  const head = await localHeader(file, entry);
  const bytes = await file.range(entry.offset, head + entry.compressedSize);
  return zipContents(bytes, { entry: { ...entry, offset: 0 }, archive: file.name, memoryLimit });
}

/** A file that an archive stores without compression, as a file of which ranges are read. Its checksum is not verified. */
export async function zipRanges(file: RangeFile, entry: ZipEntry): Promise<RangeFile> {
  const start = entry.offset + (await localHeader(file, entry));
  const { size } = entry;
  return {
    name: `${file.name}:${entry.name}`,
    size,
    range: (offset, length) => file.range(start + offset, Math.max(0, Math.min(length, size - offset))),
  };
}

/** Bytes of the header before the contents of a file. */
async function localHeader(file: RangeFile, entry: ZipEntry): Promise<number> {
  const head = await file.range(entry.offset, LOCAL_HEADER_BYTES);
  if (head.length < LOCAL_HEADER_BYTES) throw damagedZip(file.name, new RangeError());
  return localBytes(head);
}
