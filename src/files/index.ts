export { shownAddress } from "./address.ts";
export { compressionOf } from "./compressionOf.ts";
export { fetchBytes } from "./fetchBytes.ts";
export { gunzip, isGzip } from "./gunzip.ts";
export type { RangeFile } from "./rangeFile.ts";
export { readLimits } from "./readLimits.ts";
export {
  type ByteRange,
  checkSize,
  formatBytes,
  type ReadLimits,
  type ReadOptions,
  throwIfAborted,
  tooLarge,
} from "./readOptions.ts";
export { isZip, type ZipEntry, zipContents, zipEntries } from "./zip.ts";
export { zipDirectory, zipMember, zipRanges } from "./zipRanges.ts";
