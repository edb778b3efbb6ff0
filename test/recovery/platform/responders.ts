/** The people of an incident: one starts the recovery, and each does what a step asks for, and says so. */
import { setTimeout as pause } from 'node:timers/promises';
import { systemClock } from '../../../src/foundation/clock.ts';
import { noProgress } from '../../../src/foundation/progress.ts';
import { adapters } from '../../../src/main/adapters.ts';
import { Workspace } from '../../../src/operations/index.ts';
import { loadPlan } from '../../../src/plan/index.ts';
import { abortIncident, answerStep, listIncidents, type RunView, viewOf } from '../../../src/recovery/index.ts';
import { holdfast, type Ran } from '../../support/cli.ts';

/** What a person does when a step waits for it, before saying that it is done. */
export type Deeds = Readonly<Record<string, (view: RunView) => Promise<unknown> | unknown>>;

const LOOK_MS = 250;

export class Responders {
  readonly #directory: string;
  readonly #variables: Record<string, string>;
  /** What was asked, in order: `step: question`. */
  readonly questions: string[] = [];

  constructor(directory: string, variables: Record<string, string>) {
    this.#directory = directory;
    this.#variables = variables;
  }

  run(...words: string[]): Promise<Ran> {
    return holdfast(this.#directory, words, this.#variables);
  }

  /** What a command that ends well prints with `--json`. */
  // biome-ignore lint/suspicious/noExplicitAny: each test says itself what it expects in it
  async document(...words: string[]): Promise<any> {
    const { exit, stdout, stderr } = await this.run(...words, '--json');
    if (exit !== 0) throw new Error(`${words.join(' ')} ended with ${exit}: ${stdout}${stderr}`);
    return JSON.parse(stdout);
  }

  async workspace(signal = new AbortController().signal): Promise<Workspace> {
    return new Workspace(await loadPlan({ cwd: this.#directory, env: {} }), {
      ...{ clock: systemClock, version: '0.0.0', progress: () => noProgress, adapters, variables: this.#variables },
      signal,
    });
  }

  /**
   * `holdfast recover`, with everybody agreeing to everything, and doing what is theirs.
   * @param words of the command behind the runbook
   * @returns how it ended, and the incident as it is then
   */
  async recover(runbook: string, words: readonly string[], deeds: Deeds = {}): Promise<{ ran: Ran; view: RunView }> {
    const workspace = await this.workspace();
    const over = new AbortController();
    const recovering = this.run('recover', runbook, ...words).finally(() => over.abort());
    let failure: unknown;
    try {
      await this.#answer(workspace, deeds, over.signal);
    } catch (error) {
      failure = error;
      await this.#abort(workspace);
    }
    const ran = await recovering;
    if (failure !== undefined) throw failure;
    const [newest] = await listIncidents(workspace);
    if (newest === undefined) throw new Error(ran.stderr);
    return { ran, view: viewOf(newest, Date.now()) };
  }

  async #answer(workspace: Workspace, deeds: Deeds, over: AbortSignal): Promise<void> {
    const answered = new Set<string>();
    for (; !over.aborted; await pause(LOOK_MS)) {
      const open = (await listIncidents(workspace)).find(({ ended }) => ended === undefined);
      if (open === undefined) continue;
      const view = viewOf(open, Date.now());
      for (const { step, state, waitsFor, attempt } of view.steps) {
        const asked = `${step} ${attempt} ${waitsFor?.question}`;
        // What failed is nobody's to wave through.
        if (state !== 'waiting' || waitsFor === undefined || answered.has(asked)) continue;
        answered.add(asked);
        this.questions.push(`${step}: ${waitsFor.question}`);
        await deeds[step]?.(view);
        await this.#say(workspace, view, step);
      }
    }
  }

  /** As many persons as it takes say so, each from an account of their own. */
  async #say(workspace: Workspace, { id, steps }: RunView, step: string): Promise<void> {
    const { of = [], count, commands } = steps.find((each) => each.step === step)!.waitsFor!;
    const answer = commands.some((each) => each.includes('approve')) ? 'approve' : 'done';
    for (let person = 0; person < count; person++) {
      const as = of[person];
      await answerStep(workspace, { incident: id, step, answer, by: `person-${person}`, ...(as && { as }) });
    }
  }

  async #abort(workspace: Workspace): Promise<void> {
    const open = (await listIncidents(workspace)).find(({ ended }) => ended === undefined);
    if (open !== undefined) await abortIncident(workspace, open.id, { why: 'the test has failed' });
  }
}
