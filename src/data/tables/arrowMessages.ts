import { CurvatureError } from "../../errors/index.ts";
import type { RangeFile } from "../../files/index.ts";

/** A message of an Arrow file or stream: its place in the file, and what it holds. */
export interface ArrowMessage {
  readonly kind: "schema" | "dictionary" | "batch";
  readonly offset: number;
  /** Bytes of its header and its body. */
  readonly length: number;
  /** Rows of a record batch. */
  readonly rows: number;
}

/** Kinds by their number in the format (Message.fbs, union MessageHeader). */
const kinds: { readonly [type: number]: ArrowMessage["kind"] } = { 1: "schema", 2: "dictionary", 3: "batch" };

/** Bytes before the first message of the file format: ARROW1 and two zeros. */
const MAGIC_BYTES = 8;
/** Mark that begins a message, and bytes of it and of the length that follows. */
const CONTINUATION = 0xffffffff;
const PREFIX_BYTES = 8;
/** Bytes of the header of a message that are read at once; most are shorter. */
const USUAL_HEADER = 4096;

/**
 * The messages of an Arrow file (Feather version 2) or stream, in their order. Reads their headers only, and steps over the bodies by their
 * lengths (Apache Arrow, Columnar Format, "Encapsulated message format").
 *
 * @throws CurvatureError "file" if a header is cut short or of another kind
 */
export async function arrowMessages({ name, size, range }: RangeFile): Promise<readonly ArrowMessage[]> {
  const messages: ArrowMessage[] = [];
  const start = await range(0, MAGIC_BYTES);
  let offset = start[0] === 0xff ? 0 : MAGIC_BYTES;
  while (offset + PREFIX_BYTES <= size) {
    const head = await range(offset, USUAL_HEADER);
    const prefix = viewOf(head);
    if (prefix.getUint32(0, true) !== CONTINUATION) throw damagedArrow(name, `no message begins at byte ${offset}`);
    const headerLength = prefix.getUint32(4, true);
    if (headerLength === 0) break;
    const end = PREFIX_BYTES + headerLength;
    const header = end <= head.length ? head : await range(offset, end);
    if (header.length < end) throw damagedArrow(name, "it ends within a message");
    const { kind, rows, bodyLength } = decodeHeader(header.subarray(PREFIX_BYTES, end), name);
    const length = end + bodyLength;
    if (!(bodyLength >= 0 && offset + length <= size)) throw damagedArrow(name, "it ends within a message");
    messages.push({ kind, rows, offset, length });
    offset += length;
  }
  if (messages[0]?.kind === "schema") return messages;
  throw damagedArrow(name, "it does not begin with a schema");
}

/** Error for an Arrow file that cannot be read. */
export function damagedArrow(name: string, why: string, cause?: unknown): CurvatureError {
  return new CurvatureError(
    "file",
    `${name}: expected a complete Arrow (Feather) file, got one that cannot be read; copy it again, or write it anew (${why})`,
    { cause },
  );
}

/** Fields of the table Message: 1 type of the header, 2 the header, 3 length of the body. Field 0 of the header RecordBatch: its rows. */
function decodeHeader(bytes: Uint8Array, name: string) {
  try {
    const view = viewOf(bytes);
    const message = view.getUint32(0, true);
    const place = (field: number) => fieldPlace(view, message, field);
    const [typeAt, headerAt, bodyAt] = [place(1), place(2), place(3)];
    const kind = kinds[typeAt === undefined ? 0 : view.getUint8(typeAt)];
    if (kind === undefined || headerAt === undefined) throw new Error("a message is of an unknown kind");
    const rowsAt = kind === "batch" ? fieldPlace(view, headerAt + view.getUint32(headerAt, true), 0) : undefined;
    const long = (at: number | undefined) => (at === undefined ? 0 : Number(view.getBigInt64(at, true)));
    return { kind, rows: long(rowsAt), bodyLength: long(bodyAt) };
  } catch (cause) {
    throw damagedArrow(name, cause instanceof RangeError ? "a header ends too early" : String(cause), cause);
  }
}

/** Position of a field of a table (FlatBuffers, "Internals"); undefined if it has its default. */
function fieldPlace(view: DataView, table: number, field: number): number | undefined {
  const fields = table - view.getInt32(table, true);
  const entry = 4 + 2 * field;
  const at = entry < view.getUint16(fields, true) ? view.getUint16(fields + entry, true) : 0;
  return at === 0 ? undefined : table + at;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
