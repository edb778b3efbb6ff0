import { HoldfastError } from '../../../foundation/errors.ts';

/** Where a server is, and as whom to log in there. Never to be shown: see `labelOf`. */
export interface Location {
  /** A host's name or address; of a Unix socket its path, which begins with a slash. */
  host: string;
  /** Zero for a Unix socket. */
  port: number;
  /** An ACL user; without one the server's default user. */
  user: string | undefined;
  password: string | undefined;
  /** The database that the URL names; a backup takes all of them. */
  database: number;
  /** Without it the connection is not encrypted. */
  tls: TlsFiles | undefined;
}

/** The files of a TLS connection, as the URL's parameters name them. */
export interface TlsFiles {
  /** `cacert`: who is believed; the runtime's own roots without it. */
  authorities: string | undefined;
  /** `cert` and `key`: who we are. */
  certificate: string | undefined;
  key: string | undefined;
  /** `sni`: the name that the server's certificate must have; its host without it. */
  serverName: string | undefined;
  /** `insecure=true`: the server's certificate is not looked at. */
  isVerified: boolean;
}

/** Schemes of URLs that name a Redis or Valkey server. */
export const REDIS_SCHEMES = [
  'redis',
  'rediss',
  'valkey',
  'valkeys',
  'redis+unix',
  'valkey+unix',
  'redis+socket',
  'unix',
] as const;

const DEFAULT_PORT = 6379;
const HIGHEST_PORT = 65_535;
const URL_FORM = /^([a-z+]+):\/\/(?:([^@/?#]*)@)?(\[[^\]@]*\]|[^:/?#@]*)(?::(\d+))?(\/[^?#]*)?(?:\?([^#]*))?$/i;
const PARAMETERS: readonly string[] = ['db', 'cacert', 'cert', 'key', 'sni', 'insecure'];

/**
 * Takes the URLs that Redis's and Valkey's own tools and clients take: `redis://user:password@host:6379/0`, `rediss://`
 * with TLS, `redis+unix:///path/to/socket?db=0`, and Valkey's names for each.
 * @throws plan-invalid when it is none; the message does not repeat it, since it may hold a password
 */
export function parseLocation(url: string): Location {
  const match = URL_FORM.exec(url);
  if (match === null) throw notUrl();
  const [, scheme = '', login = '', authority = '', port = '', path = '', query = ''] = match;
  const kind = scheme.toLowerCase();
  if (!(REDIS_SCHEMES as readonly string[]).includes(kind)) throw notUrl();
  const parameters = new Map(new URLSearchParams(query.replaceAll('+', '%2B')));
  for (const name of parameters.keys()) if (!PARAMETERS.includes(name)) throw unknownParameter(name);
  const isSocket = kind === 'unix' || kind.includes('+');
  const colon = login.indexOf(':');
  const location = {
    user: textOf(colon === -1 ? login : login.slice(0, colon)),
    password: colon === -1 ? undefined : textOf(login.slice(colon + 1)),
    tls: kind === 'rediss' || kind === 'valkeys' ? tlsFiles(parameters) : undefined,
  };
  const database = (text: string): number => {
    if (/^\d{1,9}$/.test(text)) return Number(text);
    throw notUrl();
  };
  const named = parameters.get('db');
  if (isSocket) {
    if (authority !== '' || port !== '' || path.length < 2) throw notUrl();
    return { ...location, host: decode(path), port: 0, database: database(named ?? '0') };
  }
  const number = port === '' ? DEFAULT_PORT : Number(port);
  if (number < 1 || number > HIGHEST_PORT) throw notUrl();
  const host = decode(authority.replace(/^\[(.*)\]$/, '$1'));
  const inPath = path.replace(/^\//, '');
  return {
    ...location,
    host: host === '' ? 'localhost' : host,
    port: number,
    database: database(named ?? (inPath === '' ? '0' : inPath)),
  };
}

/** `db.example:6379`, or a socket's path: what may be shown of a location. */
export function labelOf({ host, port }: Location): string {
  return isSocket(host) ? host : `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Whether a host is the path of a Unix socket. */
export function isSocket(host: string): boolean {
  return host.startsWith('/');
}

function tlsFiles(parameters: ReadonlyMap<string, string>): TlsFiles {
  return {
    authorities: parameters.get('cacert'),
    certificate: parameters.get('cert'),
    key: parameters.get('key'),
    serverName: parameters.get('sni'),
    isVerified: !['true', '1', 'yes'].includes(parameters.get('insecure') ?? 'false'),
  };
}

function textOf(text: string): string | undefined {
  return text === '' ? undefined : decode(text);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // The cause would repeat a part of the URL.
    throw notUrl();
  }
}

function unknownParameter(name: string): HoldfastError {
  return new HoldfastError('plan-invalid', `the URL of the server has the unknown parameter ${name}`, {
    hint: `It takes ${PARAMETERS.join(', ')}.`,
  });
}

function notUrl(): HoldfastError {
  return new HoldfastError('plan-invalid', 'the URL of the server is not one', {
    hint: 'It should look like redis://user:password@host:6379, rediss://host:6379 with TLS, or redis+unix:///path/to/socket; special characters of the password percent-encoded.',
  });
}
