/** Matches any byte: the fourth byte of bzip2 is its block size. */
const ANY = -1;

/** First bytes of compressed files and archives that this library does not read, and the program that unpacks each. */
const signatures: readonly (readonly [kind: string, remedy: string, bytes: readonly number[]])[] = [
  ["a zip archive", "unpack it first (unzip)", [0x50, 0x4b, 3, 4]],
  ["a gzip archive", "unpack it first (gzip -d)", [0x1f, 0x8b]],
  ["an xz archive", "unpack it first (xz -d)", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]],
  ["a Zstandard archive", "unpack it first (zstd -d)", [0x28, 0xb5, 0x2f, 0xfd]],
  ["a bzip2 archive", "unpack it first (bzip2 -d)", [0x42, 0x5a, 0x68, ANY, 0x31, 0x41, 0x59, 0x26]],
  ["an LZ4 archive", "unpack it first (lz4 -d)", [0x04, 0x22, 0x4d, 0x18]],
  ["a 7z archive", "unpack it first (7z x)", [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c]],
];

/** The compression format with these first bytes, and the remedy, in words; undefined for other bytes. */
export function compressionOf(bytes: Uint8Array): string | undefined {
  const found = signatures.find(([, , signature]) => signature.every((byte, i) => byte === ANY || bytes[i] === byte));
  return found === undefined ? undefined : `${found[0]}; ${found[1]}`;
}
