import { describe, expect, it } from 'vitest';
import { phasesOf, RecoveryWorld, whenFirst } from '../../../test/support/recovery.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import { answerStep } from '../incidents/answer.ts';
import { abortIncident } from '../incidents/change.ts';
import { showRun } from '../incidents/list.ts';
import { resume } from '../incidents/run.ts';
import type { StepContext, StepKind } from '../step.ts';

const THREE = [
  '{ id: a, do: exec, exec: [one] }',
  '{ id: b, do: exec, exec: [two] }',
  '{ id: c, do: exec, exec: [three], restoresService: true }',
];

describe('an engine', () => {
  it('runs the steps in their order, and closes the incident', async () => {
    const world = await RecoveryWorld.of(THREE);
    const { id } = await world.open();
    const state = await world.run(id);
    expect(phasesOf(state)).toBe('a done, b done, c done');
    expect(world.effects).toEqual(['one', 'two', 'three']);
    expect(state.ended).toMatchObject({ outcome: 'done' });
  });

  it('waits for nothing between steps that wait for nothing', async () => {
    const world = await RecoveryWorld.of(Array.from({ length: 30 }, (_, at) => `{ id: s${at}, do: note, text: x }`));
    const { id } = await world.open();
    const startedMs = world.time.nowMs();
    expect((await world.run(id)).ended?.outcome).toBe('done');
    expect(world.time.nowMs() - startedMs).toBe(0);
  });

  it('runs side by side what needs nothing of each other', async () => {
    let running = 0;
    let most = 0;
    const slow = async (): Promise<undefined> => {
      most = Math.max(most, ++running);
      await world.time.pause(10_000);
      running--;
    };
    const world = await RecoveryWorld.of(
      [
        '{ id: a, do: exec, exec: [slow], needs: [] }',
        '{ id: b, do: exec, exec: [slow], needs: [] }',
        '{ id: c, do: exec, exec: [end], needs: [a, b] }',
      ],
      { scripts: { slow } },
    );
    const state = await world.run((await world.open()).id);
    expect(most).toBe(2);
    expect(phasesOf(state)).toBe('a done, b done, c done');
  });

  it('gives later steps what earlier ones found out, and passes over what a condition rules out', async () => {
    const world = await RecoveryWorld.of(
      [
        '{ id: a, do: exec, exec: [find] }',
        '{ id: b, do: exec, exec: [say, "${a.output}", "${where}"] }',
        '{ id: c, do: exec, exec: [never], when: "${a.output} == 6" }',
        '{ id: d, do: exec, exec: [say, "${c.state}"] }',
      ],
      { more: 'params: { where: { required: true } }', scripts: { find: async () => ({ outputs: { output: 5 } }) } },
    );
    const { id } = await world.open(world.process(), { params: { where: '/new' } });
    const state = await world.run(id);
    expect(world.effects).toEqual(['say 5 /new', 'say skipped']);
    expect(phasesOf(state)).toBe('a done, b done, c skipped, d done');
  });

  it('goes by the runbook as it was when the incident began, whatever the plan says by now', async () => {
    const seen: string[][] = [];
    const look = async ({ run }: StepContext<'exec'>): Promise<undefined> =>
      void seen.push(run.steps.map(({ id }) => id));
    const steps = ['{ id: a, do: exec, exec: [look] }', '{ id: b, do: exec, exec: [two] }'];
    const world = await RecoveryWorld.of(steps, { scripts: { look } });
    const { id } = await world.open();
    const later = world.process();
    (later.workspace.plan.runbooks as Map<string, unknown>).clear();
    expect(phasesOf(await world.run(id, later))).toBe('a done, b done');
    expect(seen).toEqual([['a', 'b']]);
  });

  it('tries again what failed, as often as it is told, with pauses that grow', async () => {
    const tries: number[] = [];
    const flaky = async (): Promise<undefined> => {
      tries.push(world.time.nowMs());
      if (tries.length < 3) throw new HoldfastError('source-unreachable', 'not yet');
    };
    const world = await RecoveryWorld.of(['{ id: a, do: exec, exec: [flaky], retries: 2 }'], { scripts: { flaky } });
    const state = await world.run((await world.open()).id);
    expect(phasesOf(state)).toBe('a done');
    expect(tries).toHaveLength(3);
    expect([tries[1]! - tries[0]!, tries[2]! - tries[1]!].map((ms) => Math.floor(ms / 1000))).toEqual([1, 2]);
  });

  it('stops at a failure, leaves the incident open, and tries that step again when it is resumed', async () => {
    let fails = true;
    const broken = async (): Promise<undefined> => {
      if (fails) throw new HoldfastError('source-unreachable', 'it is away');
    };
    const world = await RecoveryWorld.of(['{ id: a, do: exec, exec: [broken] }', '{ id: b, do: exec, exec: [two] }'], {
      scripts: { broken },
    });
    const { id } = await world.open();
    const stopped = await world.run(id);
    expect(phasesOf(stopped)).toBe('a failed, b pending');
    expect(stopped.ended).toBeUndefined();
    fails = false;
    const working = world.process();
    const options = { kinds: world.kinds(working), clock: world.time, pauseFor: world.pauseFor.bind(world) };
    const resumed = await world.time.run(resume(working.workspace, id, options));
    expect([phasesOf(resumed), resumed.ended?.outcome]).toEqual(['a done, b done', 'done']);
  });

  it('goes on after a failure where it may, and is partial then', async () => {
    const broken = async (): Promise<undefined> => {
      throw new Error('not so');
    };
    const world = await RecoveryWorld.of(
      ['{ id: a, do: exec, exec: [broken], onFailure: continue }', '{ id: b, do: exec, exec: [two] }'],
      { scripts: { broken } },
    );
    const state = await world.run((await world.open()).id);
    expect([phasesOf(state), state.ended?.outcome]).toEqual(['a failed, b done', 'partial']);
  });

  it('asks for an approval again that was refused, and lets nobody pass it over', async () => {
    const world = await RecoveryWorld.of(['{ id: go, do: approve, ask: "Go?", by: [lead], timeout: 3m }']);
    const { id } = await world.open();
    await world.run(id);
    const { workspace } = world.process();
    for (const answer of ['skip', 'done'] as const) {
      const said = world.time.run(answerStep(workspace, { incident: id, step: 'go', answer }));
      await expect(said).rejects.toMatchObject({ code: 'answer-refused', hint: expect.stringContaining('go again') });
    }
    await expect(
      world.time.run(answerStep(workspace, { incident: id, step: 'go', answer: 'again' })),
    ).resolves.toBeDefined();
  });

  it.each([
    ['again', 'a done, b done', 'done'],
    ['skip', 'a failed, b done', 'partial'],
    ['done', 'a done, b done', 'done'],
    ['stop', 'a failed, b pending', undefined],
  ] as const)('asks a person after a failure, who says %s', async (answer, phases, outcome) => {
    let tries = 0;
    const broken = async (): Promise<undefined> => {
      if (++tries === 1) throw new Error('not so');
    };
    const world = await RecoveryWorld.of(
      ['{ id: a, do: exec, exec: [broken], onFailure: ask }', '{ id: b, do: exec, exec: [two] }'],
      { scripts: { broken } },
    );
    const { id } = await world.open();
    const other = world.process();
    let asked = false;
    const state = await world.run(id, world.process(), {
      onState: ({ steps: [a] }) => {
        if (a?.asked === undefined || asked) return;
        asked = true;
        void answerStep(other.workspace, { incident: id, step: 'a', answer });
      },
    });
    expect([phasesOf(state), state.ended?.outcome]).toEqual([phases, outcome]);
  });

  it('ends a step whose time is over, also one that heeds nothing', async () => {
    const world = await RecoveryWorld.of(
      ['{ id: a, do: exec, exec: [hang], timeout: 30s, within: 10s, onFailure: continue }'],
      {
        scripts: { hang: () => new Promise(() => {}) },
      },
    );
    const state = await world.run((await world.open()).id);
    expect(state.steps[0]).toMatchObject({ phase: 'timed-out', isLate: true, error: { code: 'timed-out' } });
    expect(state.steps[0]!.durationMs).toBeLessThan(40_000);
  });

  it('does not do again by itself what does not end, and says that it may still be at it', async () => {
    const world = await RecoveryWorld.of(
      ['{ id: a, do: exec, exec: [hang], timeout: 30s, retries: 2, onFailure: continue }'],
      { scripts: { hang: () => new Promise(() => {}) } },
    );
    const state = await world.run((await world.open()).id);
    expect(state.steps[0]).toMatchObject({ attempt: 1, mayStillRun: true });
    expect(state.steps[0]!.error?.message).toMatch(/may still be at it$/);
  });

  it('does it again when a person says so, and not beside what has not ended yet', async () => {
    let running = 0;
    let most = 0;
    const tries = Promise.withResolvers<void>();
    const stubborn = async (): Promise<undefined> => {
      most = Math.max(most, ++running);
      if (world.effects.push('try') === 1) await tries.promise;
      running--;
    };
    const world: RecoveryWorld = await RecoveryWorld.of(
      ['{ id: a, do: exec, exec: [stubborn], timeout: 30s, onFailure: ask }'],
      { scripts: { stubborn } },
    );
    const { id } = await world.open();
    const person = world.process();
    const told: string[] = [];
    const tell = (line: string): void => {
      told.push(line);
      if (line.includes('is waited for')) void world.time.pause(60_000).then(() => tries.resolve());
    };
    let isAsked = false;
    const state = await world.run(id, world.process(), {
      tell,
      onState: ({ steps: [a] }) => {
        if (a?.asked?.what !== 'failure' || isAsked) return;
        isAsked = true;
        void answerStep(person.workspace, { incident: id, step: 'a', answer: 'again' });
      },
    });
    expect([phasesOf(state), world.effects.length, most]).toEqual(['a done', 2, 1]);
    expect(told.join()).toContain('what did not end when it was told to is waited for');
  });

  it('finds out what a step had done after that has ended, also where an engine of this process left it', async () => {
    const over = Promise.withResolvers<void>();
    const slow = async (): Promise<undefined> => {
      await over.promise;
      world.effects.push('one');
    };
    const world: RecoveryWorld = await RecoveryWorld.of(['{ id: a, do: exec, exec: [slow] }'], {
      scripts: { slow },
      afterDeath: async () => {
        const isDone = world.effects.includes('one');
        return isDone ? { outcome: 'done', summary: 'it took effect', outputs: {} } : 'again';
      },
    });
    const { id } = await world.open();
    const interrupting = new AbortController();
    const first = world.run(id, world.process(interrupting.signal), {
      onState: ({ steps: [a] }) => {
        if (a?.phase === 'running') interrupting.abort(new HoldfastError('interrupted', 'enough'));
      },
    });
    await expect(first).rejects.toThrow('enough');
    const tell = (line: string): void => {
      if (line.includes('is waited for')) void world.time.pause(60_000).then(() => over.resolve());
    };
    const state = await world.run(id, world.process(), { isResumed: true, tell });
    expect([phasesOf(state), world.effects]).toEqual(['a done', ['one']]);
  });

  it('that is aborted says of what failed that it may have taken effect, and of what is done that it has', async () => {
    const fails = async (): Promise<undefined> => {
      throw new HoldfastError('program-failed', 'exited with 1');
    };
    const world = await RecoveryWorld.of(['{ id: a, do: exec, exec: [one] }', '{ id: b, do: exec, exec: [fails] }'], {
      scripts: { fails },
    });
    const { id } = await world.open();
    await world.run(id);
    const person = world.process();
    const exec = (await world.kinds(person).exec!()) as StepKind<'exec'>;
    const kinds = { ...world.kinds(person), exec: async () => ({ ...exec, leaves: () => 'it stays' }) };
    const { ended } = await world.time.run(abortIncident(person.workspace, id, { why: 'x', kinds }));
    expect(ended?.standing).toEqual([
      'b: it was begun, and is failed; as far as it took effect, it stays',
      'a: it stays',
    ]);
  });

  it('that is aborted once its process is gone says of no step that it is under way', async () => {
    const dies = (_context: unknown, died: () => void) => Promise.resolve(died()).then(() => undefined);
    const world = await RecoveryWorld.of(['{ id: a, do: exec, exec: [dies] }'], { scripts: { dies } });
    const { id } = await world.open();
    await expect(world.run(id)).rejects.toThrow();
    world.expireLeases();
    const { ended } = await world.time.run(abortIncident(world.process().workspace, id, { why: 'x' }));
    expect(ended?.standing).toEqual([
      'a: it was begun, and did not end; as far as it took effect, what dies did stands',
    ]);
  });

  it('is ended by who aborts before anything is undone, which it would do again', async () => {
    const slow = async ({ signal }: StepContext<'exec'>): Promise<undefined> => {
      world.effects.push('begun');
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      await world.time.pause(2000);
      world.effects.push('done');
    };
    const world: RecoveryWorld = await RecoveryWorld.of(['{ id: a, do: exec, exec: [slow] }'], { scripts: { slow } });
    const { id } = await world.open();
    const person = world.process();
    const exec = (await world.kinds(person).exec!()) as StepKind<'exec'>;
    const undo = async () => {
      world.effects.push('undone');
      return 'it is as it was';
    };
    const kinds = { ...world.kinds(person), exec: async () => ({ ...exec, undo }) };
    const { onState, reached } = whenFirst('running');
    const [ran, aborted] = await world.time.run(
      Promise.all([
        world.engine(id, world.process(), { onState }).run(),
        reached.then(() =>
          abortIncident(person.workspace, id, { why: 'x', kinds, pause: (ms) => world.time.pause(ms) }),
        ),
      ]),
    );
    expect(world.effects).toEqual(['begun', 'done', 'undone']);
    expect([ran.ended?.outcome, aborted.ended?.standing]).toEqual(['aborted', ['a: it is as it was']]);
    expect((await world.time.run(showRun(person.workspace, id))).notes[0]?.text).toBe(
      'what is left: a: it is as it was',
    );
  });

  it('says that there is no RTO where nothing had to be restored, by the conditions of the runbook', async () => {
    const world = await RecoveryWorld.of([
      '{ id: a, do: exec, exec: [find] }',
      '{ id: b, do: exec, exec: [repair], when: "${a.state} == failed", restoresService: true }',
    ]);
    const { ended } = await world.run((await world.open()).id);
    expect(ended).toMatchObject({ outcome: 'done', why: expect.stringMatching(/^no RTO was measured.*: b$/) });
    expect(ended?.rtoMs).toBeUndefined();
  });

  it('hides no defect of its own in what its mirrors get', async () => {
    const world = await RecoveryWorld.of(THREE, { mirrors: ['eu'] });
    const { id } = await world.open();
    const working = world.process();
    working.stores['eu']!.put = async () => {
      throw new TypeError('a defect');
    };
    await expect(world.run(id, working)).rejects.toThrow('a defect');
    expect(world.effects).toEqual(['one', 'two', 'three']);
  });

  it('says at its end which mirror lacks what was recorded', async () => {
    const world = await RecoveryWorld.of(THREE, { mirrors: ['eu', 'asia'] });
    const { id } = await world.open();
    const working = world.process();
    working.stores['eu']!.rule = ({ method }) => (method === 'put' ? 'permission-denied' : undefined);
    const told: string[] = [];
    const state = await world.run(id, working, { tell: (line) => told.push(line) });
    expect(state.ended?.outcome).toBe('done');
    expect(told.filter((line) => line.includes('lacks'))).toEqual([
      expect.stringMatching(/^the mirror eu lacks .*replicate eu/),
    ]);
  });
});
