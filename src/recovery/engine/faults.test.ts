import { describe, expect, it } from 'vitest';
import { phasesOf, RecoveryWorld, type Scripted, stalled, whenFirst } from '../../../test/support/recovery.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import { CLAIMS_PREFIX } from '../../repository/index.ts';
import { LEASES_PREFIX } from '../../repository/layout.ts';
import { answerStep } from '../incidents/answer.ts';
import { listIncidents } from '../incidents/list.ts';
import type { StepKind } from '../step.ts';
import { RunRecord } from './run-record.ts';

/** What has an effect that must be there once: a second attempt finds it. */
function once(world: () => RecoveryWorld, name: string): Scripted {
  return async (_context, _died) => {
    const { effects } = world();
    if (!effects.includes(name)) effects.push(name);
    return undefined;
  };
}

const STEPS = [
  '{ id: a, do: exec, exec: [one] }',
  '{ id: b, do: exec, exec: [two], needs: [a] }',
  '{ id: c, do: exec, exec: [three], needs: [a] }',
  '{ id: d, do: note, text: "${b.output}", needs: [b, c] }',
];

async function steady(): Promise<RecoveryWorld> {
  const scripts: Record<string, Scripted> = {};
  const world = await RecoveryWorld.of(STEPS, { scripts });
  for (const name of ['one', 'three']) scripts[name] = once(() => world, name);
  scripts['two'] = async (context, died) => {
    await once(() => world, 'two')(context, died);
    return { outputs: { output: 'found' } };
  };
  return world;
}

/** Runs until it ends, by as many processes as that takes. */
async function untilItEnds(world: RecoveryWorld, id: string): Promise<string> {
  for (let tries = 0; tries < 5; tries++) {
    world.expireLeases();
    const state = await world.run(id, world.process(), { isResumed: true });
    if (state.ended !== undefined) return `${phasesOf(state)}: ${state.ended.outcome}`;
  }
  throw new Error('it does not end');
}

/** What a pause is to a machine that is suspended. */
function abortOf(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) return reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

describe('a recovery', () => {
  it('killed at any write, before it or behind it, ends the same on another working copy', async () => {
    let kills = 0;
    for (let at = 0, isOver = false; !isOver; at++) {
      for (const when of ['before', 'after'] as const) {
        const world = await steady();
        const { id } = await world.open();
        const working = world.process();
        let puts = 0;
        const store = working.stores['main']!;
        store.rule = ({ method }) => {
          if (working.isDead()) return 'before';
          if (method !== 'put' || puts++ !== at) return undefined;
          working.kill();
          return when;
        };
        const ran = await world.run(id, working).then(
          () => 'ended',
          () => 'died',
        );
        if (!working.isDead()) isOver = true;
        else kills++;
        if (ran === 'died')
          expect(await untilItEnds(world, id), `put ${at}, ${when}`).toBe('a done, b done, c done, d done: done');
        expect(world.effects.toSorted()).toEqual(['one', 'three', 'two']);
      }
    }
    expect(kills).toBeGreaterThan(20);
  });

  it.each([
    ['again', undefined, ['begun', 'done'], 'a done: done'],
    [
      'what it had done',
      async () => ({ outcome: 'done', summary: 'it took effect', outputs: {} }),
      ['begun'],
      'a done: done',
    ],
  ] as const)('killed within a step goes on as its kind says: %s', async (_, afterDeath, effects, ended) => {
    const dies: Scripted = async (_context, died) => {
      if (world.effects.length === 0) {
        world.effects.push('begun');
        died();
      } else world.effects.push('done');
      return undefined;
    };
    const world: RecoveryWorld = await RecoveryWorld.of(['{ id: a, do: exec, exec: [dies] }'], {
      scripts: { dies },
      ...(afterDeath && { afterDeath: afterDeath as StepKind<'exec'>['afterDeath'] }),
    });
    const { id } = await world.open();
    await expect(world.run(id)).rejects.toThrow();
    expect(await untilItEnds(world, id)).toBe(ended);
    expect(world.effects).toEqual(effects);
  });

  it('killed within a step knows what that one had noted, on another working copy', async () => {
    const known: unknown[] = [];
    const dies: Scripted = async ({ noted, note }, died) => {
      known.push(noted);
      if (known.length > 1) return { outputs: noted };
      await note({ output: 'once' });
      died();
      return undefined;
    };
    const world: RecoveryWorld = await RecoveryWorld.of(['{ id: a, do: exec, exec: [dies] }'], { scripts: { dies } });
    const { id } = await world.open();
    await expect(world.run(id)).rejects.toThrow();
    expect(await untilItEnds(world, id)).toBe('a done: done');
    expect(known).toEqual([{}, { output: 'once' }]);
  });

  it('asks a person about a step that died where nobody can tell', async () => {
    const dies: Scripted = async (_context, died) => {
      world.effects.push('perhaps');
      died();
      return undefined;
    };
    const world: RecoveryWorld = await RecoveryWorld.of(
      ['{ id: a, do: exec, exec: [dies] }', '{ id: b, do: exec, exec: [two] }'],
      {
        scripts: { dies },
        afterDeath: async () => 'ask',
      },
    );
    const { id } = await world.open();
    await expect(world.run(id)).rejects.toThrow();
    world.expireLeases();
    const person = world.process();
    let isAsked = false;
    const state = await world.run(id, world.process(), {
      isResumed: true,
      onState: ({ steps: [a] }) => {
        if (a?.asked?.what !== 'died' || isAsked) return;
        isAsked = true;
        void answerStep(person.workspace, { incident: id, step: 'a', answer: 'done' });
      },
    });
    expect(phasesOf(state)).toBe('a done, b done');
    expect(world.effects).toEqual(['perhaps', 'two']);
  });

  it('is left to the engine that has it: another one is refused, and does nothing', async () => {
    // It takes as long as the other one takes to be refused: no longer, however busy the machine is.
    const refused = Promise.withResolvers<undefined>();
    const slow = (): Promise<undefined> => refused.promise;
    const world: RecoveryWorld = await RecoveryWorld.of(['{ id: a, do: exec, exec: [slow] }'], { scripts: { slow } });
    const { id } = await world.open();
    const { onState, reached } = whenFirst('running');
    const [first, second] = await world.time.run(
      Promise.allSettled([
        world.engine(id, world.process(), { onState }).run(),
        reached
          .then(() => world.engine(id, world.process(), { isResumed: true }).run())
          .finally(() => refused.resolve(undefined)),
      ]),
    );
    expect(first).toMatchObject({ status: 'fulfilled' });
    expect(second).toMatchObject({ status: 'rejected', reason: { code: 'incident-running' } });
  });

  it('does no step that another engine has claimed, also where its own clock stood still meanwhile', async () => {
    const world = await RecoveryWorld.of(STEPS.slice(0, 3));
    const { id } = await world.open();
    const nowMs = world.time.nowMs();
    const suspended = world.process();
    const { reached, wake } = stalled(suspended, CLAIMS_PREFIX);
    const ran = world
      .engine(id, suspended, {
        clock: { nowMs: () => nowMs, monotonicMs: () => nowMs },
        pauseFor: (signal) => () => abortOf(signal),
      })
      .run()
      .catch((error: unknown) => error);
    await world.time.run(reached);
    world.expireLeases();
    expect((await world.run(id, world.process(), { isResumed: true })).ended?.outcome).toBe('done');
    wake();
    expect(await world.time.run(ran)).toMatchObject({ code: 'incident-running' });
    expect(world.effects).toEqual(['one', 'two', 'three']);
  });

  it('does not do a step whose beginning took so long to be recorded that another engine may be at it', async () => {
    const world = await RecoveryWorld.of(STEPS.slice(0, 3));
    const { id } = await world.open();
    const slow = world.process();
    const claimed = stalled(slow, CLAIMS_PREFIX);
    const ran = world
      .engine(id, slow)
      .run()
      .catch((error: unknown) => error);
    await world.time.run(claimed.reached);
    // From here on nothing of it arrives but what is let through.
    const { reached, wake } = stalled(slow, 'holdfast/ledger/');
    const shown = stalled(slow, LEASES_PREFIX);
    claimed.wake();
    await world.time.run(reached);
    await world.time.run(world.time.pause(5 * 60_000));
    world.expireLeases();
    expect((await world.run(id, world.process(), { isResumed: true })).ended?.outcome).toBe('done');
    wake();
    await world.time.run(world.time.pause(1000));
    shown.wake();
    expect(await world.time.run(ran)).toMatchObject({
      code: 'store-unreachable',
      message: expect.stringContaining('three minutes'),
    });
    expect(world.effects).toEqual(['one', 'two', 'three']);
  });

  it('has begun a step as far as the ledger knows before anything is done', async () => {
    const known: (string | undefined)[] = [];
    const look = async (): Promise<undefined> => {
      const events = await new RunRecord(world.process().workspace).readRun(id);
      known.push(events.at(-1)?.kind);
    };
    const world = await RecoveryWorld.of(['{ id: a, do: exec, exec: [look] }', '{ id: b, do: exec, exec: [look] }'], {
      scripts: { look },
    });
    const { id } = await world.open();
    await world.run(id);
    expect(known).toEqual(['step.started', 'step.started']);
  });

  it('takes no step for failed whose end could not be recorded', async () => {
    let isAway = false;
    const one = async (): Promise<undefined> => {
      world.effects.push('one');
      isAway = true;
    };
    const scripts = { one };
    const world: RecoveryWorld = await RecoveryWorld.of(['{ id: a, do: exec, exec: [one], retries: 3 }'], { scripts });
    const { id } = await world.open();
    const working = world.process();
    const refused: string[] = [];
    working.stores['main']!.rule = ({ method, key = '' }) => {
      if (!isAway || method !== 'put' || !key.startsWith('holdfast/ledger/')) return undefined;
      // Nothing takes the first event; a second one would be taken.
      refused.push(key);
      isAway = refused.length < 2;
      return 'before';
    };
    await expect(world.run(id, working)).rejects.toMatchObject({ code: 'store-unreachable' });
    const events = await world.time.run(new RunRecord(world.process().workspace).readRun(id));
    expect([events.at(-1)?.kind, world.effects]).toEqual(['step.started', ['one']]);
  });

  it('succeeds though it says that it failed, once it is tried again', async () => {
    const lying: Scripted = async () => {
      if (world.effects.includes('there')) return undefined;
      world.effects.push('there');
      throw new HoldfastError('program-failed', 'exited with 1');
    };
    const world: RecoveryWorld = await RecoveryWorld.of(['{ id: a, do: exec, exec: [lying], retries: 1 }'], {
      scripts: { lying },
    });
    const state = await world.run((await world.open()).id);
    expect([phasesOf(state), world.effects]).toEqual(['a done', ['there']]);
  });

  it('started twice at once is opened once, and the second person is told of it', async () => {
    const world = await RecoveryWorld.of(['{ id: a, do: note, text: x }']);
    const both = await world.time.run(Promise.allSettled([1, 2].map(() => world.opening(world.process()))));
    expect(both.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(both.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'incident-exists' } });
    await expect(world.open(world.process(), { another: true })).resolves.toBeDefined();
  });

  it('is opened once however long the first one takes to be recorded', async () => {
    const world = await RecoveryWorld.of(['{ id: a, do: note, text: x }']);
    const slow = world.process();
    const { reached, wake } = stalled(slow, 'holdfast/ledger/');
    const first = world.opening(slow);
    await world.time.run(reached);
    const second = world.opening(world.process()).catch((error: unknown) => error);
    await world.time.run(world.time.pause(2 * 60_000));
    wake();
    const { id } = await world.time.run(first);
    expect(await world.time.run(second)).toMatchObject({ code: 'incident-exists', context: { incident: id } });
  });

  it('is opened by the next one where the process that was about to is gone', async () => {
    const world = await RecoveryWorld.of(['{ id: a, do: note, text: x }']);
    const gone = world.process();
    const { reached } = stalled(gone, 'holdfast/ledger/');
    void world.opening(gone);
    await world.time.run(reached);
    const second = world.opening(world.process());
    await world.time.run(world.time.pause(10_000));
    world.expireLeases();
    await expect(world.time.run(second)).resolves.toMatchObject({ runbook: 'it' });
  });

  it('that is recorded only once another process may have opened one is ended at once', async () => {
    const world = await RecoveryWorld.of(['{ id: a, do: note, text: x }']);
    const slow = world.process();
    const { reached, wake } = stalled(slow, 'holdfast/ledger/');
    const first = world.opening(slow).catch((error: unknown) => error);
    await world.time.run(reached);
    await world.time.run(world.time.pause(5 * 60_000));
    world.expireLeases();
    const { id } = await world.open();
    wake();
    expect(await world.time.run(first)).toMatchObject({ code: 'store-unreachable' });
    const open = (await listIncidents(world.process().workspace)).filter(({ ended }) => ended === undefined);
    expect(open).toMatchObject([{ id }]);
  });

  it('refuses a kind of step that it cannot run, before anything is done', async () => {
    const world = await RecoveryWorld.of(['{ id: a, do: exec, exec: [one] }', '{ id: b, do: wait, for: 1s }']);
    const { id } = await world.open();
    const kinds = { exec: world.kinds(world.process()).exec! };
    await expect(world.run(id, world.process(), { kinds })).rejects.toMatchObject({ code: 'step-not-supported' });
    expect(world.effects).toEqual([]);
  });
});

describe('a repository that is away', () => {
  it('in the middle does not stop a recovery, whose events go to a mirror and come back', async () => {
    const scripts: Record<string, Scripted> = {};
    const world = await RecoveryWorld.of(STEPS, { scripts, mirrors: ['eu'] });
    scripts['two'] = async () => {
      working.stores['main']!.rule = () => 'before';
      return { outputs: { output: 'found' } };
    };
    const { id } = await world.open();
    const working = world.process();
    const state = await world.run(id, working);
    expect(state.ended?.outcome).toBe('done');
    // Elsewhere, as long as the repository is gone: its mirror tells all of it.
    const elsewhere = world.process();
    elsewhere.stores['main']!.rule = () => 'before';
    const read = (from = world.process()) => world.time.run(new RunRecord(from.workspace).readRun(id));
    const kinds = (await read(elsewhere)).map(({ kind }) => kind);
    expect([kinds[0], kinds.at(-1)]).toEqual(['incident.opened', 'incident.closed']);
    // Once it is back, it has what it missed, and says so alone.
    await read();
    world.memories['eu']!.objects.clear();
    expect((await read()).at(-1)?.kind).toBe('incident.closed');
  });
});

describe('an approval', () => {
  const GATE = [
    '{ id: go, do: approve, ask: "Go?", by: [oncall, lead], count: 2, timeout: 3m }',
    '{ id: b, do: exec, exec: [two] }',
  ];
  const CONTACTS = '{ oncall: { role: On-call, accounts: [anna, ben] }, lead: { role: Lead }, cto: { role: CTO } }';

  async function asked(
    answers: (say: (by: string, as?: string, answer?: 'refuse') => Promise<unknown>) => Promise<void>,
  ) {
    const world = await RecoveryWorld.of(GATE, { contacts: CONTACTS });
    const { id } = await world.open();
    const { workspace } = world.process();
    const say = (by: string, as?: string, answer: 'approve' | 'refuse' = 'approve') =>
      answerStep(workspace, { incident: id, step: 'go', answer, by, ...(as !== undefined && { as }) });
    const { onState, reached } = whenFirst('waiting');
    const person = reached.then(() => answers(say));
    const [state] = await world.time.run(Promise.all([world.engine(id, world.process(), { onState }).run(), person]));
    return { state, say, world };
  }

  it('takes as many persons as the plan says, each once, whatever they call themselves', async () => {
    const { state } = await asked(async (say) => {
      expect(await say('anna', 'oncall')).toMatchObject({ isEnough: false, missing: 1 });
      await expect(say('anna', 'oncall')).rejects.toMatchObject({ code: 'answer-refused' });
      await expect(say('anna', 'lead')).rejects.toMatchObject({ code: 'answer-refused' });
      await expect(say('carl', 'oncall')).rejects.toMatchObject({ code: 'answer-refused' });
      await expect(say('carl', 'cto')).rejects.toMatchObject({ code: 'answer-refused' });
      await expect(say('anna')).rejects.toMatchObject({ code: 'answer-refused' });
      expect(await say('ben', 'oncall')).toMatchObject({ isEnough: true, missing: 0 });
    });
    expect(phasesOf(state)).toBe('go done, b done');
    expect(state.steps[0]!.outputs['by']).toBe('anna as oncall, ben as oncall');
  });

  it('ends the step when one of them says no, and nothing after it runs', async () => {
    const { state, world } = await asked(async (say) => {
      await say('dora', 'lead', 'refuse');
    });
    expect([phasesOf(state), world.effects]).toEqual(['go failed, b pending', []]);
    expect(state.steps[0]!.error?.code).toBe('approval-refused');
  });

  it('after its time is over is refused', async () => {
    const { state, say, world } = await asked(async () => {});
    expect(phasesOf(state)).toBe('go timed-out, b pending');
    await expect(world.time.run(say('anna', 'oncall'))).rejects.toMatchObject({ code: 'answer-refused' });
  });

  it('that was given counts though the process died before there were enough', async () => {
    const world = await RecoveryWorld.of(
      GATE.map((step) => step.replace(', timeout: 3m', '')),
      { contacts: CONTACTS },
    );
    const { id } = await world.open();
    const { workspace } = world.process();
    const say = (by: string, as: string) =>
      answerStep(workspace, { incident: id, step: 'go', answer: 'approve', by, as });
    const gone = new AbortController();
    const first = world.process(gone.signal);
    const before = whenFirst('waiting');
    const run = world
      .engine(id, first, before)
      .run()
      .catch(() => 'died');
    await world.time.run(before.reached.then(() => say('anna', 'oncall')).then(() => first.kill()));
    // A process that is gone waits for nothing.
    gone.abort(new Error('gone'));
    expect(await world.time.run(run)).toBe('died');
    world.expireLeases();
    const { onState, reached } = whenFirst('waiting');
    const engine = world.engine(id, world.process(), { isResumed: true, onState });
    const [state] = await world.time.run(Promise.all([engine.run(), reached.then(() => say('dora', 'lead'))]));
    expect(phasesOf(state)).toBe('go done, b done');
  });

  it('that cannot come, since every store is away, is not waited for without end, and counts later', async () => {
    const world = await RecoveryWorld.of(
      GATE.map((step) => step.replace(', timeout: 3m', '')),
      { contacts: CONTACTS },
    );
    const { id } = await world.open();
    const working = world.process();
    const { workspace } = world.process();
    const { onState, reached } = whenFirst('waiting');
    const run = world.engine(id, working, { onState }).run();
    const away = reached.then(() => {
      for (const store of Object.values(working.stores)) store.rule = () => 'before';
      return world.time.nowMs();
    });
    const [ended, awayMs] = await world.time.run(Promise.all([run.catch((error: unknown) => error), away]));
    expect(ended).toMatchObject({ code: 'store-unreachable', hint: expect.stringContaining(`incident resume ${id}`) });
    expect(world.time.nowMs() - awayMs).toBeGreaterThanOrEqual(180_000);
    for (const [by, as] of [
      ['anna', 'oncall'],
      ['dora', 'lead'],
    ] as const) {
      await world.time.run(answerStep(workspace, { incident: id, step: 'go', answer: 'approve', by, as }));
    }
    expect(await untilItEnds(world, id)).toBe('go done, b done: done');
  });
});
