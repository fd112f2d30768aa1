/**
 * Characters that can make text appear different from what it is: control characters (escape sequences begin with one), line and paragraph
 * separators, marks and overrides of writing direction, unpaired surrogates.
 */
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Cs}]/gu;

const SHORT: ReadonlyMap<string, string> = new Map([
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
]);

/**
 * Text for a terminal or a message. Control characters, which names in files can contain, become escapes (`\x1b`, `\u202e`).
 *
 * @param options `keepLines` leaves line feeds as they are, for text of several lines
 */
export function printableText(text: string, { keepLines = false }: { readonly keepLines?: boolean } = {}): string {
  return text.replace(UNPRINTABLE, (character) => {
    if (keepLines && character === "\n") return character;
    const code = character.charCodeAt(0);
    return SHORT.get(character) ?? (code < 256 ? `\\x${hexadecimal(code, 2)}` : `\\u${hexadecimal(code, 4)}`);
  });
}

/** JSON of the same value without control characters: those that JSON allows unescaped become `\uXXXX`. */
export function printableJson(json: string): string {
  return json.replace(UNPRINTABLE, (character) =>
    character === "\n" ? character : `\\u${hexadecimal(character.charCodeAt(0), 4)}`,
  );
}

function hexadecimal(code: number, digits: number): string {
  return code.toString(16).padStart(digits, "0");
}
