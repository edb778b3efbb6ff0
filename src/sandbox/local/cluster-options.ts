import type { Clock } from '../../foundation/clock.ts';
import type { PostgresPrograms } from '../../foundation/postgres-programs.ts';
import type { ServerSettings } from './cluster-settings.ts';

export interface PostgresClusterOptions {
  /** The server programs: those that were found, or those of exactly this major version on this machine. */
  server: PostgresPrograms | { majorVersion: number };
  /** Where the cluster's directory is made; the system's temporary directory by default. */
  parentDirectory?: string;
  /** Whether nobody would miss the data: the server may then lose it in a crash, and is faster. True by default. */
  throwaway?: boolean;
  /** Settings of the server beside, or instead of, the usual ones of a sandbox. */
  settings?: ServerSettings;
  /** The superuser's name; by default one that no captured database has by accident. */
  superuser?: string;
  /** How long initdb and the start may take together: 30 s by default. */
  startTimeoutMs?: number;
  clock: Clock;
  /** Gives up the start. A cluster that has started is stopped by `stop`. */
  signal?: AbortSignal;
}
