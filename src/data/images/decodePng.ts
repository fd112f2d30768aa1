import { damagedImage, type Image, unsupportedImage } from "./image.ts";

/** Decodes a PNG file with fast-png, which gives the same pixels as libpng. */
export async function decodePng(bytes: Uint8Array, name: string): Promise<Image> {
  const { decode } = await import("fast-png");
  let decoded: ReturnType<typeof decode>;
  try {
    decoded = decode(bytes, { checkCrc: true });
  } catch (cause) {
    throw damagedImage(name, cause instanceof Error ? cause.message : String(cause), cause);
  }
  const { width, height, channels, depth, data, palette } = decoded;
  if (depth === 16) throw unsupportedImage(name, "16 bits");
  if (palette !== undefined) return { width, height, channels: 3, data: withPalette(unpacked(decoded), palette) };
  const largest = 2 ** depth - 1;
  const values = depth < 8 ? unpacked(decoded).map((value) => (value * 255) / largest) : (data as Uint8Array);
  return { width, height, channels, data: values };
}

interface Packed {
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  readonly data: ArrayLike<number>;
}

/** One value a byte: PNG packs values of less than 8 bits, and begins every line with a new byte. */
function unpacked({ width, height, depth, data }: Packed): Uint8Array {
  if (depth === 8) return Uint8Array.from(data);
  const perByte = 8 / depth;
  const lineBytes = Math.ceil(width / perByte);
  const values = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const byte = data[y * lineBytes + Math.floor(x / perByte)]!;
      values[y * width + x] = (byte >> (8 - depth * ((x % perByte) + 1))) & (2 ** depth - 1);
    }
  }
  return values;
}

function withPalette(indices: Uint8Array, palette: readonly (readonly number[])[]): Uint8Array {
  const data = new Uint8Array(3 * indices.length);
  for (let i = 0; i < indices.length; i++) data.set(palette[indices[i]!]!.slice(0, 3), 3 * i);
  return data;
}
