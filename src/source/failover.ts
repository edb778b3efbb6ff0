/**
 * What a failover and the way back do to servers. Every call may be made again: what was done is found and left as it is.
 * Each opens connections of its own and ends them. URLs hold passwords; nothing that comes back does.
 *
 * All throw source-unreachable, source-lost, source-refused, plan-invalid for what is no URL, and the reason of the signal.
 */

/** What a PostgreSQL server is just now. */
export interface PostgresServerState {
  /** `shop on db.example:5432`. */
  label: string;
  isStandby: boolean;
  /** Nobody gets in but who was let in on purpose. */
  isFenced: boolean;
  /** Whether the role may do what a fence or a promotion takes. */
  isSuperuser: boolean;
  version: number;
  /** The cluster: a primary and its standbys have the same. */
  system: string;
  timeline: number;
  /** How far its log goes: of a standby, what it has got of it. */
  lsn: bigint;
  /** Of a standby, when the last transaction that it replayed was committed, by the primary's clock: milliseconds since 1970. */
  replayedMs?: number;
  /** Whether something of the primary still comes in. Of a standby. */
  isReceiving?: boolean;
}

export interface PostgresFence {
  label: string;
  /** All that the server acknowledged lies before it in its log. */
  lsn: bigint;
  timeline: number;
  /** It follows another server, and takes no writes by itself. */
  isStandby: boolean;
  endedSessions: number;
  /** Nothing, or where the server shows nobody who had connected before and has sent nothing: for so long they may get in. */
  silentMs: number;
  /** Transactions that wait for their second phase: nobody can end them before the fence is lifted. */
  preparedTransactions: number;
}

/** What a server wrote that the one promoted in its place does not have. */
export interface Divergence {
  bytes: bigint;
  /** Committed there; undefined where the log has been removed already. */
  transactions?: number;
}

export interface PostgresPromotion {
  label: string;
  /** It was none before. */
  wasStandby: boolean;
  timeline: number;
  /** Where the timeline was left; undefined once the server was started again since. */
  forkLsn?: bigint;
}

export interface PostgresReseed {
  /** The data directory of the server that is to follow, on this machine. It must be stopped. */
  directory: string;
  /** Who it is to follow. */
  fromUrl: string;
  /** What keeps the log there until the standby has it. */
  slot: string;
  signal: AbortSignal;
  tell(line: string): void;
}

export interface PostgresReseeded {
  /**
   * `rewound`: only what differed was copied. `copied`: all of it, and what was there lies beside it, at `asideDirectory`.
   * `found`: it followed that one already.
   */
  how: 'rewound' | 'copied' | 'found';
  /** The log that it needs begins here. */
  lsn: bigint;
  /** What the old primary wrote and nobody took over. */
  divergentBytes: bigint;
  asideDirectory?: string;
}

export interface PostgresFailover {
  look(url: string, signal: AbortSignal): Promise<PostgresServerState>;
  /**
   * Lets nobody in any more and ends all sessions, for as long as nobody lifts it, restarts included. Proven when it returns:
   * an application was refused, and nobody was left inside.
   * @param application as whom it is tried
   * @throws source-refused where the role may not, or where it would not hold
   */
  fence(urls: { admin: string; application: string }, signal: AbortSignal): Promise<PostgresFence>;
  /** @returns whether there was a fence */
  unfence(url: string, signal: AbortSignal): Promise<boolean>;
  /** What a server has behind the place where its timeline was left for the one of its successor. */
  divergence(url: string, forkLsn: bigint, signal: AbortSignal): Promise<Divergence>;
  /** Makes a standby a primary, and returns once a write was durable there. */
  promote(url: string, signal: AbortSignal): Promise<PostgresPromotion>;
  reseed(reseed: PostgresReseed): Promise<PostgresReseeded>;
}

/** What a Redis server is just now. */
export interface RedisServerState {
  label: string;
  isReplica: boolean;
  /** Where its stream of commands is. */
  offset: bigint;
  replicationId: string;
  /** Of a replica: whether its master is heard, and since when not, in milliseconds. */
  isLinked?: boolean;
  silentMs?: number;
  /** Whom it follows: `host:port`. */
  follows?: string;
  /** Those that follow it. */
  replicas: { host: string; port: number; offset: bigint }[];
  /** It takes no writes on purpose. */
  isFenced: boolean;
}

export interface RedisFailover {
  look(url: string, signal: AbortSignal): Promise<RedisServerState>;
  /**
   * Has a master refuse all writes, until it is made a replica or told otherwise. Proven when it returns.
   * @returns what it had by then; `isLasting`: whether its own configuration file says so as well, for the next time it starts
   */
  fence(url: string, signal: AbortSignal): Promise<RedisServerState & { isLasting: boolean }>;
  /** @returns whether there was a fence */
  unfence(url: string, signal: AbortSignal): Promise<boolean>;
  /** Makes a replica the master, and returns once it took a write. @returns whether it was a replica, and its offset then */
  promote(url: string, signal: AbortSignal): Promise<{ wasReplica: boolean; offset: bigint; isLasting: boolean }>;
  /**
   * Makes a server the replica of another one, and returns once it has all that the other one had.
   * What it had itself is gone.
   * @returns `isLasting`: whether its own configuration file says so as well, for the next time it starts
   */
  follow(
    urls: { url: string; from: string },
    context: { signal: AbortSignal; tell(line: string): void },
  ): Promise<{ offset: bigint; isLasting: boolean }>;
}
