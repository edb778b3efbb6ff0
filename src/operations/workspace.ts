import { seal, unseal } from '../format/index.ts';
import type { Clock } from '../foundation/clock.ts';
import { HoldfastError, isHoldfastError } from '../foundation/errors.ts';
import type { Progress } from '../foundation/progress.ts';
import { Ledger, type LedgerStorage } from '../ledger/index.ts';
import {
  type LoadedPlan,
  type Plan,
  type Repository as PlanRepository,
  type Source as PlanSource,
  type ReferenceContext,
  resolveSecret,
  type StorePlace,
  storePlace,
} from '../plan/index.ts';
import { openRepository, type Repository } from '../repository/index.ts';
import type { Sandbox } from '../sandbox/index.ts';
import type { Source } from '../source/index.ts';
import { DEFAULT_PRICES, type ObjectStore, StoreMetrics, type StorePrices } from '../store/index.ts';

/** What operations need from outside: made by the composition root, or by a test. */
export interface Environment {
  clock: Clock;
  /** Variables that references may name. */
  variables: Readonly<Record<string, string | undefined>>;
  /** Holdfast's own version. */
  version: string;
  signal: AbortSignal;
  /** Where work on `label` (a source, a repository) tells how far it is. */
  progress(label: string): Progress;
  adapters: Adapters;
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
  openStore(place: StorePlace, context: StoreContext): Promise<ObjectStore>;
  /**
   * The same store, with a cache of this machine before it where that helps. Without the method nothing is cached.
   * @param note is told what a person should know of the cache
   */
  cached?(store: ObjectStore, context: CacheContext): Promise<ObjectStore>;
  createSource(source: PlanSource, context: ReferenceContext & { version: string; plan: string }): Promise<Source>;
  createSandbox(environment: Pick<Environment, 'clock' | 'signal'>): Promise<Sandbox>;
  /** A PostgreSQL server for the demo. @throws program-missing where there is none on this machine */
  startDemoServer(environment: Pick<Environment, 'clock' | 'signal'>): Promise<DemoServer>;
}

/** What a store is opened with, beside its place. */
export interface StoreContext {
  clock: Clock;
  signal: AbortSignal;
  /** Bytes a second. */
  limits?: { upload?: number; download?: number };
  /** What counts the requests to it, made when it is first asked for. They are not counted without it. */
  metrics?(): StoreMetrics;
}

export interface CacheContext {
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

/** A repository of the plan, open, with its ledger. */
export interface OpenedRepository {
  name: string;
  repository: Repository;
  ledger: Ledger;
}

/** A plan at work: opens what it names, once. */
export class Workspace {
  readonly plan: Plan;
  /** The plan's file, absolute, where it came from one. */
  readonly planPath: string | undefined;
  readonly environment: Environment;
  readonly #opened = new Map<string, Promise<OpenedRepository>>();

  constructor({ plan, path }: Pick<LoadedPlan, 'plan'> & Partial<Pick<LoadedPlan, 'path'>>, environment: Environment) {
    this.plan = plan;
    this.planPath = path;
    this.environment = environment;
  }

  get references(): ReferenceContext {
    const { variables, signal } = this.environment;
    return { directory: this.plan.directory, env: variables, signal };
  }

  /** @throws no-repository, wrong-password, secret-unavailable … */
  open(name: string): Promise<OpenedRepository> {
    let opened = this.#opened.get(name);
    if (opened === undefined) {
      opened = this.#open(name);
      this.#opened.set(name, opened);
    }
    return opened;
  }

  /** The same, with no cache before its store: for who looks at whether what is stored is right. @throws as `open` */
  async openUncached(name: string): Promise<OpenedRepository> {
    const { store, password } = await this.storeOf(name);
    return this.attach(name, await openRepository(store, await password()));
  }

  async #open(name: string): Promise<OpenedRepository> {
    const { repository } = await this.openUncached(name);
    const { adapters, variables, progress } = this.environment;
    const note = (message: string): void => progress(name).note(message);
    const store = await adapters.cached?.(repository.store, { repositoryId: repository.config.id, variables, note });
    return this.attach(name, store === undefined ? repository : repository.through(store));
  }

  attach(name: string, repository: Repository): OpenedRepository {
    return { name, repository, ledger: new Ledger(ledgerStorage(repository), this.environment.clock) };
  }

  /** A repository's store and password, whether the repository is there or not. */
  async storeOf(name: string): Promise<{ store: ObjectStore; password: () => Promise<string> }> {
    const planned = this.plan.repositories.get(name);
    if (planned === undefined)
      throw unknownName('unknown-repository', 'repository', name, [...this.plan.repositories.keys()]);
    const place = storePlace(await resolveSecret(planned.store, this.references), this.plan.directory);
    const { adapters, clock, signal } = this.environment;
    const { limits } = planned;
    const metrics = (): StoreMetrics => this.#metricsOf(planned);
    const store = await adapters.openStore(place, { clock, signal, metrics, ...(limits && { limits }) });
    return { store, password: () => resolveSecret(planned.password, this.references) };
  }

  #metricsOf({ name, prices }: PlanRepository): StoreMetrics {
    const { requests = new Map<string, CountedRequests>() } = this.environment;
    const counted = requests.get(name) ?? { metrics: new StoreMetrics(), prices: { ...DEFAULT_PRICES, ...prices } };
    requests.set(name, counted);
    return counted.metrics;
  }

  /** The repository of this name, or the only one. @throws unknown-repository, bad-usage when several could be meant */
  repositoryName(given: string | undefined): string {
    const names = [...this.plan.repositories.keys()];
    if (given !== undefined) {
      if (names.includes(given)) return given;
      throw unknownName('unknown-repository', 'repository', given, names);
    }
    if (names.length === 1) return names[0]!;
    throw new HoldfastError('bad-usage', 'the plan has several repositories', {
      hint: `Add \`--repository\` with one of: ${names.join(', ')}.`,
    });
  }

  /** The plan's sources of these names, or all. @throws unknown-source */
  sources(names: readonly string[]): PlanSource[] {
    if (names.length === 0) return [...this.plan.sources.values()];
    return [...new Set(names)].map((name) => {
      const source = this.plan.sources.get(name);
      if (source === undefined) throw unknownName('unknown-source', 'source', name, [...this.plan.sources.keys()]);
      return source;
    });
  }

  createSource(planned: PlanSource): Promise<Source> {
    const { version } = this.environment;
    return this.environment.adapters.createSource(planned, { ...this.references, version, plan: this.plan.name });
  }
}

function unknownName(
  code: 'unknown-source' | 'unknown-repository',
  what: string,
  name: string,
  known: string[],
): HoldfastError {
  return new HoldfastError(code, `the plan has no ${what} ${JSON.stringify(name)}`, {
    hint: `It has: ${known.join(', ')}.`,
  });
}

const LEDGER_PREFIX = 'holdfast/ledger/';

function ledgerStorage({ store, key }: Repository): LedgerStorage {
  return {
    seal: (plain) => seal(key, plain),
    unseal: (sealed) => unseal(key, sealed),
    putNew: (name, sealed) =>
      store.put(`${LEDGER_PREFIX}${name}`, sealed, { ifAbsent: store.capabilities.conditionalPut }),
    get: (name) => store.get(`${LEDGER_PREFIX}${name}`),
    async *list() {
      for await (const { key: name, modifiedMs } of store.list(LEDGER_PREFIX))
        yield { key: name.slice(LEDGER_PREFIX.length), modifiedMs };
    },
  };
}

/** The error to report for whatever was thrown: an abort by the user is one of its own kind. */
export function reportable(error: unknown, signal: AbortSignal): HoldfastError {
  if (signal.aborted) return new HoldfastError('interrupted', 'interrupted', { cause: error });
  if (isHoldfastError(error)) return error;
  return new HoldfastError('internal', error instanceof Error ? error.message : String(error), {
    hint: 'This is a defect of Holdfast. Please report it with the output of the same command and HOLDFAST_DEBUG=1.',
    cause: error,
  });
}
