/** Daemons for tests: a clock that the test moves, real repositories in a directory, and what they recorded. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Daemon, type DaemonOptions } from '../../src/daemon/daemon.ts';
import type { Log } from '../../src/daemon/log.ts';
import { noProgress } from '../../src/foundation/progress.ts';
import type { LedgerEvent } from '../../src/ledger/index.ts';
import { adapters } from '../../src/main/adapters.ts';
import { type Environment, Workspace } from '../../src/operations/index.ts';
import { loadPlan } from '../../src/plan/index.ts';
import type { ObjectStore } from '../../src/store/index.ts';
import { initialise, PASSWORD, writePlan } from './cli.ts';
import { MovedClock } from './moved-clock.ts';
import { testDirectory } from './repository.ts';

export const silentLog: Log = { info: () => {}, warn: () => {}, error: () => {} };

/** A plan in a directory of its own, with its repository and a file for each source to back up. */
export class DaemonPlace {
  readonly directory: string;
  readonly clock: MovedClock;

  constructor(start: string, directory = testDirectory()) {
    this.directory = directory;
    this.clock = new MovedClock(start);
  }

  /** @param sources schedules by name: each is of a file of its own */
  static async with(start: string, sources: Readonly<Record<string, string>>, more = ''): Promise<DaemonPlace> {
    const place = new DaemonPlace(start);
    place.plan(sources, more);
    await initialise(place.directory);
    return place;
  }

  /** Writes the plan. */
  plan(sources: Readonly<Record<string, string>>, more = ''): void {
    const lines = Object.entries(sources).map(([name, schedule]) => {
      writeFileSync(join(this.directory, name), name);
      return `  ${name}: { type: files, paths: [${this.directory}/${name}], schedule: ${schedule}, retention: { last: 100 }, objectives: { rpo: 40d } }`;
    });
    writePlan(this.directory, lines.join('\n'), more);
  }

  get environment(): Environment {
    const { signal } = new AbortController();
    const variables = { HOLDFAST_PASSWORD: PASSWORD, XDG_STATE_HOME: join(this.directory, 'state') };
    return { clock: this.clock, variables, version: '0.0.0', signal, progress: () => noProgress, adapters };
  }

  /** The same with something before each store. */
  environmentWith(wrap: (store: ObjectStore) => ObjectStore): Environment {
    const openStore: typeof adapters.openStore = async (...given) => wrap(await adapters.openStore(...given));
    return { ...this.environment, adapters: { ...adapters, openStore } };
  }

  /** A daemon that has started, as a process of its own would: without duties, unless some are given. */
  async daemon(options: Partial<DaemonOptions> = {}): Promise<Daemon> {
    const loaded = await loadPlan({ cwd: this.directory, env: {} });
    const daemon = await Daemon.open({
      ...{ environment: this.environment, loaded, log: silentLog, isLoaded: () => false, duties: [] },
      ...options,
    });
    await daemon.start();
    return daemon;
  }

  /** Lets time pass up to a moment (RFC 3339), with the daemon doing what is due when it is. */
  async run(daemon: Daemon, until: string): Promise<void> {
    const untilMs = Date.parse(until);
    await this.settle(daemon);
    for (let nextMs = daemon.nextMs(); nextMs <= untilMs; nextMs = daemon.nextMs()) {
      this.clock.passUntil(nextMs);
      await this.settle(daemon);
    }
    this.clock.passUntil(untilMs);
  }

  /** Does what is due now, and what becomes due by that. */
  async settle(daemon: Daemon): Promise<void> {
    do {
      await daemon.tick();
      await daemon.idle();
    } while (daemon.nextMs() <= this.clock.nowMs());
  }

  async events(): Promise<LedgerEvent[]> {
    const loaded = await loadPlan({ cwd: this.directory, env: {} });
    return (await new Workspace(loaded, this.environment).open('main')).ledger.read();
  }

  /** What was recorded of one kind, oldest first. */
  async bodies<Kind extends LedgerEvent['kind']>(kind: Kind): Promise<Extract<LedgerEvent, { kind: Kind }>['body'][]> {
    const events = await this.events();
    return events.flatMap((event) => (event.kind === kind ? [event.body as never] : []));
  }
}
