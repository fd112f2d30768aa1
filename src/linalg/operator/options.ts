import { CurvatureError } from "../../errors/index.ts";

type Words<Text extends string> = Text extends `${infer First} ${infer Rest}` ? First | Words<Rest> : Text;

/** Demands that the words are the names of all options, so that a list cannot drift away from the type of the options. */
type Names<Options, Text extends string> = [keyof Options] extends [Words<Text>]
  ? [Words<Text>] extends [keyof Options]
    ? Text
    : { readonly unknown: Exclude<Words<Text>, keyof Options> }
  : { readonly missing: Exclude<keyof Options, Words<Text>> };

/**
 * Refuses options that the function `name` does not have, and anything but an object. An option that is undefined counts as left out.
 *
 * @param names of all options of the function, as words: the compiler refuses words that are not those of the options' type
 * @throws CurvatureError "argument"
 */
export function checkOptions<Options extends object, const Text extends string>(
  name: string,
  options: Options,
  names: Text & Names<Options, Text>,
): void {
  const known = (names as string).split(" ");
  if (typeof options !== "object" || options === null || Array.isArray(options) || ArrayBuffer.isView(options)) {
    const got = options === null ? "null" : Array.isArray(options) ? "an Array" : typeof options;
    const message = `${name} expects its options to be an object with ${known.join(", ")}, got ${got}`;
    throw new CurvatureError("argument", message);
  }
  for (const [option, value] of Object.entries(options)) {
    if (value === undefined || known.includes(option)) continue;
    const nearest = nearestOf(option, known);
    const remedy = nearest === undefined ? `it has ${known.join(", ")}` : `did you mean \`${nearest}\`?`;
    throw new CurvatureError("argument", `${name} got the unknown option \`${option}\`; ${remedy}`);
  }
}

/** The name that begins alike, or that few changes of letters make of a word. */
function nearestOf(word: string, names: readonly string[]): string | undefined {
  const plain = word.toLowerCase();
  const ranked = names
    .map((name) => ({
      name,
      distance: name.toLowerCase().startsWith(plain) ? 0 : editDistance(plain, name.toLowerCase()),
    }))
    .sort((a, b) => a.distance - b.distance);
  const [first] = ranked;
  return first && first.distance <= Math.max(1, Math.floor(word.length / 3)) ? first.name : undefined;
}

/** Insertions, deletions and replacements of letters that make one word of another (Levenshtein, 1966). */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, j) => j);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = row[j - 1] + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j] + 1, next[j - 1] + 1));
    }
    row = next;
  }
  return row[to.length];
}
