import { CurvatureError } from "../../errors/index.ts";
import { readSource, type Source } from "../readSource.ts";

/** Token ids of a text and what belongs to each of them, with the special tokens of the model. */
export interface Tokens {
  readonly ids: readonly number[];
  /** 0 or 1: the first or the second of a pair of texts. */
  readonly types: readonly number[];
}

/** Makes token ids of text. */
export interface TextTokenizer {
  readonly name: string;
  /** Id that fills shorter texts, if the file names one. */
  readonly padding?: number;
  encode(text: string): Tokens;
}

interface TokenizerFile {
  readonly model: object;
  readonly padding?: { readonly pad_id?: number; readonly direction?: string } | null;
  readonly truncation?: { readonly max_length: number; readonly direction?: string } | null;
}

/**
 * The tokenizer of a `tokenizer.json` as Hugging Face's libraries save it. Cuts texts as its section `truncation` says, and reads the id of the
 * padding from its section `padding`.
 *
 * @throws CurvatureError "file" if it is not such a file; "unsupported" for kinds that the library does not read, and padding on the left
 */
export async function loadTokenizer(source: Source): Promise<TextTokenizer> {
  const { bytes, name } = await readSource(source);
  const file = parsed(bytes, name);
  const { padding, truncation } = file;
  if (padding?.direction?.toLowerCase() === "left") {
    throw new CurvatureError(
      "unsupported",
      `${name}: expected padding on the right, got left; change its section "padding"`,
    );
  }
  const { Tokenizer } = await import("@huggingface/tokenizers");
  const tokenizer = wrapped(name, () => new Tokenizer(file, {}));
  const whole = (text: string, add_special_tokens: boolean) => {
    const { ids, token_type_ids } = tokenizer.encode(text, { add_special_tokens, return_token_type_ids: true });
    return { ids, types: token_type_ids ?? ids.map(() => 0) };
  };
  return {
    name,
    ...(padding?.pad_id !== undefined && { padding: padding.pad_id }),
    encode: (text) =>
      wrapped(name, () => {
        const all = whole(text, true);
        if (!truncation || all.ids.length <= truncation.max_length) return all;
        return truncated(all, { plain: whole(text, false).ids, ...truncation });
      }),
  };
}

function parsed(bytes: Uint8Array, name: string): TokenizerFile {
  let file: unknown;
  try {
    file = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    file = undefined;
  }
  if (typeof file === "object" && file !== null && "model" in file && typeof file.model === "object" && file.model) {
    return file as TokenizerFile;
  }
  throw new CurvatureError(
    "file",
    `${name}: expected a tokenizer.json with a section "model", as Hugging Face's libraries save it, got something else`,
  );
}

interface Truncation {
  /** The ids without special tokens. */
  readonly plain: readonly number[];
  readonly max_length: number;
  readonly direction?: string;
}

/** Special tokens stay, and tokens between them are left out at the end or, for "left", at the beginning. */
function truncated({ ids, types }: Tokens, { plain, max_length, direction }: Truncation): Tokens {
  const before = ids.findIndex((_, at) => plain.every((id, i) => ids[at + i] === id));
  const after = ids.length - before - plain.length;
  const kept = Math.max(0, max_length - before - after);
  const first = direction?.toLowerCase() === "left" ? before + plain.length - kept : before;
  const cut = (list: readonly number[]) => [
    ...list.slice(0, before),
    ...list.slice(first, first + kept),
    ...list.slice(before + plain.length),
  ];
  return { ids: cut(ids), types: cut(types) };
}

function wrapped<T>(name: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CurvatureError(
      "unsupported",
      `${name}: expected a tokenizer that @huggingface/tokenizers reads, got one that it refuses (${why}); write token ids instead of text`,
      { cause },
    );
  }
}
