import { printableText } from "../errors/index.ts";

/** A piece of HTML whose text is known to be escaped. */
export interface Markup {
  readonly html: string;
}

/** Values allowed in an `html` template: text is escaped, markup is not, lists are joined. */
export type Content = string | number | Markup | undefined | readonly Content[];

/** Escapes text for HTML: the five special characters become entities, and control characters in names become escapes. */
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

/** Tagged template that returns markup. Every inserted string is escaped, so that file and layer names cannot become tags. */
export function html(pieces: TemplateStringsArray, ...contents: readonly Content[]): Markup {
  return { html: pieces.reduce((text, piece, i) => text + toHtml(contents[i - 1]) + piece) };
}

/** Marks HTML from this library or the figure library as safe; it is not escaped. */
export function trusted(text: string): Markup {
  return { html: text };
}
