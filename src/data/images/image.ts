import { CurvatureError } from "../../errors/index.ts";

/** Pixels `[height, width, channels]` of 8 bits: gray (1 channel), gray and alpha (2), RGB (3) or RGB and alpha (4). */
export interface Image {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly data: Uint8Array;
}

/** Channels that a model can take: gray, or red, green and blue. */
export type ModelChannels = 1 | 3;

/** Whether bytes begin like a PNG file. */
export function isPng(bytes: Uint8Array): boolean {
  return [0x89, 0x50, 0x4e, 0x47].every((byte, i) => bytes[i] === byte);
}

/** Whether bytes begin like a JPEG file. */
export function isJpeg(bytes: Uint8Array): boolean {
  return bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff;
}

/** Whether a name is that of an image. */
export function isImageName(name: string): boolean {
  return /[.](png|jpe?g)$/i.test(name);
}

/**
 * The image in gray or RGB, as Pillow's `convert("L")` and `convert("RGB")`: alpha is left out, gray is
 * (19595 R + 38470 G + 7471 B + 32768) / 65536 (ITU-R 601-2), rounded down.
 */
export function withChannels({ width, height, channels, data }: Image, wanted: ModelChannels): Image {
  if (channels === wanted) return { width, height, channels, data };
  const pixels = width * height;
  const converted = new Uint8Array(pixels * wanted);
  for (let pixel = 0; pixel < pixels; pixel++) {
    const at = pixel * channels;
    const [red, green, blue] =
      channels < 3 ? [data[at]!, data[at]!, data[at]!] : [data[at]!, data[at + 1]!, data[at + 2]!];
    if (wanted === 1) converted[pixel] = (19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16;
    else converted.set([red, green, blue], 3 * pixel);
  }
  return { width, height, channels: wanted, data: converted };
}

/** Error for an image that cannot be read. */
export function damagedImage(name: string, why: string, cause?: unknown): CurvatureError {
  return new CurvatureError(
    "file",
    `${name}: expected a complete PNG or JPEG image, got one that cannot be read; copy it again, or leave it out (${why})`,
    { cause },
  );
}

/** Error for an image of a kind that is not read. */
export function unsupportedImage(name: string, got: string): CurvatureError {
  return new CurvatureError(
    "unsupported",
    `${name}: expected an image in gray or RGB of 8 bits a channel, got ${got}; convert it first`,
  );
}
