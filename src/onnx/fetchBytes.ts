import { CurvatureError } from "../errors/index.ts";

/** Answer to a request: the bytes, and whether they are the asked range alone or the whole file. */
export interface Fetched {
  readonly bytes: Uint8Array;
  readonly partial: boolean;
}

/** The address as messages repeat it: shortened, since data: URLs hold whole files. */
export function shownAddress({ href }: URL): string {
  return href.length <= 200 ? href : `${href.slice(0, 200)}...`;
}

/**
 * Bytes behind a URL; `what` names them in messages. Servers that do not know ranges send the whole file. Throws "file"
 * where there is no answer, an answer of failure, or one that breaks off.
 */
export async function fetchBytes(
  url: URL,
  { what, range }: { readonly what: string; readonly range?: string },
): Promise<Fetched> {
  const failed = (why: string, cause?: unknown) =>
    new CurvatureError("file", `${what} ${shownAddress(url)} cannot be fetched: ${why}.`, { cause });
  try {
    const response = await fetch(url, range === undefined ? {} : { headers: { Range: range } });
    if (!response.ok) throw failed(`HTTP ${response.status} ${response.statusText}`);
    return { bytes: new Uint8Array(await response.arrayBuffer()), partial: response.status === 206 };
  } catch (cause) {
    if (cause instanceof CurvatureError) throw cause;
    throw failed("no complete answer; check the address and the network", cause);
  }
}
