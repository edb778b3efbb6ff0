import { HoldfastError } from './errors.ts';

const URL_FORM = /^([a-z][a-z0-9+.-]*:\/\/)(?:([^@/?#:]*)(:[^@/?#]*)?@)?(.*)$/is;

/** A URL with this password, in place of one that it has. @throws bad-usage, without the text */
export function withPassword(url: string, password: string): string {
  const [, scheme, user = '', , rest] = URL_FORM.exec(url) ?? [];
  if (scheme !== undefined && rest !== undefined) return `${scheme}${user}:${encodeURIComponent(password)}@${rest}`;
  throw new HoldfastError('bad-usage', 'a password belongs into a URL, and this is none', {
    hint: 'Leave `password` out, or give a URL such as postgres://user@host/database.',
  });
}

/** A URL without its password, fit to be recorded; anything else as it is. */
export function withoutPassword(url: string): string {
  const [, scheme, user, password, rest] = URL_FORM.exec(url) ?? [];
  const shown = password === undefined ? url : `${scheme}${user === '' ? '' : `${user}@`}${rest}`;
  return shown.replace(/([?&](?:password|sslpassword)=)[^&#]*/gi, '$1…');
}
