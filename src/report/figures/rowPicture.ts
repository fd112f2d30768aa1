import { html, type Markup, trusted } from "../markup.ts";

/** Axes of the numbers of a row that is a picture: one channel for grey, three for red, green and blue, each [height, width]. */
export interface PictureShape {
  readonly channels: 1 | 3;
  readonly height: number;
  readonly width: number;
}

/** A row as a picture, from its smallest number (black) to its largest (white). It is part of the page, as an uncompressed bitmap. */
export function rowPicture(
  values: ArrayLike<number>,
  { shape, description }: { readonly shape: PictureShape; readonly description: string },
): Markup {
  const bytes = bitmap(values, shape);
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  const { width, height } = shape;
  return html`<img class="picture" width="${width}" height="${height}" alt="${description}" src="data:image/bmp;base64,${trusted(btoa(text))}">`;
}

/** Bytes before the colours: file header and image header. */
const HEADER = 54;

/** A bitmap file of 24 bits a pixel: rows from the bottom, each padded to a multiple of four bytes, colours as blue, green, red. */
function bitmap(values: ArrayLike<number>, { channels, height, width }: PictureShape): Uint8Array {
  const stride = Math.ceil((3 * width) / 4) * 4;
  const bytes = new Uint8Array(HEADER + stride * height);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 0x424d);
  view.setUint32(2, bytes.length, true);
  view.setUint32(10, HEADER, true);
  view.setUint32(14, 40, true);
  view.setInt32(18, width, true);
  view.setInt32(22, height, true);
  view.setUint16(26, 1, true);
  view.setUint16(28, 24, true);
  const [least, most] = extent(values);
  const level = (index: number) => Math.round((255 * (values[index]! - least)) / (most - least || 1));
  const pixels = height * width;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = HEADER + (height - 1 - y) * stride + 3 * x;
      for (let c = 0; c < 3; c++) bytes[at + 2 - c] = level((channels === 3 ? c * pixels : 0) + y * width + x);
    }
  }
  return bytes;
}

function extent(values: ArrayLike<number>): readonly [number, number] {
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < values.length; i++) {
    least = Math.min(least, values[i]!);
    most = Math.max(most, values[i]!);
  }
  return [least, most];
}
