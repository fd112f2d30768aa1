import { printableText } from "../errors/index.ts";

/** A piece of HTML whose text is known to be escaped. */
export interface Markup {
  readonly html: string;
}

/** What may stand between the pieces of an `html` template: text is escaped, markup is not, lists are joined. */
export type Content = string | number | Markup | undefined | readonly Content[];

/** HTML with the five characters that mean something in it replaced by entities, and control characters of names by escapes. */
export function escapeHtml(text: string): string {
  return printableText(text, { keepLines: true })
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}

function toHtml(content: Content): string {
  if (content === undefined) return "";
  if (typeof content === "string") return escapeHtml(content);
  if (typeof content === "number") return String(content);
  if ("html" in content) return content.html;
  return content.map(toHtml).join("");
}

/** Tagged template that yields markup; every string put into it is escaped, so that file and layer names cannot become tags. */
export function html(pieces: TemplateStringsArray, ...contents: readonly Content[]): Markup {
  return { html: pieces.reduce((text, piece, i) => text + toHtml(contents[i - 1]) + piece) };
}

/** HTML written by us or by the figure library, taken as it stands. */
export function trusted(text: string): Markup {
  return { html: text };
}
