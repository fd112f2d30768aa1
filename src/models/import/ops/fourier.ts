import { constant, integers, normalizeAxis, type Value } from "../../../graph/index.ts";
import {
  add,
  concat,
  gather,
  matmul,
  moveAxis,
  mul,
  neg,
  pad,
  reshape,
  scale,
  slice,
  sub,
  swapLastAxes,
} from "../../../primitives/index.ts";
import { type ImportedNode, int, knownNumbers, operand, unsupported } from "./importedNode.ts";

/** Signals along the last axis; without an imaginary part they are real. */
interface Signal {
  readonly real: Value;
  readonly imaginary?: Value | undefined;
}

/** Length up to which a transform is one product with its matrix. */
const DIRECT = 64;

/** Largest prime factor of a length; its matrix is the largest that is stored. */
const LARGEST_FACTOR = 4096;

/**
 * Discrete Fourier transform sum_n x_n e^(-2 pi i n k / N) along an axis, of real (last axis 1) or complex signals (2), zero-padded or
 * cut to N; inverse with 1 / N; onesided, the first N / 2 + 1 frequencies of a real signal alone, or the signal from these. Linear, by products with matrices of the prime factors of N.
 */
export function DFT(node: ImportedNode): Value {
  const x = operand(node, 0);
  const given = node.opset < 20 ? int(node, "axis", 1) : (knownNumbers(node, 2)?.[0] ?? -2);
  const axis = normalizeAxis("DFT", given, x.shape.length);
  const inverse = int(node, "inverse", 0) !== 0;
  const onesided = int(node, "onesided", 0) !== 0;
  const last = x.shape.length - 1;
  const usual = inverse && onesided ? 2 * (x.shape[axis] - 1) : x.shape[axis];
  const length = knownNumbers(node, 1)?.[0] ?? usual;
  checkLength(node, length);
  const spectra = parts(x).map((part) => moveAxis(part, axis, last - 1));
  if (inverse && onesided) {
    const { real: signal } = transform(wholeSpectrum(spectra, length), { length, inverse });
    const placed = moveAxis(signal, last - 1, axis);
    return reshape(placed, [...placed.shape, 1]);
  }
  const [real, imaginary] = spectra.map((part) => resized(part, length));
  const transformed = transform({ real, imaginary }, { length, inverse });
  const bins = onesided ? Math.floor(length / 2) + 1 : length;
  return joined(first(transformed, bins), (part) => moveAxis(part, last - 1, axis));
}

/**
 * Short-time Fourier transform of real signals: the DFT of frames that begin every so many samples, each times a window if there is
 * one; the first half of the frequencies or all.
 */
export function STFT(node: ImportedNode): Value {
  const x = operand(node, 0);
  const step = knownNumbers(node, 1)?.[0] ?? 1;
  const window = node.inputs[2];
  const length = knownNumbers(node, 3)?.[0] ?? window?.shape[0];
  if (length === undefined) throw unsupported(node, "has neither a window nor a length of frames");
  checkLength(node, length);
  const [rows, samples, components = 1] = x.shape;
  // ONNX Runtime gives other numbers for these than the standard's definition.
  if (components === 2) throw unsupported(node, "transforms complex signals");
  const frames = Math.floor((samples - length) / step) + 1;
  if (frames < 1) throw unsupported(node, `takes frames of ${length} out of ${samples} samples`);
  const places = Array.from({ length: frames * length }, (_, i) => Math.floor(i / length) * step + (i % length));
  const cut = reshape(gather(reshape(x, [rows, samples]), integers(places), 1), [rows, frames, length]);
  const real = window === undefined ? cut : mul(cut, window);
  const transformed = transform({ real }, { length, inverse: false });
  const bins = int(node, "onesided", 1) !== 0 ? Math.floor(length / 2) + 1 : length;
  return joined(first(transformed, bins), (part) => part);
}

/** Real and perhaps imaginary parts, which lie along the last axis. */
function parts(x: Value): Value[] {
  const last = x.shape.length - 1;
  return Array.from({ length: x.shape[last] }, (_, i) =>
    reshape(slice(x, { axis: last, start: i, limit: i + 1 }), x.shape.slice(0, last)),
  );
}

function joined({ real, imaginary }: Required<Signal>, moved: (part: Value) => Value): Value {
  const columns = [real, imaginary!].map(moved).map((part) => reshape(part, [...part.shape, 1]));
  return concat(columns, columns[0].shape.length - 1);
}

/** x with its last axis cut to a length, or filled up with zeros. */
function resized(x: Value, length: number): Value {
  const axis = x.shape.length - 1;
  const size = x.shape[axis];
  if (length <= size) return slice(x, { axis, start: 0, limit: length });
  const none = x.shape.map(() => 0);
  return pad(x, { before: none, after: [...none.slice(1), length - size] });
}

/** All N frequencies of a real signal from the first N / 2 + 1: that of N - k is the conjugate of that of k. */
function wholeSpectrum([real, imaginary]: readonly Value[], length: number): Signal {
  const bins = Math.floor(length / 2) + 1;
  const axis = real.shape.length - 1;
  const places = integers(Array.from({ length }, (_, k) => (k < bins ? k : length - k)));
  const signs = constant({ data: Float64Array.from({ length }, (_, k) => (k < bins ? 1 : -1)), dims: [length] });
  const mirrored = (part: Value) => gather(resized(part, bins), places, axis);
  return { real: mirrored(real), imaginary: imaginary && mul(mirrored(imaginary), signs) };
}

function first({ real, imaginary }: Required<Signal>, bins: number): Required<Signal> {
  return { real: resized(real, bins), imaginary: resized(imaginary!, bins) };
}

interface Transform {
  readonly length: number;
  readonly inverse: boolean;
}

function transform(x: Signal, { length, inverse }: Transform): Required<Signal> {
  const { real, imaginary } = frequencies(x, { length, inverse });
  return inverse ? { real: scale(real, 1 / length), imaginary: scale(imaginary!, 1 / length) } : { real, imaginary };
}

/**
 * The unscaled transform along the last axis. For N = a b with a number n = b n1 + n2 and a frequency k = k1 + a k2 it is a transform of
 * length a over n1, times e^(-2 pi i n2 k1 / N), and one of length b over n2 (Cooley and Tukey, 1965).
 */
function frequencies(x: Signal, { length, inverse }: Transform): Required<Signal> {
  const a = length <= DIRECT ? 1 : factorOf(length);
  if (a === 1) return times(x, rotations(length, { rows: length, columns: length, inverse }), matmul);
  const b = length / a;
  const outer = x.real.shape.slice(0, -1);
  const arranged = each(x, (part) => swapLastAxes(reshape(part, [...outer, a, b])));
  const inner = each(frequencies(arranged, { length: a, inverse }), swapLastAxes);
  const twisted = times(inner, rotations(length, { rows: a, columns: b, inverse }), mul);
  const result = each(frequencies(twisted, { length: b, inverse }), (part) =>
    reshape(swapLastAxes(part), [...outer, length]),
  );
  return { real: result.real, imaginary: result.imaginary! };
}

function each({ real, imaginary }: Signal, change: (part: Value) => Value): Signal {
  return { real: change(real), imaginary: imaginary && change(imaginary) };
}

/** The product, elementwise or of matrices, with cos - i sin (cos + i sin for the inverse). */
function times(
  { real, imaginary }: Signal,
  { cosine, sine }: { readonly cosine: Value; readonly sine: Value },
  product: (a: Value, b: Value) => Value,
): Required<Signal> {
  const rotated = neg(product(real, sine));
  if (imaginary === undefined) return { real: product(real, cosine), imaginary: rotated };
  return {
    real: add(product(real, cosine), product(imaginary, sine)),
    imaginary: sub(product(imaginary, cosine), product(real, sine)),
  };
}

/** cos and sin of 2 pi j k / N for j < rows, k < columns; the sine with its sign turned for the inverse. */
function rotations(
  length: number,
  { rows, columns, inverse }: { readonly rows: number; readonly columns: number; readonly inverse: boolean },
) {
  const angle = (i: number) => {
    const turns = (Math.floor(i / columns) * (i % columns)) % length;
    return (2 * Math.PI * turns) / length;
  };
  const table = (value: (angle: number) => number) =>
    constant({ data: Float64Array.from({ length: rows * columns }, (_, i) => value(angle(i))), dims: [rows, columns] });
  return { cosine: table(Math.cos), sine: table((x) => (inverse ? -Math.sin(x) : Math.sin(x))) };
}

/** The divisor of a length next to its square root from below; 1 for primes. */
function factorOf(length: number): number {
  let factor = Math.floor(Math.sqrt(length));
  while (length % factor !== 0) factor--;
  return factor;
}

function checkLength(node: ImportedNode, length: number): void {
  let rest = length;
  for (let prime = 2; prime * prime <= rest; prime++) while (rest % prime === 0 && rest > prime) rest /= prime;
  if (Number.isInteger(length) && length >= 1 && rest <= LARGEST_FACTOR) return;
  throw unsupported(
    node,
    `transforms a length of ${length}, whose largest prime factor is more than ${LARGEST_FACTOR}`,
  );
}
