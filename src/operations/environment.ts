import type { Channel } from '../alert/index.ts';
import type { DnsServer, DnsSettings } from '../dns/index.ts';
import type { Clock } from '../foundation/clock.ts';
import type { Progress } from '../foundation/progress.ts';
import type { ScryptInput } from '../foundation/scrypt.ts';
import type {
  ChannelPlan,
  LockPolicy,
  Sandbox as PlanSandbox,
  Source as PlanSource,
  ReferenceContext,
  SecretReference,
  StorePlace,
} from '../plan/index.ts';
import type { Sandbox } from '../sandbox/index.ts';
import type {
  AddressGate,
  CredentialsServer,
  PostgresFailover,
  RedisFailover,
  ReplicationPositions,
  Source,
  UserSwitch,
} from '../source/index.ts';
import type { ObjectStore, StoreMetrics, StorePrices } from '../store/index.ts';

/** What operations need from outside: made by the composition root, or by a test. */
export interface Environment {
  clock: Clock;
  /** Variables that references may name. */
  variables: Readonly<Record<string, string | undefined>>;
  /** Holdfast's own version. */
  version: string;
  signal: AbortSignal;
  /** The time as of which stores are read, in milliseconds since 1970; as they are now without it. Nothing is written then. */
  asOfMs?: number;
  /** Where work on `label` (a source, a repository) tells how far it is. */
  progress(label: string): Progress;
  adapters: Adapters;
  /** Holdfast's directory for what this user's programs must not forget, absolute; without one, nothing waits for a repository. */
  stateDirectory?: string;
  /** Holdfast's directory for what may be had again, absolute; without one, the ledger is read anew each time. */
  cacheDirectory?: string;
  /** Told what the key of a repository that was opened was derived of: where its password is from, and what goes with it. */
  onKeyDerived?(password: SecretReference, derived: ScryptInput): void;
  /** Where the requests to stores are counted, by the name of the repository; nowhere without it. */
  requests?: Map<string, CountedRequests>;
}

/** The requests to one repository's store, and what they cost. */
export interface CountedRequests {
  metrics: StoreMetrics;
  prices: StorePrices;
}

/** The implementations of the boundaries. Each is loaded when it is first asked for. */
export interface Adapters {
  /**
   * A store with all that stands between it and a repository, but a cache: what is counted, limited and tried again is
   * decided there.
   */
  openStore(place: StorePlace, context: StoreContext): Promise<ObjectStore>;
  /**
   * The same store, with a cache of this machine before it where that helps. Without the method nothing is cached.
   * @param note is told what a person should know of the cache
   */
  cached?(store: ObjectStore, context: CacheContext): Promise<ObjectStore>;
  createSource(source: PlanSource, context: SourceContext): Promise<Source>;
  /** A channel of the plan. Without the method there are none. @throws secret-unavailable */
  createChannel?(planned: ChannelPlan, context: ReferenceContext & Pick<Environment, 'clock'>): Promise<Channel>;
  /** How far a PostgreSQL server and its standby are, by their URLs. Without the method nothing is measured. @throws source-unreachable … */
  measureReplication?(urls: { standby: string; primary: string }, signal: AbortSignal): Promise<ReplicationPositions>;
  /** What a failover does to servers. Without the methods no step does. */
  postgresFailover?(): Promise<PostgresFailover>;
  redisFailover?(): Promise<RedisFailover>;
  /** What gives users of servers new passwords. Without the methods no step does. */
  postgresCredentials?(): Promise<CredentialsServer>;
  redisCredentials?(): Promise<CredentialsServer>;
  redisUsers?(): Promise<UserSwitch>;
  postgresUsers?(): Promise<UserSwitch>;
  /** What keeps others out of a server by their addresses. Without the method no step does. */
  postgresGate?(): Promise<AddressGate>;
  /** A name server that takes updates. Without the method no step points a name elsewhere. */
  createDnsServer?(settings: DnsSettings, context: Pick<ReferenceContext, 'env'>): Promise<DnsServer>;
  /** See `ReferenceContext`. */
  readCloudSecret?: ReferenceContext['readCloudSecret'];
  /** Whether there is a secret of this full name in Secret Manager. @throws source-refused, source-unreachable */
  hasSecret?(name: string, context: Pick<ReferenceContext, 'env'>): Promise<boolean>;
  /** Makes a value the newest version of a secret, once: `isNew` where it was not. @throws source-refused, path-missing … */
  putSecretValue?(
    name: string,
    value: string,
    context: Pick<ReferenceContext, 'env'>,
  ): Promise<{ version: string; isNew: boolean }>;
  /** Which versions of a secret give their value, and aliases of versions that are not the newest. @throws path-missing, source-refused … */
  lookAtSecret?(
    name: string,
    context: Pick<ReferenceContext, 'env'>,
  ): Promise<{ enabled: string[]; aliases: string[] }>;
  /**
   * Makes a value the newest version of a secret, and has older ones give theirs to nobody: each is tried.
   * @throws source-refused, path-missing …; validation-failed where an older one still does
   */
  rotateSecret?(
    name: string,
    value: string,
    context: Pick<ReferenceContext, 'env'>,
  ): Promise<{ version: string; disabled: number }>;
  /** @param chosen of the plan, and the source that is proven in it; this machine, when left out */
  createSandbox(environment: Pick<Environment, 'clock' | 'signal'>, chosen?: ChosenSandbox): Promise<Sandbox>;
  /** A PostgreSQL server for the demo. @throws program-missing where there is none on this machine */
  startDemoServer(environment: Pick<Environment, 'clock' | 'signal'>): Promise<DemoServer>;
}

/** What a source is made with, beside what the plan says of it. */
export interface SourceContext extends ReferenceContext {
  version: string;
  /** The name of the plan. */
  plan: string;
  /** The URL of the server that it moved to; undefined where it is where the plan says. */
  moved?(): Promise<string | undefined>;
}

export interface ChosenSandbox {
  sandbox: PlanSandbox;
  source: PlanSource;
  references: ReferenceContext;
}

/** What a store is opened with, beside its place. */
export interface StoreContext extends Pick<Environment, 'clock' | 'signal' | 'variables'> {
  /** Bytes a second. */
  limits?: { upload?: number; download?: number };
  /** That what is put there is locked. */
  lock?: LockPolicy;
  /** What counts the requests to it, made when it is first asked for. They are not counted without it. */
  metrics?(): StoreMetrics;
}

export interface CacheContext {
  place: StorePlace;
  /** The id in the repository's configuration. */
  repositoryId: string;
  variables: Environment['variables'];
  note(message: string): void;
}

/** A database server of the demo's own, on a private socket. */
export interface DemoServer {
  version: string;
  majorVersion: number;
  superuser: string;
  pid: number;
  socketDirectory: string;
  /** The connection string of one of its databases. */
  url(database: string): string;
  /** Ends the server and removes all that it had. */
  stop(): Promise<void>;
}
