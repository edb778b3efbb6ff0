import { awaitedLater } from '../../foundation/promises.ts';
import { TAIL_PREFIX } from '../../repository/index.ts';
import { type Content, DecoratedStore, type ObjectStore, type PutOptions } from '../../store/index.ts';
import { type OpenedRepository, reportable, Workspace } from '../workspace.ts';
import { type MirrorOutcome, replicate, replicateOpened } from './replicate.ts';
import { TailToMirror } from './tail-to-mirror.ts';

/** So long the last run may take: what it does not copy, the next command does. */
const LAST_RUN_MS = 60_000;

/**
 * Keeps the mirrors of repositories that logs are followed into up to date, for as long as that goes on: each part of a
 * log's tail goes to them as soon as it is stored, and all else in a run now and then. A mirror that fails is told of and
 * recorded, stops nothing, and catches up with a later run.
 */
export class FollowedMirrors {
  readonly #workspace: Workspace;
  /** By name. */
  readonly #tails = new Map<string, TailToMirror>();
  readonly #timer: NodeJS.Timeout;
  #running: Promise<void> | undefined;
  #isWanted = false;

  constructor(workspace: Workspace, everyMs: number) {
    this.#workspace = workspace;
    this.#timer = setInterval(() => this.#want(), everyMs);
  }

  /** The same repository, which tells the mirrors of what is put into the tail of a log. */
  through(opened: OpenedRepository): OpenedRepository {
    const mirrors = this.#workspace.mirrorsOf(opened.name);
    if (mirrors.length === 0) return opened;
    const { repository } = opened;
    for (const mirror of mirrors.filter((each) => !this.#tails.has(each))) {
      const store = async (): Promise<ObjectStore> => (await this.#workspace.storeOf(mirror)).store;
      this.#tails.set(mirror, new TailToMirror(repository, store, (message) => this.#note(mirror, message)));
    }
    this.#want();
    const telling = new TellingStore(repository.store, (key, bytes) => {
      for (const mirror of mirrors) this.#tails.get(mirror)!.send(key, bytes);
    });
    return { ...opened, repository: repository.through(telling) };
  }

  /** Ends it with one last run, however the work has ended. @returns what came of that */
  async stop(): Promise<MirrorOutcome[]> {
    clearInterval(this.#timer);
    this.#isWanted = false;
    await this.#running;
    await Promise.all([...this.#tails.values()].map((tail) => tail.stop()));
    if (this.#tails.size === 0) return [];
    const { plan, planPath, environment } = this.#workspace;
    // Whoever ended the work by a signal wants what came to be safe all the same.
    const last = { ...environment, signal: AbortSignal.timeout(LAST_RUN_MS) };
    const path = planPath === undefined ? {} : { path: planPath };
    return replicate(new Workspace({ plan, ...path }, last), [...this.#tails.keys()]);
  }

  /** A run begins now, or as soon as the one that is under way is over. */
  #want(): void {
    if (this.#tails.size === 0 || this.#workspace.environment.signal.aborted) return;
    this.#isWanted = true;
    this.#running ??= awaitedLater(
      this.#runWhileWanted().finally(() => {
        this.#running = undefined;
      }),
    );
  }

  async #runWhileWanted(): Promise<void> {
    while (this.#isWanted) {
      this.#isWanted = false;
      await this.#run();
    }
  }

  async #run(): Promise<void> {
    for (const tail of this.#tails.values()) tail.catchUp();
    try {
      for (const outcome of await replicateOpened(this.#workspace)) this.#heed(outcome);
    } catch (error) {
      for (const tail of this.#tails.values()) tail.fallBehind();
      this.#note('mirrors', reportable(error, this.#workspace.environment.signal).message);
    }
  }

  #heed(outcome: MirrorOutcome): void {
    const tail = this.#tails.get(outcome.mirror);
    // What the primary has lost keeps nothing from coming to a mirror.
    const isLevel = outcome.outcome === 'complete' || outcome.error.code === 'mirror-diverged';
    if (isLevel) tail?.caughtUp();
    else tail?.fallBehind();
    if (outcome.outcome === 'failed') this.#note(outcome.mirror, outcome.error.message);
  }

  #note(label: string, message: string): void {
    this.#workspace.environment.progress(label).note(message);
  }
}

/** Tells of what was put into the tails of logs, once it is durable. */
class TellingStore extends DecoratedStore {
  readonly #tell: (key: string, bytes: Uint8Array) => void;

  constructor(inner: ObjectStore, tell: (key: string, bytes: Uint8Array) => void) {
    super(inner);
    this.#tell = tell;
  }

  override async put(key: string, content: Content, options?: PutOptions): Promise<void> {
    // The store may take the buffer over.
    const copy = content instanceof Uint8Array && key.startsWith(TAIL_PREFIX) ? Buffer.from(content) : undefined;
    await super.put(key, content, options);
    if (copy !== undefined) this.#tell(key, copy);
  }
}
