const bits = new Uint32Array(1);
const float = new Float32Array(bits.buffer);

/** float16 patterns (IEEE 754 binary16: 1 sign, 5 exponent, 10 fraction bits) as float32, exactly. */
export function decodeFloat16(patterns: Uint16Array): Float32Array<ArrayBuffer> {
  const values = new Float32Array(patterns.length);
  for (let i = 0; i < patterns.length; i++) {
    const pattern = patterns[i];
    const sign = pattern & 0x8000 ? -1 : 1;
    const exponent = (pattern >> 10) & 0x1f;
    const fraction = pattern & 0x3ff;
    if (exponent === 0) values[i] = sign * fraction * 2 ** -24;
    else if (exponent === 31) values[i] = fraction === 0 ? sign * Infinity : Number.NaN;
    else values[i] = sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }
  return values;
}

/** float16 patterns of float32 numbers, rounded to nearest, ties to even; infinity beyond 65504 + half a step. */
export function encodeFloat16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const patterns = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    float[0] = values[i];
    const sign = (bits[0] >>> 16) & 0x8000;
    const size = Math.abs(float[0]);
    if (Number.isNaN(size)) patterns[i] = 0x7e00;
    else if (size < 2 ** -14) patterns[i] = sign | roundHalfEven(size * 2 ** 24);
    else patterns[i] = sign | Math.min(roundNormal(bits[0] & 0x7fffffff, 13) - (112 << 10), 0x7c00);
  }
  return patterns;
}

/** bfloat16 patterns (the upper half of a float32) as float32, exactly. */
export function decodeBfloat16(patterns: Uint16Array): Float32Array<ArrayBuffer> {
  const words = new Uint32Array(patterns.length);
  for (let i = 0; i < patterns.length; i++) words[i] = patterns[i] << 16;
  return new Float32Array(words.buffer);
}

/** bfloat16 patterns of float32 numbers, rounded to nearest, ties to even. */
export function encodeBfloat16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const patterns = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    float[0] = values[i];
    patterns[i] = Number.isNaN(float[0]) ? 0x7fc0 : roundNormal(bits[0], 16);
  }
  return patterns;
}

/** A pattern without its lowest `dropped` bits, rounded half to even; a carry correctly increments the exponent. */
function roundNormal(pattern: number, dropped: number): number {
  const kept = pattern >>> dropped;
  const rest = pattern & ((1 << dropped) - 1);
  const half = 1 << (dropped - 1);
  return rest > half || (rest === half && (kept & 1) === 1) ? kept + 1 : kept;
}

function roundHalfEven(value: number): number {
  const down = Math.floor(value);
  const rest = value - down;
  return rest > 0.5 || (rest === 0.5 && down % 2 === 1) ? down + 1 : down;
}
