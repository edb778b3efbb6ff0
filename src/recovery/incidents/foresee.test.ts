import { describe, expect, it } from 'vitest';
import { RecoveryWorld } from '../../../test/support/recovery.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import type { EventBodies } from '../../ledger/index.ts';
import { RunRecord } from '../engine/run-record.ts';
import type { Foreseen, StepContext, StepKind } from '../step.ts';
import type { StepKinds } from '../steps/index.ts';
import { foreseeRun } from './foresee.ts';

const NOTHING: Foreseen = { does: 'something', obstacles: [], byHand: [] };
type Looked = (context: StepContext<'exec'>) => Promise<Foreseen>;

/** Kinds whose programs say of themselves, by their first word, what a look at them finds. */
async function looking(world: RecoveryWorld, looks: Record<string, Looked>): Promise<StepKinds> {
  const kinds = world.kinds(world.process());
  const exec = (await kinds.exec!()) as StepKind<'exec'>;
  const foresee: Looked = (context) => looks[String(context.step.exec[0])]?.(context) ?? Promise.resolve(NOTHING);
  return { ...kinds, exec: async () => ({ ...exec, foresee }) };
}

describe('what a runbook would do', () => {
  const STEPS = [
    '{ id: a, do: exec, exec: [one] }',
    '{ id: b, do: exec, exec: [two], restoresService: true }',
    '{ id: c, do: exec, exec: [three] }',
  ];

  it('takes as long as proofs tell, else as it took in its last drill, and names what nothing tells of', async () => {
    const world = await RecoveryWorld.of(STEPS);
    const kinds = await looking(world, { one: async () => ({ ...NOTHING, expectedMs: 40_000 }) });
    const { workspace } = world.process();
    const seen = () => world.time.run(foreseeRun(workspace, { runbook: 'it' }, kinds));
    const before = await seen();
    expect(before).toMatchObject({ obstacles: 0, knownMs: 40_000, unknown: ['b'] });
    expect([before.expectedMs, ...before.steps.map(({ drilledAt }) => drilledAt)]).toEqual(Array(4).fill(undefined));

    const record = new RunRecord(world.process().workspace);
    const steps = workspace.plan.runbooks.get('it')!.steps.map(({ document }) => ({ ...document }));
    await record.append('drill.started', {
      ...{ drill: 'd1', runbook: 'it', scenario: '', severity: 'p1', params: {}, sinceFrom: 'start' },
      ...{ since: new Date(world.time.nowMs()).toISOString(), objectives: {}, steps, network: 'isolated' },
    } as EventBodies['drill.started']);
    for (const step of ['a', 'b']) {
      await record.append('step.started', { run: 'd1', step, attempt: 1 } as EventBodies['step.started']);
      const ended = { run: 'd1', step, attempt: 1, outcome: 'done', durationMs: 7000, summary: '', outputs: {} };
      await record.append('step.finished', ended as EventBodies['step.finished']);
    }
    const after = await seen();
    expect(after).toMatchObject({ expectedMs: 47_000, knownMs: 47_000, unknown: [] });
    expect(after.steps.map(({ drilledAt, expectedMs }) => [drilledAt !== undefined, expectedMs])).toEqual([
      [true, 40_000],
      [true, 7000],
      [false, undefined],
    ]);
  });

  it('is looked at for a few seconds, side by side, and what could not be is in its way', {
    timeout: 60_000,
  }, async () => {
    const world = await RecoveryWorld.of(STEPS);
    const kinds = await looking(world, {
      one: () => new Promise(() => {}),
      two: () => Promise.reject(new HoldfastError('source-refused', 'nobody is let in')),
      three: () => new Promise(() => {}),
    });
    const { steps, obstacles } = await foreseeRun(world.process().workspace, { runbook: 'it' }, kinds);
    expect([obstacles, ...steps.flatMap((step) => step.obstacles)]).toEqual([
      3,
      'it could not be looked at in time',
      'nobody is let in',
      'it could not be looked at in time',
    ]);
  });
});
