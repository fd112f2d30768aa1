import { Gunzip } from "fflate";
import { CurvatureError } from "../errors/index.ts";

/** Whether bytes begin as a gzip file does (RFC 1952). */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/**
 * Contents of a gzip file of one or several members. A file cut short is found by its last four bytes, the length of
 * the last member's contents modulo 2^32.
 *
 * @param name of the file, for messages
 */
export function gunzip(bytes: Uint8Array, name: string): Uint8Array {
  if (bytes.length < 18) throw damaged(name); // header and trailer alone
  const parts: Uint8Array[] = [];
  let memberStart = 0;
  let length = 0;
  try {
    const stream = new Gunzip((part) => {
      parts.push(part);
      length += part.length;
    });
    stream.onmember = () => {
      memberStart = length;
    };
    stream.push(bytes, true);
  } catch (cause) {
    throw damaged(name, cause);
  }
  const trailer = new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 4, 4);
  if (trailer.getUint32(0, true) !== (length - memberStart) % 2 ** 32) throw damaged(name);
  const contents = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    contents.set(part, offset);
    offset += part.length;
  }
  return contents;
}

function damaged(name: string, cause?: unknown): CurvatureError {
  return new CurvatureError(
    "file",
    `${name}: expected a complete gzip file, got one that is truncated or damaged; copy or download it again`,
    { cause },
  );
}
