import { isIPv4, isIPv6 } from 'node:net';
import { HoldfastError } from '../../foundation/errors.ts';

export const DEFAULT_LISTEN = '127.0.0.1:8787';

export interface ListenAddress {
  host: string;
  port: number;
}

const FORM = /^(?:\[(?<six>[0-9a-fA-F:.]+)\]|(?<name>[^:[\]]*)):(?<port>\d{1,5})$/;

/** `HOST:PORT`, with an IPv6 address in brackets; port 0 takes a free one. @throws bad-usage */
export function parseListenAddress(text: string): ListenAddress {
  const { six, name, port = '' } = FORM.exec(text)?.groups ?? {};
  const host = six ?? name ?? '';
  const isHost = six === undefined ? host !== '' : isIPv6(six);
  if (isHost && Number(port) <= 65_535 && port !== '') return { host, port: Number(port) };
  throw new HoldfastError('bad-usage', `${JSON.stringify(text)} is no address to listen on`, {
    hint: `Write HOST:PORT, such as ${DEFAULT_LISTEN} or [::1]:8787.`,
  });
}

/** Whether only this machine reaches it. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true;
  return isIPv4(host) && host.startsWith('127.');
}

/** Without encryption a token is everybody's on the way. @throws bad-usage */
export function assertProtected(
  { host }: ListenAddress,
  { hasTls, insecure }: { hasTls: boolean; insecure: boolean },
): void {
  if (hasTls || insecure || isLoopback(host)) return;
  throw new HoldfastError(
    'bad-usage',
    `the API is not served on ${host} without TLS: tokens would be read on the way`,
    {
      hint: 'Give --tls-cert and --tls-key, listen on 127.0.0.1 behind a proxy that has TLS, or say --insecure.',
    },
  );
}

/**
 * Whether the name that a request was sent to is one of this machine's loopback. A page in a browser whose own name was made
 * to lead here sends that name.
 */
export function isLoopbackName(hostHeader: string | undefined): boolean {
  if (hostHeader === undefined) return false;
  const name = /^(?:\[([^\]]+)\]|([^:]+))(?::\d+)?$/.exec(hostHeader);
  return name !== null && isLoopback((name[1] ?? name[2]!).toLowerCase());
}
