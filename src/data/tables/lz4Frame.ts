/**
 * Contents of an LZ4 frame (LZ4 frame format 1.6.4, LZ4 block format), the form in which Arrow stores buffers. Blocks may refer to those before
 * them, which the decoders on npm for single blocks do not follow.
 *
 * @throws Error for damage
 */
export function decompressLz4(frame: Uint8Array, size: number): Uint8Array {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (view.getUint32(0, true) !== 0x184d2204) throw new Error("it has no LZ4 frame");
  const flags = frame[4]!;
  // Magic number, flags, block size; content size and dictionary where announced; header checksum.
  let at = 6 + (flags & 8 ? 8 : 0) + (flags & 1 ? 4 : 0) + 1;
  const output = new Uint8Array(size);
  let length = 0;
  for (let word = view.getUint32(at, true); word !== 0; word = view.getUint32(at, true)) {
    const end = at + 4 + (word & 0x7fffffff);
    if (end > frame.length) throw new Error("an LZ4 block is cut short");
    const block = frame.subarray(at + 4, end);
    if (word >>> 31) output.set(block, length);
    length = word >>> 31 ? length + block.length : decodedBlock(block, { output, length });
    at = end + (flags & 16 ? 4 : 0);
  }
  if (length !== size) throw new Error(`an LZ4 frame has ${length} bytes instead of ${size}`);
  return output;
}

/** Sequences of literals and a match: offset back and length, both of which may be extended by bytes of 255. Returns the new length. */
function decodedBlock(
  block: Uint8Array,
  { output, length }: { readonly output: Uint8Array; readonly length: number },
): number {
  let [at, to] = [0, length];
  const extended = (short: number) => {
    let total = short;
    if (short === 15) for (let more = 255; more === 255; total += more) more = block[at++] ?? 0;
    return total;
  };
  while (at < block.length) {
    const token = block[at++]!;
    const literals = extended(token >> 4);
    output.set(block.subarray(at, at + literals), to);
    at += literals;
    to += literals;
    if (at >= block.length) break; // the last sequence has no match
    const offset = block[at]! | (block[at + 1]! << 8);
    at += 2;
    if (offset === 0 || offset > to) throw new Error("an LZ4 match lies before the beginning");
    // Byte by byte: a match may overlap what it writes.
    for (let rest = extended(token & 15) + 4; rest > 0; rest--, to++) output[to] = output[to - offset]!;
  }
  return to;
}
