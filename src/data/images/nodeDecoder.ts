import { memoized } from "../../concurrency/index.ts";
import { CurvatureError } from "../../errors/index.ts";
import { decodePng } from "./decodePng.ts";
import { damagedImage, type Image, isJpeg, isPng, unsupportedImage } from "./image.ts";

/** The package sharp, which is optional; undefined where it is not installed. */
const sharp = memoized(async () => {
  try {
    return (await import("sharp")).default;
  } catch {
    return undefined;
  }
});

/**
 * Decodes a PNG or JPEG file with sharp, in threads beside this one; PNG alone also without it. Pixels are those of libjpeg-turbo and libpng, as Pillow
 * gives them: colour profiles and orientation are not applied.
 *
 * @throws CurvatureError "file" for damaged files and others than PNG and JPEG; "unsupported" for CMYK, for 16 bits, and for JPEG without sharp
 */
export async function decodeImage(bytes: Uint8Array, name: string): Promise<Image> {
  if (!isPng(bytes) && !isJpeg(bytes)) throw damagedImage(name, "its first bytes are those of neither");
  const decoder = await sharp();
  if (decoder === undefined) {
    if (isPng(bytes)) return decodePng(bytes, name);
    throw new CurvatureError(
      "unsupported",
      `${name}: JPEG needs the optional package sharp, which is not installed; run npm install sharp, or convert to PNG`,
    );
  }
  try {
    const image = decoder(bytes, { ignoreIcc: true, failOn: "error" });
    const { space, depth } = await image.metadata();
    if (space === "cmyk") throw unsupportedImage(name, "CMYK");
    if (depth !== "uchar") throw unsupportedImage(name, "16 bits");
    const { data, info } = await image.raw().toBuffer({ resolveWithObject: true });
    return { width: info.width, height: info.height, channels: info.channels, data };
  } catch (cause) {
    if (cause instanceof CurvatureError) throw cause;
    throw damagedImage(name, cause instanceof Error ? cause.message : String(cause), cause);
  }
}
