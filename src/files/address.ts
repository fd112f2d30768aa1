/** An address for a request: without user name and password, which become a header. */
export interface Request {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
}

/** The request for an address; its user name and password are sent as basic authentication (RFC 7617). */
export function requestFor(address: URL): Request {
  const { username, password } = address;
  if (username === "" && password === "") return { url: address, headers: {} };
  const url = new URL(address);
  url.username = "";
  url.password = "";
  const bytes = new TextEncoder().encode(`${decoded(username)}:${decoded(password)}`);
  return { url, headers: { Authorization: `Basic ${btoa(String.fromCharCode(...bytes))}` } };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * The address for messages and reports. It omits user name, password, query and fragment, any of which may be a secret, and is shortened,
 * since data: URLs hold whole files.
 */
export function shownAddress(address: URL | string): string {
  const shown = String(address)
    .replace(/^([a-z][a-z\d+.-]*:[/\\]*)[^/\\?#]*@/i, "$1")
    .replace(/^(?!data:)([^?#]*)[?#].*$/is, "$1");
  return shown.length <= 200 ? shown : `${shown.slice(0, 200)}...`;
}
