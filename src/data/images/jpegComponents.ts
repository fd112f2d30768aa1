/**
 * Number of components of a JPEG image: 1 for gray, 3 for colours, 4 for CMYK (ITU-T T.81, B.2.2). Undefined where no frame header is found.
 */
export function jpegComponents(bytes: Uint8Array): number | undefined {
  let at = 2;
  while (at + 9 < bytes.length && bytes[at] === 0xff) {
    const marker = bytes[at + 1]!;
    // SOF0 to SOF15, without DHT, JPG and DAC among them.
    const isFrame = marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
    if (isFrame) return bytes[at + 9];
    // A byte 0xff may be repeated before a marker.
    at += marker === 0xff ? 1 : 2 + 256 * bytes[at + 2]! + bytes[at + 3]!;
  }
  return undefined;
}
