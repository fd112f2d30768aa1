import { CurvatureError } from "../errors/index.ts";
import { requestFor, shownAddress } from "./address.ts";
import { formatDuration } from "./formatDuration.ts";
import { type ByteRange, type ReadLimits, tooLarge } from "./readOptions.ts";

/** Options of a request: `what` names the file in messages; without `range`, all of it is fetched. */
export interface FetchOptions extends ReadLimits {
  readonly what: string;
  readonly range?: ByteRange;
}

/**
 * Fetches the bytes of a URL, or a range of them. Redirections are followed. A server without support for ranges sends the whole file; then
 * only the range is kept, and the transfer is cancelled after it.
 *
 * @throws CurvatureError "file" for no response, an error response, a response that breaks off or stays silent, a wrong range, or more
 *   bytes than the limit; "aborted" if the signal fired
 */
export async function fetchBytes(address: URL, options: FetchOptions): Promise<Uint8Array> {
  const { what, range, signal, timeout } = options;
  const shown = shownAddress(address);
  const failed = (why: string, cause?: unknown) =>
    new CurvatureError("file", `${what} ${shown} cannot be fetched: ${why}.`, { cause });
  const watch = silenceWatch(timeout, signal);
  try {
    const { url, headers } = requestFor(address);
    const asked = range === undefined ? {} : { Range: `bytes=${range.offset}-${range.offset + range.length - 1}` };
    const response = await fetch(url, { headers: { ...headers, ...asked }, signal: watch.signal });
    watch.heard();
    if (!response.ok) throw failed(`HTTP ${response.status} ${response.statusText}`.trim());
    const partial = response.status === 206;
    if (partial) checkPart(response, { range, failed });
    const wanted = partial || range === undefined ? { skip: 0 } : { skip: range.offset, length: range.length };
    return await readBody(response, {
      ...options,
      ...wanted,
      partial,
      failed,
      subject: `${what} ${shown}`,
      heard: watch.heard,
    });
  } catch (cause) {
    if (signal?.aborted)
      throw new CurvatureError("aborted", `fetching ${shown} was stopped by the caller's signal`, { cause });
    if (cause instanceof CurvatureError) throw cause;
    if (watch.signal.aborted) {
      throw failed(`no answer for ${formatDuration(timeout)}; raise timeout (--timeout) or check the address`, cause);
    }
    throw failed("no complete answer; check the address and the network", cause);
  } finally {
    watch.stop();
  }
}

/** A signal that fires with the caller's signal, or after so many milliseconds of silence. */
function silenceWatch(timeout: number, signal: AbortSignal | undefined) {
  const controller = new AbortController();
  const abort = () => controller.abort();
  signal?.addEventListener("abort", abort);
  if (signal?.aborted) abort();
  // Delays beyond the maximum of a timer count as unlimited.
  const start = () => (timeout < 2 ** 31 ? setTimeout(abort, timeout) : undefined);
  let timer = start();
  return {
    signal: controller.signal,
    heard() {
      clearTimeout(timer);
      timer = start();
    },
    stop() {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    },
  };
}

/** Checks that a partial response is the requested range, which may end early at the end of the file. */
function checkPart(
  response: Response,
  { range, failed }: { readonly range: ByteRange | undefined; readonly failed: (why: string) => CurvatureError },
): void {
  const answer = response.headers.get("content-range") ?? "";
  // Browsers hide this header in responses from other origins; then only the length is checked.
  if (answer === "" && range !== undefined) return;
  const [, first, last] = /^bytes (\d+)-(\d+)\/(?:\d+|\*)$/.exec(answer) ?? [];
  if (range !== undefined && Number(first) === range.offset && Number(last) < range.offset + range.length) return;
  const asked = range === undefined ? "the whole file" : `bytes ${range.offset}-${range.offset + range.length - 1}`;
  throw failed(`asked for ${asked}, the server sent ${answer === "" ? "an unnamed part" : `"${answer}"`}`);
}

interface Body extends FetchOptions {
  /** Bytes to skip, and the number of bytes to take after them; all without `length`. */
  readonly skip: number;
  readonly length?: number;
  readonly partial: boolean;
  readonly subject: string;
  readonly heard: () => void;
  readonly failed: (why: string) => CurvatureError;
}

async function readBody(response: Response, body: Body): Promise<Uint8Array> {
  const { skip, length = Number.POSITIVE_INFINITY, partial, memoryLimit, subject, range, heard, failed } = body;
  const told = Number(response.headers.get("content-length") ?? 0);
  if (range === undefined && told > memoryLimit) throw tooLarge(subject, { bytes: told, memoryLimit });
  const parts: Uint8Array[] = [];
  let [place, kept] = [0, 0];
  // Leaving the loop early cancels the response.
  for await (const chunk of response.body ?? []) {
    heard();
    const part = chunk.subarray(Math.max(0, skip - place), Math.max(0, skip + length - place));
    place += chunk.length;
    kept += part.length;
    if (kept > memoryLimit) throw tooLarge(subject, { memoryLimit });
    if (part.length > 0) parts.push(part);
    if (partial && range !== undefined && kept > range.length) throw failed("the server sent more than the asked part");
    if (place >= skip + length) break;
  }
  return concatenated(parts, kept);
}

function concatenated(parts: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
