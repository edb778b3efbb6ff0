import { HoldfastError, isHoldfastError } from '../foundation/errors.ts';
import { atFullWeight } from '../foundation/priority.ts';
import { awaitedLater, settled } from '../foundation/promises.ts';
import { reportable, type Workspace } from '../operations/index.ts';
import { isStopped, listIncidents, type OpenRequest, type RunState, recover, resume } from '../recovery/index.ts';
import type { Log } from './log.ts';

export interface RecoveriesOptions {
  /** The plan as it is now: what is begun later goes by it. Its signal is aborted when the daemon stops. */
  workspace(): Workspace;
  log: Log;
}

/** The incidents whose steps this daemon runs. What a stop interrupts stays open, and the next daemon goes on with it. */
export class Recoveries {
  readonly #options: RecoveriesOptions;
  /** The newest that is known of each, for as long as it is run here. */
  readonly #states = new Map<string, RunState>();
  readonly #underWay = new Set<Promise<unknown>>();
  /** What ended by a fault here, and would by the same again: it is left to a person. */
  readonly #failed = new Set<string>();

  constructor(options: RecoveriesOptions) {
    this.#options = options;
  }

  /**
   * Opens an incident, whose steps are run from then on. See `openIncident`.
   * @returns it once this daemon runs it. @throws what keeps it from that, and says so where the incident is open by then
   */
  async start(request: OpenRequest): Promise<RunState> {
    const workspace = this.#options.workspace();
    let opened: RunState | undefined;
    const onOpened = (state: RunState): void => {
      opened = state;
      // From here on nobody else here goes on with it.
      this.#states.set(state.id, state);
    };
    try {
      return await this.#run((told) => recover(workspace, { ...request, runBy: 'daemon' }, { ...told, onOpened }));
    } catch (error) {
      if (opened === undefined) throw error;
      this.#states.delete(opened.id);
      throw isHoldfastError(error) ? notBegun(opened, error) : error;
    }
  }

  /**
   * Goes on with an incident; see `resume` of the command line.
   * @returns it as it is once this daemon runs it, or as it ended
   * @throws incident-running while another process does, and what `resume` throws before it begins
   */
  resume(id: string, request: { by?: string; again?: boolean } = {}): Promise<RunState> {
    const workspace = this.#options.workspace();
    return this.#run((told) => resume(workspace, id, { ...request, ...told }));
  }

  /** What is known of an incident that is run here; undefined of any other. */
  stateOf(id: string): RunState | undefined {
    return this.#states.get(id);
  }

  /**
   * Goes on with what no process runs, and no failure stops: a daemon before this one ran it, its ledger was away for long, or a
   * person has said meanwhile what becomes of a failure. What cannot be gone on with keeps none of the others from it.
   * @returns whether none is open that a daemon is to run
   * @throws what keeps the ledgers from being read; the first of what kept one from being gone on with
   */
  async goOn(): Promise<boolean> {
    const open = (await listIncidents(this.#options.workspace())).filter(
      ({ ended, runBy }) => ended === undefined && runBy === 'daemon',
    );
    const left = open.filter(
      ({ id, steps }) => !this.#states.has(id) && !this.#failed.has(id) && !steps.some(isStopped),
    );
    const failures: unknown[] = [];
    for (const { id } of left) {
      try {
        await this.resume(id, { again: false });
        this.#options.log.info('an incident goes on', { incident: id });
      } catch (error) {
        if (!isHoldfastError(error, 'incident-running')) failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
    return open.length === 0;
  }

  /** Resolves when none is under way. */
  async idle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  /** Runs steps until they end, beside whoever called, who waits until they begin. */
  async #run(
    work: (told: { tell(line: string): void; onState(state: RunState): void }) => Promise<RunState>,
  ): Promise<RunState> {
    const { log } = this.#options;
    const begun = Promise.withResolvers<RunState>();
    let id: string | undefined;
    const onState = (state: RunState): void => {
      id = state.id;
      this.#failed.delete(id);
      this.#states.set(id, state);
      begun.resolve(state);
    };
    const tell = (line: string): void => log.info(line, { incident: id });
    const ran = awaitedLater(atFullWeight(() => work({ tell, onState })));
    const over = settled(ran).then(() => {
      this.#underWay.delete(over);
      if (id !== undefined) this.#states.delete(id);
    });
    this.#underWay.add(over);
    ran.then(
      (state) => {
        begun.resolve(state);
        log.info('an incident ended, or waits for a person', { incident: state.id, outcome: state.ended?.outcome });
      },
      (error: unknown) => {
        begun.reject(error);
        if (id === undefined) return;
        const { signal } = this.#options.workspace().environment;
        const { code, message } = reportable(error, signal);
        if (code !== 'store-unreachable' && code !== 'incident-running') this.#failed.add(id);
        if (signal.aborted) log.info('an incident stays open: the next daemon goes on with it', { incident: id });
        else log.error('the steps of an incident are not run any more', { incident: id, code, error: message });
      },
    );
    return begun.promise;
  }
}

function notBegun({ id }: RunState, cause: HoldfastError): HoldfastError {
  return new HoldfastError(cause.code, `the incident ${id} is open, and its steps do not run yet: ${cause.message}`, {
    hint: `They begin by themselves once that is mended. \`holdfast incident abort ${id} --why TEXT\` keeps them from it.`,
    context: { run: id },
    cause,
  });
}
