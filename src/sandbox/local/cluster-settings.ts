/** Settings of a PostgreSQL server by name, as they would stand in postgresql.conf. */
export type ServerSettings = Readonly<Record<string, string | number>>;

/** What every cluster here runs with: out of anybody's reach, small, and with nothing of the data in its log. */
export const ALWAYS = {
  listen_addresses: '',
  port: 5432,
  unix_socket_permissions: '0700',
  logging_collector: 'off',
  log_destination: 'stderr',
  // Details and statements quote data, and the end of the log becomes part of error messages.
  log_error_verbosity: 'terse',
  log_min_error_statement: 'panic',
  // Segments in the data directory go with it; those in /dev/shm would outlive a server that was killed.
  dynamic_shared_memory_type: 'mmap',
  shared_buffers: '32MB',
  max_connections: 50,
  jit: 'off',
} satisfies ServerSettings;

/** What only a cluster may have whose data nobody would miss. */
const THROWAWAY = {
  fsync: 'off',
  full_page_writes: 'off',
  synchronous_commit: 'off',
  wal_level: 'minimal',
  max_wal_senders: 0,
  autovacuum: 'off',
} satisfies ServerSettings;

/**
 * The command-line arguments of a server with these settings. `settings` wins over what is usual here, but not over what
 * keeps the server private.
 */
export function settingArguments(
  socketDirectory: string,
  throwaway: boolean,
  settings: ServerSettings | undefined,
): string[] {
  const privacy = { listen_addresses: '', port: 5432, unix_socket_directories: quotedListItem(socketDirectory) };
  const all: ServerSettings = { ...ALWAYS, ...(throwaway ? THROWAWAY : {}), ...settings, ...privacy };
  return Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

/** A path as one item of a list-valued setting, which would otherwise end at a comma or a space. */
export function quotedListItem(path: string): string {
  return `"${path.replaceAll('"', '""')}"`;
}
