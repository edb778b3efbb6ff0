import type { Progress } from '../foundation/progress.ts';
import type { Target } from '../foundation/target.ts';

/**
 * An isolated place where a restore can do no harm.
 *
 * What it makes is removed by `close`, and also when the process dies without calling it.
 */
export interface Sandbox {
  /**
   * A fresh, empty target of this kind.
   * @throws not-provable when what is needed is not on this machine (for PostgreSQL: server programs of the major
   *   version, or a newer one for a logical restore); sandbox-failed when it could not be made.
   */
  open(need: SandboxNeed, progress: Progress): Promise<SandboxTarget>;
  /**
   * Says what `open` would say of what is missing here, and makes nothing. Without the method nothing can be.
   * @param copies whether copies of the server are going to be asked for as well
   * @throws not-provable
   */
  assertOpenable?(need: SandboxNeed, how: { copies: boolean }): Promise<void>;
  /**
   * Removes what was kept here and whose time is over. Without the method, `open` does it.
   * @returns where it was
   */
  removeExpired?(): Promise<string[]>;
}

export type SandboxNeed =
  | { kind: 'directory' }
  | { kind: 'firestore' }
  | {
      /** An empty Redis or Valkey server. */
      kind: 'redis';
      /** What was captured, and the form of its RDB: the server must load that. */
      server: 'Redis' | 'Valkey';
      version: string;
      rdbVersion: number;
      isValkeyRdb: boolean;
      databases: number;
      /** Whether values need modules, which a sandbox does not have. */
      hasModules: boolean;
    }
  | {
      kind: 'postgres';
      /** Major version of the server that was captured. A logical restore takes this or the next newer one here. */
      majorVersion: number;
      /** Whether a newer major version serves as well. */
      newerServes: boolean;
      /** The captured database's encoding and locale. Where this machine has no such locale, C.UTF-8 stands in. */
      encoding: string;
      collate: string;
      ctype: string;
    }
  | {
      /** A server for a data directory that is going to be restored: `serve` starts it. */
      kind: 'postgres-data';
      /** Of the server that was captured: no other serves. */
      majorVersion: number;
      /** A role of the cluster that may do everything, and the database to look at. */
      superuser: string;
      database: string;
      /** Settings without which the cluster does not start. */
      settings: Readonly<Record<string, string>>;
      /**
       * A data directory elsewhere, which is there to stay: the server runs as its owner, durably, and only until it has
       * recovered. Left out, there is one in the sandbox, which goes with it.
       */
      dataDirectory?: string;
      /** The log that follows the backup, and how far the server is to go; left out, it comes to the backup's end. */
      recovery?: LogRecovery;
    };

export interface LogRecovery {
  files: LogFiles;
  /** The server's own settings for it: `recovery_target_time` and the like. */
  settings: Readonly<Record<string, string>>;
}

/** The files of a log, by the names that the server has for them. */
export interface LogFiles {
  /**
   * A segment, or the history of a timeline.
   * @returns undefined only where it is certain that there is none, at which a recovery ends. @throws whatever keeps it from being read
   */
  read(name: string): Promise<Uint8Array | undefined>;
  /** What is most likely to be asked for after it. */
  following(name: string): string | undefined;
}

/** How a recovery ended, as the server said. */
export interface RecoveryEnd {
  /** The server's own line of why it stopped; undefined where it came to the end of the log. */
  stopped?: string;
  /** Where the last record begins that it replayed, as the server writes positions. */
  redoneLsn?: string;
  /** When the last transaction was that came back, as the server writes times. */
  lastTransaction?: string;
}

export interface SandboxTarget {
  target: Target;
  /** Of Firestore: the restore makes the database, in this location if one is said. */
  create?: { location?: string };
  /** What a person should know of this place: the version, a locale that another stood in for. */
  notes: string[];
  /**
   * Of `postgres-data`: starts a server on what was restored to the target, waits until it has recovered, and gives the
   * database. The server has a configuration of its own: nothing of the restored one, which might reach the living.
   * May be called again where a recovery did not come to its target.
   * @param recoverySettings instead of those that it was opened with
   * @throws not-provable where the cluster needs what this machine has not; target-failed when what was restored does not start; sandbox-failed
   */
  serve?(recoverySettings?: LogRecovery['settings']): Promise<Served>;
  /**
   * Has `close` leave what was restored until a time, as files of nobody's: a server is stopped. Without the method nothing
   * can be kept here, or the place was opened so that it is.
   * @returns where it will be
   */
  keepUntil?(untilMs: number): string;
  /**
   * Of a server, once something was restored to it: starts it anew with what it has, and others that follow it. The place's
   * own server is gone then. Called once at most.
   * @param followers a name for each
   * @throws sandbox-failed; not-provable
   */
  copies?(followers: readonly string[]): Promise<ServerCopies>;
  close(): Promise<void>;
}

/** A server and those that follow it, alone with each other. They end with their place. */
export interface ServerCopies {
  primary: ServerCopy;
  followers: ReadonlyMap<string, ServerCopy>;
}

/** A server that nobody would miss: it may be killed, and started again on what it had. */
export interface ServerCopy {
  /** How one gets in who may do everything; it may hold a password. */
  url: string;
  /** Where its data are. */
  directory: string;
  /** Starts it where it was killed, lets it go on where it was cut off, and returns once it answers. */
  start(): Promise<void>;
  /** Ends all of it at once, as when the power goes. */
  kill(): Promise<void>;
  /** It hears nothing and says nothing any more, and connections to it hang, as where the network is gone. */
  cutOff(): Promise<void>;
}

export interface Served {
  target: Extract<Target, { kind: 'database' }>;
  recovery: RecoveryEnd;
}
