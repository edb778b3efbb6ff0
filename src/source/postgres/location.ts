import { HoldfastError } from '../../foundation/errors.ts';
import { currentUser } from '../../foundation/user.ts';

/** Where a database is, and as whom to log in there. Never to be shown: see `labelOf`. */
export interface Location {
  /** A host's name or address, or the directory of a Unix socket. */
  host: string;
  port: number;
  user: string;
  password: string | undefined;
  database: string;
  /** The URL's other parameters, as libpq names them: `sslmode`, `sslrootcert` … */
  parameters: ReadonlyMap<string, string>;
  /** What sessions are called in `pg_stat_activity`: `holdfast`, when left out. */
  application?: string;
}

// A second @ is none: what stands before it would be a part of the password, and is not to be shown as the host.
const URL_FORM =
  /^postgres(?:ql)?:\/\/(?:([^@/?#]*)@)?(\[[^\]@]*\]|[^:/?#@]*)(?::(\d+))?(?:\/([^?#@]*))?(?:\?([^#]*))?$/i;
const HIGHEST_PORT = 65_535;
const DEFAULT_PORT = 5432;
const DEFAULT_SOCKET_DIRECTORY = '/var/run/postgresql';

/**
 * Takes a connection URL as libpq does, except that it names one host only.
 * @throws plan-invalid when it is none; the message does not repeat it, since it may hold a password
 */
export function parseLocation(url: string): Location {
  const match = URL_FORM.exec(url);
  if (match === null) throw notUrl();
  const [, login = '', authority = '', port = '', path = '', query = ''] = match;
  const parameters = new Map(new URLSearchParams(query.replaceAll('+', '%2B')));
  const colon = login.indexOf(':');
  const taken = (name: string, other: string | undefined): string | undefined => {
    const value = parameters.get(name);
    parameters.delete(name);
    return value ?? (other === '' ? undefined : other);
  };
  const host = taken('host', decode(authority.replace(/^\[(.*)\]$/, '$1'))) ?? DEFAULT_SOCKET_DIRECTORY;
  const user = taken('user', decode(colon === -1 ? login : login.slice(0, colon))) ?? defaultUser();
  const number = Number(taken('port', port) ?? DEFAULT_PORT);
  if (host.includes(',') || !Number.isInteger(number) || number < 1 || number > HIGHEST_PORT) throw notUrl();
  return {
    host: parameters.get('hostaddr') ?? host,
    port: number,
    user,
    password: taken('password', colon === -1 ? undefined : decode(login.slice(colon + 1))),
    database: taken('dbname', decode(path)) ?? user,
    parameters,
  };
}

/** `shop on db.example:5432`: what may be shown of a location. */
export function labelOf({ database, host, port }: Location): string {
  return `${database} on ${isSocket(host) ? host : `${host}:${port}`}`;
}

/** Whether a host is the directory of a Unix socket. */
export function isSocket(host: string): boolean {
  return host.startsWith('/') || host.startsWith('@');
}

/** The same server and login with another database. */
export function otherDatabase(location: Location, database: string): Location {
  return { ...location, database };
}

/**
 * The environment in which PostgreSQL's own programs find the location. It holds the password: give it to a child
 * process and show it to nobody. Certificates and `.pgpass` are found by HOME, as libpq does.
 */
export function programEnvironment(location: Location): Record<string, string> {
  const environment: Record<string, string> = {
    LC_ALL: 'C',
    PGHOST: location.host,
    PGPORT: String(location.port),
    PGUSER: location.user,
    PGDATABASE: location.database,
    PGAPPNAME: location.application ?? 'holdfast',
    PGCONNECT_TIMEOUT: '15',
  };
  for (const name of ['PATH', 'HOME', 'PGPASSFILE', 'PGPASSWORD', 'PGSYSCONFDIR']) {
    const value = process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  if (location.password !== undefined) environment['PGPASSWORD'] = location.password;
  for (const [parameter, variable] of ENVIRONMENT_OF_PARAMETER) {
    const value = location.parameters.get(parameter);
    if (value !== undefined) environment[variable] = value;
  }
  return environment;
}

/** libpq's parameters that have a variable in the environment. */
const ENVIRONMENT_OF_PARAMETER: readonly (readonly [string, string])[] = [
  ['sslmode', 'PGSSLMODE'],
  ['sslcert', 'PGSSLCERT'],
  ['sslkey', 'PGSSLKEY'],
  ['sslrootcert', 'PGSSLROOTCERT'],
  ['sslcrl', 'PGSSLCRL'],
  ['ssl_min_protocol_version', 'PGSSLMINPROTOCOLVERSION'],
  ['sslnegotiation', 'PGSSLNEGOTIATION'],
  ['sslsni', 'PGSSLSNI'],
  ['gssencmode', 'PGGSSENCMODE'],
  ['channel_binding', 'PGCHANNELBINDING'],
  ['options', 'PGOPTIONS'],
  ['require_auth', 'PGREQUIREAUTH'],
];

/**
 * A connection string for `--dbname`: nothing but the database, which stands in the list of processes, and keepalives
 * that find a dead server within half a minute. The rest comes from the environment.
 */
export function databaseArgument({ database }: Location): string {
  const quoted = database.replace(/[\\']/g, '\\$&');
  return `dbname='${quoted}' keepalives_idle=10 keepalives_interval=2 keepalives_count=5`;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // The cause would repeat a part of the URL.
    throw notUrl();
  }
}

function defaultUser(): string {
  return process.env['PGUSER'] ?? currentUser().username;
}

function notUrl(): HoldfastError {
  return new HoldfastError('plan-invalid', 'the URL of the database is not one', {
    hint: 'It should look like postgres://user@host:5432/database; one host, and special characters of the password percent-encoded.',
  });
}
