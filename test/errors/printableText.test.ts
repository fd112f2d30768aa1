import fc from "fast-check";
import { expect, test } from "vitest";
import { CurvatureError, printableJson, printableText } from "../../src/errors/index.ts";

/** Code points that no terminal may get, one by one; from the Unicode charts. */
const unprintable = [
  ...Array.from({ length: 0x20 }, (_, i) => i),
  ...Array.from({ length: 0x21 }, (_, i) => 0x7f + i),
  0x61c,
  0x200e,
  0x200f,
  0x2028,
  0x2029,
  ...[0x202a, 0x202b, 0x202c, 0x202d, 0x202e, 0x2066, 0x2067, 0x2068, 0x2069],
  0xd800,
  0xdfff,
];

const foreign = fc
  .array(
    fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom(...unprintable.map((code) => String.fromCharCode(code)), "é", "日", "👩‍🔬"),
    ),
  )
  .map((parts) => parts.join(""));

test.each(unprintable)("code %i shows as an escape, and nothing else does", (code) => {
  const shown = printableText(`a${String.fromCharCode(code)}b`);
  expect(shown).toMatch(/^a\\(n|r|t|x[0-9a-f]{2}|u[0-9a-f]{4})b$/);
  expect(printableText("Ünïcode 日本 👩‍🔬 שלום a\\b")).toBe("Ünïcode 日本 👩‍🔬 שלום a\\b");
});

test("any text becomes printable once and stays so; messages, too", () => {
  fc.assert(
    fc.property(foreign, (text) => {
      const shown = printableText(text);
      for (const code of unprintable) expect(shown.includes(String.fromCharCode(code)) && code < 0xd800).toBe(false);
      expect(printableText(shown)).toBe(shown);
      expect(printableText(text, { keepLines: true }).split("\n").length).toBe(text.split("\n").length);
      expect(new CurvatureError("file", text).message).toBe(
        shown.length <= 2000 ? shown : `${shown.slice(0, 2000)}...`,
      );
    }),
  );
});

test("JSON stays JSON of the same value", () => {
  fc.assert(
    fc.property(fc.dictionary(foreign, foreign), (value) => {
      const text = printableJson(JSON.stringify(value, undefined, 2));
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      for (const code of unprintable)
        if (code !== 10 && code < 0xd800) expect(text).not.toContain(String.fromCharCode(code));
    }),
  );
});
