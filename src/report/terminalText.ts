import { printableText } from "../errors/index.ts";

const COLUMNS = 80;

const SPELLINGS: { readonly [character: string]: string } = {
  "\u00a0": " ",
  "−": "-",
  "–": "-",
  "±": "+-",
  "×": "x",
  "·": "*",
  "‖": "||",
  "²": "^2",
  λ: "lambda",
  Δ: "step",
  "₁": "1",
  "₂": "2",
  "…": "...",
};

const EXPONENT: { readonly [character: string]: string } = Object.fromEntries(
  [..."⁰¹²³⁴⁵⁶⁷⁸⁹"].map((character, digit) => [character, String(digit)]),
);

/** A sentence of the page in the ASCII of a terminal: 10⁻³ becomes 10^-3. Names keep their letters; control characters are escaped. */
export function terminalText(text: string): string {
  const powers = text.replace(/10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)/g, (_, exponent: string) => {
    return `10^${[...exponent].map((digit) => EXPONENT[digit] ?? "-").join("")}`;
  });
  return printableText([...powers].map((character) => SPELLINGS[character] ?? character).join(""));
}

/** Lines of at most 80 columns, each indented; a longer word has a line of its own. */
export function wrapped(text: string, indent: string): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && indent.length + longer.length > COLUMNS) {
      lines.push(indent + line);
      line = word;
    } else line = longer;
  }
  return [...lines, indent + line];
}
