import { createHash } from 'node:crypto';
import { isAbsolute, join, resolve } from 'node:path';
import type { Channel } from '../alert/index.ts';
import { seal, unseal } from '../format/index.ts';
import { HoldfastError, isHoldfastError, messageOf } from '../foundation/errors.ts';
import { awaitedLater } from '../foundation/promises.ts';
import type { ScryptInput } from '../foundation/scrypt.ts';
import { Journal, Ledger, type LedgerStorage, Recorder } from '../ledger/index.ts';
import {
  type Group,
  type LoadedPlan,
  type Plan,
  type Repository as PlanRepository,
  type Source as PlanSource,
  type ReferenceContext,
  resolveSecret,
  type StorePlan,
  storePlace,
} from '../plan/index.ts';
import { type Healer, LEDGER_PREFIX, openRepository, type Repository } from '../repository/index.ts';
import type { Source } from '../source/index.ts';
import { asFirstWritten, asOf, DEFAULT_PRICES, type ObjectStore, PastStore, StoreMetrics } from '../store/index.ts';
import type { CountedRequests, Environment } from './environment.ts';

export type {
  Adapters,
  CacheContext,
  ChosenSandbox,
  CountedRequests,
  DemoServer,
  Environment,
  SourceContext,
  StoreContext,
} from './environment.ts';

/** A repository of the plan, open, with its ledger. */
export interface OpenedRepository {
  name: string;
  repository: Repository;
  ledger: Ledger;
  /** Of a mirror, which is only read: the ledger of its primary, where what is seen is recorded. @throws as `open` */
  primaryLedger?: () => Promise<Ledger>;
  /** Who is told what of it was taken from a mirror. */
  onHealed: Set<(note: string) => void>;
}

export interface OpenOptions {
  /** With no cache before the store: for who looks at whether what is stored is right. */
  uncached?: boolean;
  /** Also where somebody hid the configuration or the keys: for who brings them back. Needs `uncached`. */
  hidden?: boolean;
  /** Called while its key is derived; not at all where it is open already. */
  meanwhile?: () => void;
  /** It is locked next: what its store can do, which from afar takes a while to find out, is looked for meanwhile. */
  willLock?: boolean;
}

/** A plan at work: opens what it names, once. */
export class Workspace {
  readonly plan: Plan;
  /** The plan's file, absolute, where it came from one. */
  readonly planPath: string | undefined;
  readonly environment: Environment;
  /** One for each name, so that a command's limits hold for all that it does. */
  readonly #stores = new Map<string, Promise<ObjectStore>>();
  readonly #uncached = new Map<string, Promise<OpenedRepository>>();
  readonly #opened = new Map<string, Promise<OpenedRepository>>();
  readonly #ready = new Set<string>();
  readonly #recorders = new Map<string, Recorder>();

  constructor({ plan, path }: Pick<LoadedPlan, 'plan'> & Partial<Pick<LoadedPlan, 'path'>>, environment: Environment) {
    this.plan = plan;
    this.planPath = path;
    this.environment = environment;
  }

  /** The same plan at work with something else around it: another signal, say. What it opens, it opens by itself. */
  within(more: Partial<Environment>): this {
    const Same = this.constructor as new (loaded: ConstructorParameters<typeof Workspace>[0], all: Environment) => this;
    const { plan, planPath: path } = this;
    return new Same({ plan, ...(path !== undefined && { path }) }, { ...this.environment, ...more });
  }

  get references(): ReferenceContext {
    const { variables, signal, adapters } = this.environment;
    const { readCloudSecret } = adapters;
    return { directory: this.plan.directory, env: variables, signal, ...(readCloudSecret && { readCloudSecret }) };
  }

  /** The names of the repositories of the plan that were opened. */
  get openedNames(): string[] {
    return [...this.#ready].filter((name) => this.plan.repositories.has(name));
  }

  /**
   * A repository of the plan, to be worked with.
   * @param options see `openToRead`
   * @throws bad-usage for a mirror, which is only read; no-repository, wrong-password, secret-unavailable …
   */
  async open(name: string, options: OpenOptions = {}): Promise<OpenedRepository> {
    this.assertNoMirror(name);
    return this.openToRead(name, options);
  }

  /** @throws bad-usage for a mirror, which is only read */
  assertNoMirror(name: string): void {
    const mirror = this.plan.mirrors.get(name);
    if (mirror === undefined) return;
    throw new HoldfastError('bad-usage', `${name} is a mirror of ${mirror.of}, and is only read`, {
      hint: `What is done to ${mirror.of} comes to its mirrors. \`holdfast repository promote ${name}\` makes it a repository of its own.`,
    });
  }

  /** A repository of the plan or a mirror, to be read. @throws no-repository, wrong-password, secret-unavailable … */
  openToRead(name: string, { uncached = false, ...options }: OpenOptions = {}): Promise<OpenedRepository> {
    const bare = (): Promise<OpenedRepository> => once(this.#uncached, name, () => this.#open(name, options));
    return uncached ? bare() : once(this.#opened, name, async () => this.#cached(await bare()));
  }

  async #open(name: string, { hidden = false, meanwhile, willLock = false }: OpenOptions): Promise<OpenedRepository> {
    const { store, password } = await this.storeOf(name);
    const given = await password();
    let derived: ScryptInput | undefined;
    const deriving = (input: ScryptInput): void => {
      derived = input;
      if (willLock && !this.plan.mirrors.has(name)) void awaitedLater(store.capabilities());
      meanwhile?.();
    };
    const repository = await openRepository(store, given, deriving).catch(async (error: unknown) => {
      const behind = await this.#openBehind(name, { store, password: given }, error);
      if (!hidden) throw entranceHidden(name, store, error);
      return behind;
    });
    if (derived !== undefined) this.#tellOfKey(name, derived);
    const opened = this.attach(name, repository);
    this.#ready.add(name);
    const of = this.plan.mirrors.get(name)?.of;
    return of === undefined
      ? opened
      : { ...opened, primaryLedger: async () => (await this.open(of, { uncached: true })).ledger };
  }

  #tellOfKey(name: string, derived: ScryptInput): void {
    const { password } = this.#plannedStore(name).home;
    if (typeof password === 'string') return;
    const reference = 'file' in password ? { file: resolve(this.plan.directory, password.file) } : password;
    this.environment.onKeyDerived?.(reference, derived);
  }

  /** A repository whose configuration or keys somebody hid. @throws the error, where that is not why it does not open */
  async #openBehind(
    name: string,
    { store, password }: { store: ObjectStore; password: string },
    error: unknown,
  ): Promise<Repository> {
    const { asOfMs } = this.environment;
    if (asOfMs !== undefined && isHoldfastError(error, 'no-repository')) throw notYetThere(error, asOfMs);
    const isLost = isHoldfastError(error, 'no-repository') || isHoldfastError(error, 'repository-damaged');
    if (!isLost || this.#plannedStore(name).planned.lock === undefined || store.lock === undefined) throw error;
    try {
      return (await openRepository(new PastStore(store, asFirstWritten), password)).through(store);
    } catch (second) {
      if (!isHoldfastError(second)) throw second;
      throw error;
    }
  }

  /** A mirror is read as it is: its primary's cache holds what the mirror may have lost. */
  async #cached(opened: OpenedRepository): Promise<OpenedRepository> {
    const { name, repository, primaryLedger } = opened;
    const { adapters, progress, asOfMs } = this.environment;
    // A cache forgets what a listing does not show, and of another time it shows less.
    if (adapters.cached === undefined || primaryLedger !== undefined || asOfMs !== undefined) return opened;
    const { planned } = this.#plannedStore(name);
    const store = await adapters.cached(repository.store, {
      place: await storePlace(planned, this.references),
      repositoryId: repository.config.id,
      variables: this.environment.variables,
      note: (message) => progress(name).note(message),
    });
    return { ...opened, repository: repository.through(store).rememberingIndex() };
  }

  attach(name: string, repository: Repository): OpenedRepository {
    const { clock, cacheDirectory, asOfMs } = this.environment;
    // A mirror, and another time, are read as they are.
    const isKept = cacheDirectory !== undefined && asOfMs === undefined && !this.plan.mirrors.has(name);
    const file = isKept ? join(cacheDirectory, 'ledger', `${repository.config.id}.sqlite`) : undefined;
    const ledger = new Ledger(ledgerStorage(repository), clock, {
      ...(file !== undefined && { projectionFile: file }),
      bringWaiting: () => this.#bringWaiting(name),
    });
    const onHealed: OpenedRepository['onHealed'] = new Set();
    const healer = this.healerOf({ name, repository, ledger }, (note) => {
      this.environment.progress(name).note(note);
      for (const told of onHealed) told(note);
    });
    return { name, repository: repository.healedBy(healer), ledger, onHealed };
  }

  /**
   * What records events that must not be lost, also while no repository can be reached: see `Recorder`.
   * @param name the repository whose ledger they belong to. Without it they are of the plan as a whole, and go to the first
   *   of its homes that takes them
   */
  recorder(name?: string): Recorder {
    const known = this.#recorders.get(name ?? '');
    if (known !== undefined) return known;
    const homes = (name === undefined ? this.homeNames : [name]).map((home) => {
      const journal = this.journal(home);
      return {
        name: home,
        open: async () => {
          const { ledger, repository } = await this.open(home);
          return { ledger, conditionalPut: (await repository.store.capabilities()).conditionalPut };
        },
        ...(journal !== undefined && { journal }),
      };
    });
    const recorder = new Recorder(homes, this.environment.clock);
    this.#recorders.set(name ?? '', recorder);
    return recorder;
  }

  /** What cannot be brought to its ledger waits on, and keeps no other event from being recorded. */
  async #bringWaiting(name: string): Promise<void> {
    const tell = (error: unknown): void =>
      this.environment.progress(name).note(`events of this machine still wait for the ledger: ${messageOf(error)}`);
    try {
      const { errors } = await this.recorder(name).flush();
      errors.slice(0, 1).forEach(tell);
    } catch (error) {
      tell(error);
    }
  }

  /**
   * Where events for a repository wait while it is away; undefined where this user has no place for them. By the plan's name and
   * the place of the repository: what waits for one must never go to another.
   */
  journal(name: string): Journal | undefined {
    const { stateDirectory } = this.environment;
    if (stateDirectory === undefined) return undefined;
    const { store } = this.#plannedStore(name).planned;
    const isRelative = typeof store === 'string' && !isAbsolute(store) && !/^[a-z0-9+.-]+:/i.test(store);
    // As a kit has it, too: its plan lies nowhere.
    const place = JSON.stringify(isRelative ? resolve(this.plan.directory, store) : store);
    const digest = createHash('sha256').update(place).digest('hex').slice(0, 16);
    return new Journal(join(stateDirectory, this.plan.name, 'journal', `${name}-${digest}`));
  }

  /** What takes the place of objects of a repository that a read finds missing or damaged, where something does. */
  protected healerOf(
    _about: { name: string; repository: Repository; ledger: Ledger },
    _told: (note: string) => void,
  ): Healer | undefined {
    return undefined;
  }

  /** A repository's store and password, or a mirror's, whether it is there or not. @throws unknown-repository */
  async storeOf(name: string): Promise<{ store: ObjectStore; password: () => Promise<string> }> {
    const { planned, home } = this.#plannedStore(name);
    return {
      store: await once(this.#stores, name, () => this.#openStore(planned)),
      password: () => resolveSecret(home.password, this.references),
    };
  }

  #plannedStore(name: string): { planned: StorePlan; home: PlanRepository } {
    const { repositories, mirrors } = this.plan;
    const mirror = mirrors.get(name);
    const planned = mirror ?? repositories.get(name);
    const home = repositories.get(mirror?.of ?? name);
    if (planned === undefined || home === undefined) throw this.#unknownRepository(name);
    return { planned, home };
  }

  async #openStore(planned: StorePlan): Promise<ObjectStore> {
    const { adapters, clock, signal, variables, asOfMs } = this.environment;
    const place = await storePlace(planned, this.references);
    const { limits, lock } = planned;
    const metrics = (): StoreMetrics => this.#metricsOf(planned);
    const store = await adapters.openStore(place, {
      ...{ clock, signal, variables, metrics },
      ...(limits && { limits }),
      ...(lock && { lock }),
    });
    return asOfMs === undefined ? store : new PastStore(store, asOf(asOfMs));
  }

  #metricsOf({ name, prices }: StorePlan): StoreMetrics {
    const { requests = new Map<string, CountedRequests>() } = this.environment;
    const counted = requests.get(name) ?? { metrics: new StoreMetrics(), prices: { ...DEFAULT_PRICES, ...prices } };
    requests.set(name, counted);
    return counted.metrics;
  }

  /** The names of the repositories that sources are kept in: neither mirrors nor archives. */
  get homeNames(): string[] {
    return [...this.plan.repositories.values()].flatMap(({ name, archive }) => (archive === undefined ? [name] : []));
  }

  /**
   * The repository or mirror of this name, or the only one that sources are kept in.
   * @throws unknown-repository, bad-usage when several could be meant
   */
  repositoryName(given: string | undefined): string {
    const { repositories, mirrors } = this.plan;
    if (given !== undefined) {
      if (repositories.has(given) || mirrors.has(given)) return given;
      throw this.#unknownRepository(given);
    }
    const names = this.homeNames;
    if (names.length === 1) return names[0]!;
    throw new HoldfastError('bad-usage', 'the plan has several repositories', {
      hint: `Add \`--repository\` with one of: ${names.join(', ')}.`,
    });
  }

  /** The names of the mirrors of a repository, in the order of the plan. */
  mirrorsOf(repository: string): string[] {
    return [...this.plan.mirrors.values()].filter(({ of }) => of === repository).map(({ name }) => name);
  }

  #unknownRepository(name: string): HoldfastError {
    const { repositories, mirrors } = this.plan;
    return unknownName('unknown-repository', 'repository', name, [...repositories.keys(), ...mirrors.keys()]);
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

  /** @throws unknown-group */
  group(name: string): Group {
    const group = this.plan.groups.get(name);
    if (group === undefined) throw unknownName('unknown-group', 'group', name, [...this.plan.groups.keys()]);
    return group;
  }

  /** A channel of the plan, by name. @throws unknown-channel, secret-unavailable */
  async createChannel(name: string): Promise<Channel> {
    const { channels } = this.plan.alerts;
    const planned = channels.get(name);
    const { adapters, clock } = this.environment;
    if (planned === undefined || adapters.createChannel === undefined) {
      throw unknownName('unknown-channel', 'channel', name, [...channels.keys()]);
    }
    return adapters.createChannel(planned, { ...this.references, clock });
  }

  /** The URL of the server that a source moved to; undefined where it is where the plan says. */
  async movedUrl(_planned: PlanSource): Promise<string | undefined> {
    return undefined;
  }

  /** @param moved the URL of the server that it moved to, if it did; asked at each connection: it may move while it is followed */
  createSource(planned: PlanSource, moved = () => this.movedUrl(planned)): Promise<Source> {
    const { version } = this.environment;
    const plan = this.plan.name;
    return this.environment.adapters.createSource(planned, { ...this.references, version, plan, moved });
  }
}

function notYetThere(cause: HoldfastError, asOfMs: number): HoldfastError {
  return new HoldfastError('no-repository', `${cause.message} as of ${new Date(asOfMs).toISOString()}`, {
    hint: 'Give `--as-of` a later time, or leave it out for the repository as it is now.',
    context: cause.context,
    cause,
  });
}

function entranceHidden(name: string, { location }: ObjectStore, cause: unknown): HoldfastError {
  return new HoldfastError(
    'repository-damaged',
    `somebody hid the configuration or the keys of ${name} at ${location}: deleted or replaced, they are there still, under their lock`,
    {
      hint: `Find out who it was. \`holdfast repair ${name}\` brings back what is hidden; \`--as-of TIME\` reads the repository as it was.`,
      context: { repository: name, store: location },
      cause,
    },
  );
}

/** What failed is made again by the next who asks. */
function once<T>(made: Map<string, Promise<T>>, name: string, make: () => Promise<T>): Promise<T> {
  const known = made.get(name);
  if (known !== undefined) return known;
  const fresh = make();
  made.set(name, fresh);
  fresh.catch(() => made.delete(name));
  return fresh;
}

function unknownName(
  code: 'unknown-source' | 'unknown-repository' | 'unknown-group' | 'unknown-channel',
  what: string,
  name: string,
  known: string[],
): HoldfastError {
  return new HoldfastError(code, `the plan has no ${what} ${JSON.stringify(name)}`, {
    hint: known.length === 0 ? `Name one under \`${what}s:\` in the plan.` : `It has: ${known.join(', ')}.`,
  });
}

export function ledgerStorage({ store, key }: Repository): LedgerStorage {
  return {
    seal: (plain) => seal(key, plain),
    unseal: (sealed) => unseal(key, sealed),
    // Where nothing decides a race there is none: nobody else's events begin with the same random id.
    putNew: async (name, sealed) =>
      store.put(`${LEDGER_PREFIX}${name}`, sealed, { ifAbsent: (await store.capabilities()).conditionalPut }),
    get: (name) => store.get(`${LEDGER_PREFIX}${name}`),
    async *list() {
      for await (const { key: name, ...known } of store.list(LEDGER_PREFIX))
        yield { ...known, key: name.slice(LEDGER_PREFIX.length) };
    },
    delete: (name) => store.delete(`${LEDGER_PREFIX}${name}`),
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
