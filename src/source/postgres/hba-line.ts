export interface Entrant {
  /** Left out for replication, which `all` does not stand for. */
  database?: string;
  user: string;
  /** As the server sees it; undefined by a Unix socket. */
  address: string | undefined;
  hasPassword: boolean;
}

/**
 * The line of pg_hba.conf that lets somebody in. By a socket and without a password it is the system's user of that name.
 * Source: PostgreSQL's documentation, "The pg_hba.conf File".
 */
export function hbaLine({ database, user, address, hasPassword }: Entrant): string {
  const who = `${database === undefined ? 'replication' : quoted(database)} ${quoted(user)}`;
  if (address === undefined) return `local ${who} ${hasPassword ? 'scram-sha-256' : 'peer'}`;
  return `host ${who} ${address}/${address.includes(':') ? 128 : 32} scram-sha-256`;
}

/** Words with a meaning of their own, which quotes take from them. */
const KEYWORDS = new Set(['all', 'replication', 'sameuser', 'samerole', 'samegroup']);

function quoted(name: string): string {
  return /^[a-z_][a-z0-9_$]*$/.test(name) && !KEYWORDS.has(name) ? name : `"${name.replaceAll('"', '""')}"`;
}
