import fc from "fast-check";
import { expect, test } from "vitest";
import { csvRows } from "../../src/data/tables/csvRows.ts";
import { decimalReader } from "../../src/data/tables/decimalReader.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);
const read = (text: string, decimal = ".") => {
  const bytes = bytesOf(`9${text}9`);
  return decimalReader(bytes, decimal.charCodeAt(0))(1, bytes.length - 1);
};

const digits = (most: number) => fc.stringMatching(new RegExp(`^[0-9]{0,${most}}$`));
const decimalText = fc
  .tuple(
    fc.constantFrom("", "-", "+"),
    digits(12),
    fc.constantFrom("", "."),
    digits(12),
    fc.constantFrom("", "e", "E", "e-", "e+"),
    digits(3),
  )
  .map((parts) => parts.join(""));

test("any text is the number that JavaScript reads, or is left to it", () => {
  let readHere = 0;
  fc.assert(
    fc.property(decimalText, (text) => {
      const value = read(text);
      if (Number.isNaN(value)) return;
      readHere++;
      expect([text, value]).toEqual([text, Number(text)]);
    }),
    { numRuns: 5000 },
  );
  expect(readHere).toBeGreaterThan(1000);
});

test("numbers as programs write them, to the last bit", () => {
  const written = fc
    .oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.float({ noNaN: true, noDefaultInfinity: true }))
    .chain((value) => fc.constantFrom(String(value), value.toExponential(18), value.toPrecision(17), value.toFixed(6)));
  fc.assert(
    fc.property(fc.array(written, { minLength: 1, maxLength: 5 }), (cells) => {
      const [rows] = csvRows(bytesOf(cells.join(",")), { separator: ",", decimal: ".", name: "t" });
      const found = cells.map((_, column) => rows!.number(0, column));
      expect(found.map((value) => [value, Object.is(value, -0)])).toEqual(
        cells.map((cell) => [Number(cell), Object.is(Number(cell), -0)]),
      );
    }),
    { numRuns: 1000 },
  );
});

test.each(["", " ", ".", "-", "+", "1.2.3", "--1", "0x1", "1e", "1e+", "e5", "1 2", "nan", "Infinity", "1_000", "é"])(
  "%j is left to the exact reader",
  (text) => {
    expect(read(text)).toBeNaN();
  },
);

test("space around a number, and a decimal comma", () => {
  expect([read(" 1.5\t"), read("1,5", ","), read("-,5", ","), read("1.5", ",")]).toEqual([1.5, 1.5, -0.5, Number.NaN]);
});
