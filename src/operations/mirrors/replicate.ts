import { HoldfastError } from '../../foundation/errors.ts';
import { awaitedLater } from '../../foundation/promises.ts';
import { extendLocks, type MirrorReport, mirrorLedger, mirrorRepository } from '../../repository/index.ts';
import type { ObjectStore } from '../../store/index.ts';
import { holdsOf, lockPolicyOf, lockScope } from '../object-lock/lock-scope.ts';
import { notRecorded } from '../unrecorded.ts';
import { type OpenedRepository, reportable, type Workspace } from '../workspace.ts';
import { namedAsRemoved } from './removals.ts';

export type MirrorOutcome = {
  repository: string;
  mirror: string;
  durationMs: number;
} & (
  | ({ outcome: 'complete' } & Omit<MirrorReport, 'unexplained' | 'events'>)
  | { outcome: 'failed'; error: HoldfastError }
);

/**
 * Brings the mirrors of these repositories, these mirrors, or all that the plan names up to date, all at once. One that
 * fails does not stop the others.
 * @throws unknown-repository; bad-usage when there is no mirror to be brought up to date
 */
export async function replicate(workspace: Workspace, names: readonly string[]): Promise<MirrorOutcome[]> {
  const { mirrors } = workspace.plan;
  const wanted = new Set<string>();
  for (const name of names.map((each) => workspace.repositoryName(each))) {
    const own = mirrors.has(name) ? [name] : workspace.mirrorsOf(name);
    if (own.length === 0) throw noMirror(`the plan names no mirror of ${name}`);
    for (const mirror of own) wanted.add(mirror);
  }
  if (names.length === 0) for (const mirror of mirrors.keys()) wanted.add(mirror);
  if (wanted.size === 0) throw noMirror('the plan names no mirror');
  return replicateThese(workspace, [...wanted]);
}

/** The same of every mirror of a repository that was worked with: none when there is none. */
export function replicateOpened(workspace: Workspace): Promise<MirrorOutcome[]> {
  return replicateThese(
    workspace,
    workspace.openedNames.flatMap((name) => workspace.mirrorsOf(name)),
  );
}

function noMirror(message: string): HoldfastError {
  return new HoldfastError('bad-usage', message, {
    hint: 'Give a repository of the plan the key `mirrorOf` with the name of the one that it is to be a copy of.',
  });
}

async function replicateThese(workspace: Workspace, mirrors: readonly string[]): Promise<MirrorOutcome[]> {
  const repositories = [...new Set(mirrors.map((mirror) => workspace.plan.mirrors.get(mirror)!.of))];
  const outcomes = await Promise.all(
    repositories.map((repository) => {
      const own = mirrors.filter((mirror) => workspace.plan.mirrors.get(mirror)!.of === repository);
      return replicateFrom(workspace, repository, own);
    }),
  );
  return outcomes.flat();
}

async function replicateFrom(
  workspace: Workspace,
  repository: string,
  mirrors: readonly string[],
): Promise<MirrorOutcome[]> {
  const runs = mirrors.map((mirror) => new MirrorRun(workspace, repository, mirror));
  await Promise.all(runs.map((run) => run.bringUpToDate()));
  // What is recorded of all of them comes to each of them, too: they are exact copies.
  await Promise.all(runs.map((run) => run.bringLedger()));
  await Promise.all(runs.map((run) => run.keepLocked()));
  return runs.map((run) => run.outcome);
}

/** One mirror on its way. What goes wrong becomes its outcome. */
class MirrorRun {
  outcome: MirrorOutcome;
  readonly #workspace: Workspace;
  readonly #startedMs: number;
  /** What of the ledger the mirror has, once its run is over. */
  #known: ReadonlySet<string> | undefined;
  readonly #opened: Promise<OpenedRepository>;
  readonly #store: Promise<ObjectStore>;

  constructor(workspace: Workspace, repository: string, mirror: string) {
    this.#workspace = workspace;
    this.#startedMs = workspace.environment.clock.monotonicMs();
    this.#opened = awaitedLater(workspace.open(repository));
    this.#store = awaitedLater(workspace.storeOf(mirror).then(({ store }) => store));
    const error = new HoldfastError('internal', 'the mirror was not looked at');
    this.outcome = { repository, mirror, outcome: 'failed', error, durationMs: 0 };
  }

  async bringUpToDate(): Promise<void> {
    const { mirror } = this.outcome;
    const progress = this.#workspace.environment.progress(mirror);
    await this.#attempt(async ({ opened, store }) => {
      const heldUntil = holdsOf(this.#workspace, mirror, store);
      const { unexplained, events, ...report } = await mirrorRepository(opened.repository, store, {
        ...this.#options(opened),
        ...(heldUntil && { heldUntil }),
        progress,
        // What is recorded needs to know: to find out takes some time.
        onDue: () => void awaitedLater(opened.repository.store.capabilities()),
        onEnding: () => opened.ledger.expectEvent(),
        onDone: (done) => this.#record(opened, done),
      });
      this.#known = events;
      if (unexplained.length > 0) throw diverged(this.outcome, unexplained);
      this.outcome = { ...this.#names(), ...report, outcome: 'complete' };
    });
    progress.finish();
  }

  async #record({ ledger }: OpenedRepository, { unexplained: _, events: __, ...report }: MirrorReport): Promise<void> {
    if (report.copiedObjects + report.removedObjects === 0) return;
    await ledger.append('mirror.finished', { ...this.#names(), ...report });
  }

  async bringLedger(): Promise<void> {
    const known = this.#known;
    if (known === undefined) return;
    const before = this.outcome;
    await this.#attempt(async ({ opened, store }) => {
      const { environment } = this.#workspace;
      const progress = environment.progress(before.mirror);
      await mirrorLedger(opened.repository, store, { ...this.#options(opened), known, progress });
      progress.finish();
    });
  }

  /** What is copied is locked as it is stored; what was there before may be due. */
  async keepLocked(): Promise<void> {
    const { mirror, outcome } = this.outcome;
    const policy = lockPolicyOf(this.#workspace, mirror);
    if (outcome === 'failed' || policy === undefined) return;
    await this.#attempt(async ({ opened, store }) => {
      const progress = this.#workspace.environment.progress(mirror);
      await extendLocks(opened.repository, lockScope(this.#workspace, opened, { store, policy, progress }));
      progress.finish();
    });
  }

  #names(): { repository: string; mirror: string; durationMs: number } {
    const { repository, mirror } = this.outcome;
    return { repository, mirror, durationMs: this.#workspace.environment.clock.monotonicMs() - this.#startedMs };
  }

  #options(opened: OpenedRepository) {
    return {
      newEvents: (known: ReadonlySet<string>, listed: readonly string[]) => opened.ledger.unknownTo(known, listed),
      namedAsRemoved: (keys: readonly string[]) => namedAsRemoved(this.#workspace, opened, keys),
      clock: this.#workspace.environment.clock,
      signal: this.#workspace.environment.signal,
    };
  }

  async #attempt(work: (at: { opened: OpenedRepository; store: ObjectStore }) => Promise<void>): Promise<void> {
    try {
      await work({ opened: await this.#opened, store: await this.#store });
    } catch (thrown) {
      const error = reportable(thrown, this.#workspace.environment.signal);
      this.outcome = { ...this.#names(), outcome: 'failed', error };
      await this.#recordFailure(error);
    }
  }

  /** Without its primary nothing can be recorded: then the error alone says so. */
  async #recordFailure({ code, message }: HoldfastError): Promise<void> {
    try {
      await (await this.#opened).ledger.append('mirror.failed', { ...this.#names(), code, message });
    } catch (thrown) {
      const { error } = this.outcome as Extract<MirrorOutcome, { outcome: 'failed' }>;
      if (thrown === error) return;
      const why = reportable(thrown, this.#workspace.environment.signal);
      this.outcome = { ...this.#names(), outcome: 'failed', error: notRecorded(error, why) };
    }
  }
}

/** So many of the objects are named. */
const NAMED_OBJECTS = 3;

function diverged(
  { repository, mirror }: Pick<MirrorOutcome, 'repository' | 'mirror'>,
  keys: readonly string[],
): HoldfastError {
  const named = keys.slice(0, NAMED_OBJECTS).join(', ');
  const more = keys.length > NAMED_OBJECTS ? ` and ${keys.length - NAMED_OBJECTS} more` : '';
  return new HoldfastError(
    'mirror-diverged',
    `${repository} has lost what no record says was to be removed: ${named}${more}; ${mirror} keeps it`,
    {
      hint: `Find out who removed it. \`holdfast check ${repository} --repair\` puts it back from ${mirror}; if it was meant to go, \`holdfast replicate ${mirror} --accept-missing --dry-run\` lists it; where all is lost, \`holdfast repository promote ${mirror}\` makes the mirror the repository.`,
      context: { repository, mirror, objects: keys.length },
    },
  );
}
