import type { Image } from "./image.ts";

/** Width and height in pixels. */
export interface ImageSize {
  readonly width: number;
  readonly height: number;
}

/** Bits after the point of the weights, as in Pillow, which leaves 2 bits for sums that overshoot: 32 - 8 - 2. */
const PRECISION = 22;

/**
 * The image in another size, by Pillow's bilinear filter with antialiasing, to the last bit (Pillow, src/libImaging/Resample.c): each pixel is the mean
 * of the pixels around its centre with triangular weights, whose width is that of a pixel of the smaller image; first along lines, then along
 * columns, each rounded to 8 bits. This is what torchvision's `Resize` does with images of Pillow. The other resizers at hand (sharp, canvas,
 * ONNX Runtime) use other filters, or cannot be called where images are read.
 */
export function resizeImage(image: Image, { width, height }: ImageSize): Image {
  const along = width === image.width ? image : resizedLines(image, width);
  return height === along.height ? along : transposed(resizedLines(transposed(along), height));
}

/** Output size of torchvision's `Resize(size)`: the shorter side becomes `size`, the longer one keeps the ratio, rounded down. */
export function resizedBy({ width, height }: ImageSize, size: number): ImageSize {
  return width <= height
    ? { width: size, height: Math.trunc((size * height) / width) }
    : { width: Math.trunc((size * width) / height), height: size };
}

interface Weights {
  /** First pixel of the input. */
  readonly start: number;
  readonly weights: Int32Array;
}

/** Weights of the input's pixels for each pixel of the output, in whole multiples of 2^-22. */
function triangleWeights(from: number, to: number): readonly Weights[] {
  const scale = from / to;
  const support = Math.max(scale, 1);
  return Array.from({ length: to }, (_, x) => {
    const centre = (x + 0.5) * scale;
    const start = Math.max(0, Math.trunc(centre - support + 0.5));
    const end = Math.min(from, Math.trunc(centre + support + 0.5));
    const weights = Array.from({ length: end - start }, (_, i) =>
      Math.max(0, 1 - Math.abs((i + start - centre + 0.5) * (1 / support))),
    );
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return { start, weights: Int32Array.from(weights, (weight) => Math.trunc(0.5 + (weight / sum) * 2 ** PRECISION)) };
  });
}

function resizedLines({ width, height, channels, data }: Image, newWidth: number): Image {
  const filters = triangleWeights(width, newWidth);
  const resized = new Uint8Array(height * newWidth * channels);
  let to = 0;
  for (let y = 0; y < height; y++) {
    const line = y * width * channels;
    for (const { start, weights } of filters) {
      for (let channel = 0; channel < channels; channel++) {
        let sum = 2 ** (PRECISION - 1);
        let at = line + start * channels + channel;
        for (let i = 0; i < weights.length; i++, at += channels) sum += data[at]! * weights[i]!;
        resized[to++] = Math.min(255, Math.max(0, sum >> PRECISION));
      }
    }
  }
  return { width: newWidth, height, channels, data: resized };
}

function transposed({ width, height, channels, data }: Image): Image {
  const result = new Uint8Array(data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [from, to] = [(y * width + x) * channels, (x * height + y) * channels];
      for (let channel = 0; channel < channels; channel++) result[to + channel] = data[from + channel]!;
    }
  }
  return { width: height, height: width, channels, data: result };
}

/** The middle of an image, as torchvision's `CenterCrop`: the upper left corner is at half the difference, halves rounded to even. */
export function cropImage({ width, height, channels, data }: Image, size: ImageSize): Image {
  const [top, left] = [halfToEven(height - size.height), halfToEven(width - size.width)];
  const cropped = new Uint8Array(size.width * size.height * channels);
  for (let y = 0; y < size.height; y++) {
    const from = ((top + y) * width + left) * channels;
    cropped.set(data.subarray(from, from + size.width * channels), y * size.width * channels);
  }
  return { ...size, channels, data: cropped };
}

/** Half of a whole number; halves are rounded to the even neighbour, as by Python's `round`. */
function halfToEven(difference: number): number {
  const half = Math.floor(difference / 2);
  return difference % 2 === 0 ? half : half + (half % 2);
}
