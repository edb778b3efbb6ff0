import { HoldfastError } from '../../foundation/errors.ts';

/** How a mail server is talked to. */
export interface SmtpAddress {
  host: string;
  port: number;
  /** TLS from the first byte. */
  isImplicit: boolean;
  /**
   * `required`: nothing is sent unless the connection is encrypted and the certificate trusted. `offered`: encrypted where
   * the server offers it, whatever its certificate, since who could forge that could take back the offer. `none`: never.
   */
  tls: 'required' | 'offered' | 'none';
  credentials?: { user: string; password: string };
}

const PORTS = { 'smtp:': 587, 'smtps:': 465 } as const;
const CHOICES = ['required', 'offered', 'none'] as const;

/**
 * @param url `smtp://`, or `smtps://` for TLS from the start, with user and password percent-encoded. Encryption is required
 *   where there is a password; `?tls=required`, `offered` or `none` says otherwise.
 * @throws channel-failed, without the URL
 */
export function parseSmtpUrl(url: string, channel: string): SmtpAddress {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const protocol = parsed?.protocol;
  if (parsed === undefined || (protocol !== 'smtp:' && protocol !== 'smtps:') || parsed.hostname === '') {
    throw wrongUrl(channel, 'is none of smtp:// or smtps://');
  }
  const { hostname, port, username, password, searchParams } = parsed;
  const given = searchParams.get('tls');
  const chosen = CHOICES.find((each) => each === given);
  const isImplicit = protocol === 'smtps:';
  if ((given !== null && chosen === undefined) || (isImplicit && given !== null && chosen !== 'required')) {
    throw wrongUrl(channel, isImplicit ? 'has TLS from the start, and takes no other' : `has a "tls" that is unknown`);
  }
  const unknown = [...searchParams.keys()].find((key) => key !== 'tls');
  if (unknown !== undefined) throw wrongUrl(channel, 'has a parameter other than "tls"');
  const hasCredentials = username !== '' || password !== '';
  return {
    // Brackets are the URL's, not the address's.
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? PORTS[protocol] : Number(port),
    isImplicit,
    tls: isImplicit ? 'required' : (chosen ?? (hasCredentials ? 'required' : 'offered')),
    ...(hasCredentials && { credentials: { user: decoded(username, channel), password: decoded(password, channel) } }),
  };
}

function decoded(text: string, channel: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw wrongUrl(channel, 'has a user or a password that is not percent-encoded as it should be');
  }
}

function wrongUrl(channel: string, what: string): HoldfastError {
  return new HoldfastError('channel-failed', `channel ${channel}: the URL of its mail server ${what}`, {
    hint: 'Expected smtp://USER:PASSWORD@HOST:PORT or smtps://…, with ?tls=required, offered or none where that is needed.',
    context: { channel },
  });
}
