/** Statistics of the numbers of a tensor. */
export interface Content {
  /** Structure that training does not leave: in words, undefined where there is none. */
  readonly pattern: string | undefined;
  /** Whether that structure is that of a Toeplitz matrix: a number depends on the difference of two positions alone. */
  readonly byDifference: boolean;
  /** Whether it has several numbers that are all the same. */
  readonly repeated: boolean;
  /** Whether it has numbers that are there to mask: infinite, or beyond any weight. */
  readonly masking: boolean;
  /** Whether it is nonnegative and sums to one along an axis, as the result of a softmax does. */
  readonly probabilities: boolean;
  /** Whether some but not all of its numbers are exactly zero, in more than single places. */
  readonly sparse: boolean;
  /** Whether it has many numbers, all of them multiples of 1/64, as hand-written filters have. */
  readonly coarse: boolean;
  /** Whether it is a single number that people write: an integer, a short decimal, a root of an integer, a tiny epsilon. */
  readonly written: boolean;
}

type Data = Float32Array | Float64Array;

/** Magnitude from which on a number that is added or multiplied is there to mask. */
const MASKING = 1e4;

/** Relative difference that float32 leaves in a table that was computed. */
const ROUNDING = 2e-5;

/** The same for sines and cosines, whose angles were rounded as well. */
const TABLE_ROUNDING = 1e-3;

/** Fewest numbers along an axis that show a rule. */
const FEWEST = 5;

/** Fewest numbers that are not all round by chance. */
const MANY = 9;

/** Statistics of the numbers of a tensor, in a few passes over them. */
export function contentOf({ data, dims }: { readonly data: Data; readonly dims: readonly number[] }): Content {
  const byDifference = dependsOnDifference(data, dims);
  const repeated = data.length > 1 && data.every((x) => x === data[0]);
  return {
    repeated,
    byDifference,
    masking: data.some((x) => !(Math.abs(x) < MASKING)),
    pattern: repeated || data.length === 1 ? undefined : patternOf(data, dims, byDifference),
    probabilities: data.length > 1 && dims.some((_, axis) => sumsToOne(data, dims, axis)),
    sparse: isSparse(data),
    coarse: data.length >= MANY && data.every((x) => Math.abs(x) <= 1024 && Number.isInteger(64 * x)),
    written: data.length === 1 && isWritten(data[0]),
  };
}

function patternOf(data: Data, dims: readonly number[], byDifference: boolean): string | undefined {
  if (data.length >= 4 && data.every((x) => x === 0 || x === 1))
    return "zeros and ones alone, as masks and identities have";
  if (byDifference) return "numbers that depend on the difference of two positions alone";
  const axis = dims.findIndex((_, i) => followsRecurrence(data, dims, i));
  if (axis >= 0) return "a sequence by a rule (equal steps, powers, sines and cosines)";
  return undefined;
}

/** Whether the last two axes are alike and a number depends on the difference of their indices alone (a Toeplitz matrix). */
function dependsOnDifference(data: Data, dims: readonly number[]): boolean {
  const [rows, columns] = dims.slice(-2);
  if (dims.length < 2 || rows !== columns || rows < 3) return false;
  for (let start = 0; start < data.length; start += rows * columns) {
    for (let i = 1; i < rows; i++) {
      for (let j = 1; j < columns; j++) {
        const own = data[start + i * columns + j];
        if (own !== data[start + (i - 1) * columns + j - 1]) return false;
      }
    }
  }
  return true;
}

/** Whether each line along an axis has equal steps, equal ratios, the values of a sine, or the coordinates of a grid. */
function followsRecurrence(data: Data, dims: readonly number[], axis: number): boolean {
  const length = dims[axis];
  if (length < FEWEST) return false;
  const stride = dims.slice(axis + 1).reduce((product, dim) => product * dim, 1);
  for (let line = 0; line < data.length / length; line++) {
    const start = Math.floor(line / stride) * stride * length + (line % stride);
    const at = (i: number) => data[start + i * stride];
    if (!isSequence(at, length)) return false;
  }
  return true;
}

function isSequence(at: (i: number) => number, length: number): boolean {
  return isArithmetic(at, length) || isGeometric(at, length) || isSinusoid(at, length) || isGrid(at, length);
}

/** Coordinates of a grid, row after row: arithmetic along both axes, of lengths that the sequence does not say. */
function isGrid(at: (i: number) => number, length: number): boolean {
  for (let columns = FEWEST; columns * FEWEST <= length; columns++) {
    if (length % columns !== 0) continue;
    const rows = length / columns;
    const inRows = Array.from({ length: rows }, (_, row) => isArithmetic((i) => at(row * columns + i), columns));
    const inColumns = () => Array.from({ length: columns }, (_, c) => isArithmetic((i) => at(i * columns + c), rows));
    if (inRows.every(Boolean) && inColumns().every(Boolean)) return true;
  }
  return false;
}

function isArithmetic(at: (i: number) => number, length: number): boolean {
  const step = (at(length - 1) - at(0)) / (length - 1);
  const scale = Math.max(Math.abs(at(0)), Math.abs(at(length - 1)));
  for (let i = 1; i < length; i++) if (!(Math.abs(at(i) - at(0) - i * step) <= ROUNDING * scale)) return false;
  return true;
}

function isGeometric(at: (i: number) => number, length: number): boolean {
  const ratio = (at(length - 1) / at(0)) ** (1 / (length - 1));
  if (!(ratio > 0)) return false;
  for (let i = 1; i < length; i++) {
    const expected = at(0) * ratio ** i;
    if (!(Math.abs(at(i) - expected) <= ROUNDING * length * Math.abs(expected))) return false;
  }
  return true;
}

/** x[i+1] + x[i-1] = 2 cos(angle) x[i], with the cosine by least squares. */
function isSinusoid(at: (i: number) => number, length: number): boolean {
  let product = 0;
  let square = 0;
  let largest = 0;
  for (let i = 1; i < length - 1; i++) {
    product += at(i) * (at(i - 1) + at(i + 1));
    square += at(i) ** 2;
    largest = Math.max(largest, Math.abs(at(i)), Math.abs(at(i - 1)), Math.abs(at(i + 1)));
  }
  const factor = square === 0 ? 0 : product / square;
  if (!(Math.abs(factor) <= 2 + ROUNDING)) return false;
  for (let i = 1; i < length - 1; i++) {
    if (!(Math.abs(at(i - 1) + at(i + 1) - factor * at(i)) <= TABLE_ROUNDING * largest)) return false;
  }
  return true;
}

function sumsToOne(data: Data, dims: readonly number[], axis: number): boolean {
  const length = dims[axis];
  if (length < 2) return false;
  const stride = dims.slice(axis + 1).reduce((product, dim) => product * dim, 1);
  for (let line = 0; line < data.length / length; line++) {
    const start = Math.floor(line / stride) * stride * length + (line % stride);
    let sum = 0;
    for (let i = 0; i < length; i++) {
      const x = data[start + i * stride];
      if (!(x >= 0)) return false;
      sum += x;
    }
    if (!(Math.abs(sum - 1) <= ROUNDING)) return false;
  }
  return true;
}

/** At least a tenth of the numbers, and two of them, are exactly zero. */
function isSparse(data: Data): boolean {
  let zeros = 0;
  for (const x of data) if (x === 0) zeros++;
  return zeros >= Math.max(2, data.length / 10) && zeros < data.length;
}

/** Decimals that people write for factors and thresholds. */
const DECIMALS = 1e4;

function isWritten(x: number): boolean {
  if (!Number.isFinite(x) || Math.abs(x) <= 1e-3) return true;
  const close = (value: number) => Math.abs(value - Math.round(value)) <= 1e-6 * Math.max(1, Math.abs(value));
  const known = [Math.sqrt(2 / Math.PI), 0.044715, Math.PI, 2 * Math.PI, Math.LN2, Math.LN10, Math.log(2 * Math.PI)];
  if (known.some((value) => Math.abs(Math.abs(x) - value) <= 1e-6 * value)) return true;
  return (
    Math.abs(x * DECIMALS - Math.round(x * DECIMALS)) <= 1e-3 || close(x * x) || close(1 / x) || close(1 / (x * x))
  );
}
