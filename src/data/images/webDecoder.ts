import { CurvatureError } from "../../errors/index.ts";
import { decodePng } from "./decodePng.ts";
import { damagedImage, type Image, isJpeg, isPng, unsupportedImage } from "./image.ts";
import { jpegComponents } from "./jpegComponents.ts";

/**
 * Decodes a PNG or JPEG file; JPEG by the browser itself, without its colour management.
 *
 * @throws CurvatureError "file" for damaged files and others than PNG and JPEG; "unsupported" for CMYK, for 16 bits, and for JPEG outside browsers
 */
export async function decodeImage(bytes: Uint8Array, name: string): Promise<Image> {
  if (isPng(bytes)) return decodePng(bytes, name);
  if (!isJpeg(bytes)) throw damagedImage(name, "its first bytes are those of neither");
  // Browsers would convert it, each in its own way.
  if (jpegComponents(bytes) === 4) throw unsupportedImage(name, "CMYK");
  if (typeof createImageBitmap !== "function" || typeof OffscreenCanvas !== "function") {
    throw new CurvatureError("unsupported", `${name}: JPEG needs a browser or Node; convert to PNG`);
  }
  try {
    const blob = new Blob([Uint8Array.from(bytes)], { type: "image/jpeg" });
    const options = {
      colorSpaceConversion: "none",
      premultiplyAlpha: "none",
      imageOrientation: "none",
    } as unknown as ImageBitmapOptions;
    const bitmap = await createImageBitmap(blob, options);
    const { width, height } = bitmap;
    const context = new OffscreenCanvas(width, height).getContext("2d")!;
    context.drawImage(bitmap, 0, 0);
    bitmap.close();
    const { data } = context.getImageData(0, 0, width, height);
    return { width, height, channels: 4, data: new Uint8Array(data.buffer) };
  } catch (cause) {
    throw damagedImage(name, cause instanceof Error ? cause.message : String(cause), cause);
  }
}
