/** Steps of the stage's runbooks, run one by one, with somebody who agrees to everything and remembers what was asked. */
import type { Workspace } from '../../../src/operations/index.ts';
import type { Outputs, StepContext, StepKind, StepResult } from '../../../src/recovery/index.ts';
import { postgresFence } from '../../../src/recovery/steps/postgres-fence.ts';
import { postgresPromote } from '../../../src/recovery/steps/postgres-promote.ts';
import { postgresReseed } from '../../../src/recovery/steps/postgres-reseed.ts';
import { redisPromote } from '../../../src/recovery/steps/redis-promote.ts';
import { redisReseed } from '../../../src/recovery/steps/redis-reseed.ts';

const KINDS: Record<string, unknown> = {
  'postgres.fence': postgresFence,
  'postgres.promote': postgresPromote,
  'postgres.reseed': postgresReseed,
  'redis.promote': redisPromote,
  'redis.reseed': redisReseed,
};

export class RunbookByHand {
  readonly questions: string[] = [];
  readonly #workspace: Workspace;
  readonly #runbook: string;
  readonly #outputs = new Map<string, Outputs>();

  constructor(workspace: Workspace, runbook: string) {
    this.#workspace = workspace;
    this.#runbook = runbook;
  }

  async run(id: string): Promise<StepResult> {
    const { kind, context } = this.#prepare(id);
    const result = await kind.run(context);
    this.#outputs.set(id, result.outputs);
    return result;
  }

  async foresee(id: string): Promise<Awaited<ReturnType<StepKind['foresee']>>> {
    const { kind, context } = this.#prepare(id);
    return kind.foresee(context);
  }

  async undo(id: string): Promise<string> {
    const { kind, context } = this.#prepare(id);
    return kind.undo!(context);
  }

  #prepare(id: string): { kind: StepKind; context: StepContext } {
    const step = this.#workspace.plan.runbooks.get(this.#runbook)!.steps.find((each) => each.id === id)!.document;
    const { clock, signal } = this.#workspace.environment;
    const context: StepContext = {
      ...{ step, clock, signal, workspace: this.#workspace, beganMs: clock.nowMs() },
      run: {
        ...{ id: 'INC-1', kind: 'incident', runbook: this.#runbook, sinceMs: clock.nowMs() },
        steps: this.#workspace.plan.runbooks.get(this.#runbook)?.steps ?? [],
      },
      tell: () => {},
      output: (earlier, name) => this.#outputs.get(earlier)?.[name],
      noted: {},
      note: async () => {},
      ask: async ({ question }) => {
        this.questions.push(question);
        return [{ by: 'oncall' }];
      },
    };
    return { kind: KINDS[step.do] as StepKind, context };
  }
}
