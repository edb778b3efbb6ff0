/** Shorter ones are words of every text: taken out, they would leave none. */
const SHORTEST_SECRET = 4;

/**
 * What takes secrets out of texts that others wrote: an answer may quote the request, an error the address. They are known
 * as they are, percent-encoded and in base64.
 */
export function redactor(secrets: readonly string[]): (text: string) => string {
  const forms = secrets
    .filter(({ length }) => length >= SHORTEST_SECRET)
    .flatMap((secret) => [secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64')])
    .toSorted((one, other) => other.length - one.length);
  return (text) => forms.reduce((left, form) => left.replaceAll(form, '…'), text);
}

/** What of a URL is secret where the URL is: all behind the host, and the user and password before it. */
export function secretsOfUrl({ pathname, search, hash, username, password }: URL): string[] {
  const whole = `${pathname}${search}${hash}`;
  const parts = [...pathname.split('/'), ...new URLSearchParams(search).values(), username, password];
  return [whole, pathname, search, ...parts, ...parts.map(decoded)].filter(({ length }) => length > SHORTEST_SECRET);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
