// @ts-check

/**
 * Uniform numbers in [0, 1), reproducible: mulberry32 by T. Ettinger. Good enough for weights and inputs of a benchmark.
 *
 * @param {number} seed
 * @returns {() => number}
 */
export function uniformNumbers(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * @param {() => number} random
 * @param {number} size
 * @param {number} bound
 * @returns {Float32Array} uniform in [-bound, bound)
 */
export function uniformVector(random, size, bound) {
  const result = new Float32Array(size);
  for (let i = 0; i < size; i++) result[i] = (2 * random() - 1) * bound;
  return result;
}

/**
 * @param {() => number} random
 * @param {number} size
 * @param {number} [deviation]
 * @returns {Float32Array} standard normal numbers times `deviation` (Box and Muller, 1958)
 */
export function normalVector(random, size, deviation = 1) {
  const result = new Float32Array(size);
  for (let i = 0; i < size; i += 2) {
    const radius = deviation * Math.sqrt(-2 * Math.log(1 - random()));
    const angle = 2 * Math.PI * random();
    result[i] = radius * Math.cos(angle);
    if (i + 1 < size) result[i + 1] = radius * Math.sin(angle);
  }
  return result;
}
