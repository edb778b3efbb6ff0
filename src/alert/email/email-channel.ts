import { createTransport } from 'nodemailer';
import { HoldfastError, messageOf } from '../../foundation/errors.ts';
import { isUntrusted, plainCause } from '../../foundation/http.ts';
import { redactor } from '../../foundation/redaction.ts';
import type { Channel } from '../channel.ts';
import { onOneLine } from '../wording.ts';
import { mailOf } from './mail.ts';
import { parseSmtpUrl, type SmtpAddress } from './smtp-address.ts';

export interface EmailOptions {
  /** The name of the channel. */
  name: string;
  to: readonly string[];
  from: string;
  /** See `parseSmtpUrl`. */
  smtp: string;
  /** How long the server may be silent; 10 s by default. */
  timeoutMs?: number;
}

const TIMEOUT_MS = 10_000;
/** Of all of a mail, so many times that: a server that says a little now and then would be waited for without end. */
const WHOLE_TIMES = 6;
const SAID_CHARACTERS = 300;
const RESPONSE_LIMIT_BYTES = 64 * 1024;

/**
 * Mail by SMTP, as text and as HTML. What belongs to one alert is one thread.
 * @throws channel-failed for what is no URL of a mail server, or no address
 */
export function createEmailChannel(options: EmailOptions): Channel {
  const address = parseSmtpUrl(options.smtp, options.name);
  assertAddresses([options.from, ...options.to], options.name);
  return {
    takes: () => true,
    async send(message, signal) {
      const { subject, text, html, messageId, references, isUrgent } = mailOf(message, domainOf(options.from));
      const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
      const transport = transportTo(address, timeoutMs);
      const expired = AbortSignal.timeout(WHOLE_TIMES * timeoutMs);
      const [inReplyTo] = references;
      try {
        const { rejected } = await transport.sendMail({
          ...{ from: options.from, to: [...options.to], subject, text, html, messageId },
          signal: AbortSignal.any([signal, expired]),
          ...(inReplyTo !== undefined && { inReplyTo, references }),
          ...(isUrgent && { priority: 'high' as const }),
          headers: { 'Auto-Submitted': 'auto-generated' },
          disableFileAccess: true,
          disableUrlAccess: true,
        });
        if (rejected.length > 0) throw partlyRefused(options, address, rejected);
      } catch (error) {
        signal.throwIfAborted();
        if (expired.aborted) throw tooSlow(options, address, WHOLE_TIMES * timeoutMs);
        throw error instanceof HoldfastError ? error : failureOf(error, options, address);
      } finally {
        transport.close();
      }
    },
  };
}

/** An address with a line break in it would be more than an address. */
function assertAddresses(addresses: readonly string[], name: string): void {
  const wrong = addresses.find((address) => !/^[^\p{Cc}]+@[^\p{Cc}]+$/u.test(address));
  if (wrong === undefined) return;
  throw new HoldfastError('channel-failed', `channel ${name}: ${JSON.stringify(wrong)} is no address of mail`, {
    hint: 'Expected addresses such as lead@example.com under `to` and `from`.',
    context: { channel: name },
  });
}

function transportTo({ host, port, isImplicit, tls, credentials }: SmtpAddress, timeoutMs: number) {
  return createTransport({
    ...{ host, port, secure: isImplicit, requireTLS: tls === 'required' && !isImplicit, ignoreTLS: tls === 'none' },
    ...{ connectionTimeout: timeoutMs, greetingTimeout: timeoutMs, socketTimeout: timeoutMs, dnsTimeout: timeoutMs },
    ...(credentials && { auth: { user: credentials.user, pass: credentials.password } }),
    maxResponseSize: RESPONSE_LIMIT_BYTES,
    tls: { rejectUnauthorized: tls === 'required' },
  });
}

function tooSlow({ name }: EmailOptions, { host, port }: SmtpAddress, afterMs: number): HoldfastError {
  const message = `channel ${name}: the mail server ${host}:${port} had not taken the mail after ${afterMs / 1000} s`;
  return new HoldfastError('channel-failed', message, {
    hint: 'Check the URL of the mail server, and what it does with a mail from this machine.',
    retryable: true,
    context: { channel: name, server: `${host}:${port}` },
  });
}

/** Some have it and some have not: whoever has not was not told. */
function partlyRefused({ name }: EmailOptions, { host }: SmtpAddress, rejected: readonly string[]): HoldfastError {
  const message = `channel ${name}: the mail server ${host} took the mail, but not for ${rejected.join(', ')}`;
  return new HoldfastError('channel-failed', message, {
    hint: 'Correct the addresses in the plan. The others have the mail.',
    context: { channel: name, server: host },
  });
}

function failureOf(error: unknown, { name }: EmailOptions, { host, port, credentials }: SmtpAddress): HoldfastError {
  const { user = '', password = '' } = credentials ?? {};
  // A server may quote what it was told, which is base64 of user and password where one logs in.
  const redact = redactor([password, `\0${user}\0${password}`]);
  const { code, responseCode } = (error ?? {}) as { code?: unknown; responseCode?: unknown };
  const said = onOneLine(redact(messageOf(error))).slice(0, SAID_CHARACTERS);
  return new HoldfastError('channel-failed', `channel ${name}: the mail server ${host}:${port} failed: ${said}`, {
    hint: hintFor(code, said),
    retryable: mayPass(code, responseCode, said),
    context: {
      channel: name,
      server: `${host}:${port}`,
      ...(typeof responseCode === 'number' && { status: responseCode }),
    },
    cause: plainCause(new Error(said)),
  });
}

/** A reply from 400 to 499 is for now, one from 500 on for good; where none came, the next connection may do. */
function mayPass(code: unknown, responseCode: unknown, said: string): boolean {
  if (typeof responseCode === 'number' && responseCode >= 400) return responseCode < 500 || responseCode === 503;
  if (code === 'ETLS' || code === 'ENOAUTH' || code === 'ECONFIG') return false;
  return !isUntrustedText(code, said);
}

function hintFor(code: unknown, said: string): string {
  if (code === 'EAUTH' || code === 'ENOAUTH') return 'Check the user and the password in the URL of the mail server.';
  if (isUntrustedText(code, said)) {
    return "Check the host's name. For an authority of your own, set NODE_EXTRA_CA_CERTS to its certificate.";
  }
  if (code === 'ETLS') return 'It offers no encryption: use smtps://, or ?tls=offered where the network is trusted.';
  return 'Check the URL of the mail server, and what it said.';
}

function isUntrustedText(code: unknown, said: string): boolean {
  return isUntrusted(String(code)) || /certificate|altnames/i.test(said);
}

function domainOf(from: string): string {
  return /@([A-Za-z0-9.-]+)>?\s*$/.exec(from)?.[1] ?? 'holdfast.invalid';
}
