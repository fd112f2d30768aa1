// FNV-1a (Fowler, Noll and Vo, 1991) with 32 bits, twice with other starts, so that 52 bits fit into a float64.

const PRIME = 0x01000193;

/** A hash that grows by arrays and texts. */
export interface Hash {
  /** Adds the bytes of an array, or the characters of a text. */
  add(part: ArrayBufferView | string): Hash;
  /** The hash so far, a whole number below 2^52. */
  value(): number;
}

/** Starts a hash. */
export function hash(): Hash {
  let [low, high] = [0x811c9dc5, 0x01234567];
  const step = (word: number) => {
    low = Math.imul(low ^ word, PRIME);
    high = Math.imul(high ^ word, PRIME) + (low >>> 15);
  };
  const own: Hash = {
    add(part) {
      if (typeof part === "string") {
        step(part.length);
        for (let i = 0; i < part.length; i++) step(part.charCodeAt(i));
        return own;
      }
      const { buffer, byteOffset, byteLength } = part;
      step(byteLength);
      const words = byteOffset % 4 === 0 ? new Uint32Array(buffer, byteOffset, byteLength >> 2) : new Uint32Array(0);
      for (let i = 0; i < words.length; i++) step(words[i]!);
      const rest = new Uint8Array(buffer, byteOffset + words.byteLength, byteLength - words.byteLength);
      for (let i = 0; i < rest.length; i++) step(rest[i]!);
      return own;
    },
    value: () => (high & 0xfffff) * 2 ** 32 + (low >>> 0),
  };
  return own;
}

/** Hash of a text. */
export function textHash(text: string): number {
  return hash().add(text).value();
}
