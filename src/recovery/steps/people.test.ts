import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HttpReceiver, startHttpReceiver } from '../../../test/support/channel-servers.ts';
import { MovedClock } from '../../../test/support/moved-clock.ts';
import { type ContextOptions, describeStep } from '../../../test/support/step-conformance.ts';
import { bareWorkspace, contextOf, SINCE_MS } from '../../../test/support/steps.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import type { Workspace } from '../../operations/index.ts';
import type { Contact, StepKindName } from '../../plan/index.ts';
import type { Answer, Question, StepContext } from '../step.ts';
import { approve } from './approve.ts';
import { note } from './note.ts';
import { notify } from './notify.ts';
import { review } from './review.ts';
import { task } from './task.ts';
import { wait } from './wait.ts';

const HOUR_MS = 3_600_000;
const NOTHING = { world: async () => '', secrets: [] };

function contacts(accounts?: string[]): Map<string, Contact> {
  const lead = { id: 'lead', role: 'DevOps lead', phone: '+1-555', ...(accounts && { accounts }) };
  return new Map([['lead', lead as unknown as Contact]]);
}

/** Somebody who is asked, and says so; or nobody. */
function asked<Kind extends StepKindName>(
  context: StepContext<Kind>,
  answers?: Answer[],
): StepContext<Kind> & { questions: Question[] } {
  const questions: Question[] = [];
  const ask = async (question: Question): Promise<Answer[]> => {
    questions.push(question);
    if (answers !== undefined) return answers;
    return new Promise((_, reject) => context.signal.addEventListener('abort', () => reject(context.signal.reason)));
  };
  return { ...context, questions, ask };
}

async function refuses(): Promise<Answer[]> {
  throw new HoldfastError('approval-refused', 'anna said no', { hint: 'Nothing of this step was done.' });
}

describeStep('approve', async () => {
  const workspace = bareWorkspace({ contacts: contacts() });
  const document = { do: 'approve', ask: 'Promote it?', by: ['lead'], count: 1 } as const;
  const alone = bareWorkspace({ contacts: contacts(['anna']) });
  return {
    ...NOTHING,
    kind: approve,
    works: (more) => asked(contextOf(workspace, { ...document }, more), [{ by: 'anna', as: 'lead' }]),
    obstructed: {
      context: () => contextOf(alone, { ...document, count: 2 }),
      says: /takes 2 persons, and lead have 1 accounts/,
    },
    fails: () => ({ ...contextOf(workspace, { ...document }), ask: refuses }),
    slow: (more) => asked(contextOf(workspace, { ...document }, more)),
  };
});

describeStep(
  'task',
  async () => {
    const workspace = bareWorkspace({ contacts: contacts() });
    const document = {
      do: 'task',
      ask: 'The cause is known',
      assignee: 'lead',
      checklist: ['it is written down'],
    } as const;
    return {
      ...NOTHING,
      kind: task,
      works: (more) => asked(contextOf(workspace, { ...document }, more), [{ by: 'anna', note: 'a migration' }]),
      fails: () => ({ ...contextOf(workspace, { ...document }), ask: refuses }),
      slow: (more) => asked(contextOf(workspace, { ...document }, more)),
    };
  },
  { without: ['obstructed'] },
);

describeStep(
  'note',
  async () => ({
    ...NOTHING,
    kind: note,
    works: (more) => contextOf(bareWorkspace(), { do: 'note', text: 'the provider was told' }, more),
  }),
  { without: ['obstructed', 'fails', 'slow'] },
);

describeStep(
  'review',
  async () => ({
    ...NOTHING,
    kind: review,
    works: (more) => contextOf(bareWorkspace(), { do: 'review', within: '12h', attendees: ['lead'] }, more),
  }),
  { without: ['obstructed', 'fails', 'slow'] },
);

describeStep(
  'wait',
  async () => {
    const context = (length: string, more: ContextOptions) =>
      contextOf(bareWorkspace(), { do: 'wait', for: length }, more);
    return {
      ...NOTHING,
      kind: wait,
      works: (more = {}) => context('10ms', more),
      slow: (more) => context('40d', more),
    };
  },
  { without: ['obstructed', 'fails'] },
);

describe('a channel', () => {
  const SECRET = 'key-that-signs-what-is-sent';
  let team: HttpReceiver;
  let users: HttpReceiver;
  beforeAll(async () => {
    [team, users] = await Promise.all([startHttpReceiver(), startHttpReceiver()]);
  });
  afterAll(async () => {
    await Promise.all([team.close(), users.close()]);
  });

  function workspace(): Workspace {
    const hook = (name: string, variable: string) =>
      [name, { name, type: 'webhook', url: { env: variable }, secret: { env: 'SECRET' } }] as const;
    const { alerts } = bareWorkspace().plan;
    const channels = new Map([hook('team', 'TEAM'), hook('users', 'USERS'), hook('unset', 'NOT_SET')]);
    const persons = new Map([
      ['lead', { id: 'lead', role: 'Lead', channel: 'users' }],
      ['cto', { id: 'cto', role: 'CTO' }],
    ]) as unknown as Map<string, Contact>;
    return bareWorkspace(
      { contacts: persons, alerts: { ...alerts, channels } },
      { variables: { TEAM: team.url, USERS: users.url, SECRET } },
    );
  }
  const context = (to: string[], more: ContextOptions = {}) =>
    contextOf(
      workspace(),
      { do: 'notify', to, message: 'We are <b>on</b> it' },
      { runbook: 'region-failure', ...more },
    );

  describeStep('notify', async () => ({
    kind: notify,
    works: (more) => context(['team', 'lead'], more),
    world: async () => String(team.requests.length > 0 && users.requests.length > 0 ? 'told' : team.requests.length),
    isDone: async () => [team, users].every(({ requests }) => requests.length > 0),
    obstructed: { context: () => context(['team', 'unset']), says: /unset: .*NOT_SET/ },
    fails: () => context(['unset']),
    slow: (more) => {
      team.breakage = 'silent';
      more.signal!.addEventListener('abort', () => {
        team.breakage = undefined;
      });
      return context(['team'], more);
    },
    secrets: [SECRET],
  }));

  it('gets the message, and those who are named get it over theirs; who is not told is said', async () => {
    const sent = team.requests.length;
    const { outcome, summary } = await notify.run(context(['team', 'lead', 'users', 'cto', 'unset']));
    expect([outcome, summary]).toEqual([
      'partial',
      expect.stringMatching(/^told team, users: .*; not told: cto has no channel; unset/),
    ]);
    expect(team.requests.length).toBe(sent + 1);
    const { body } = team.requests.at(-1)!;
    expect(body).toContain('region-failure (incident INC-1)');
    expect(JSON.stringify(JSON.parse(body))).toContain('We are <b>on</b> it');
  });

  it('that reaches nobody fails the step', async () => {
    team.answer = { status: 403 };
    await expect(notify.run(context(['team', 'cto']))).rejects.toMatchObject({
      code: 'channel-failed',
      message: expect.stringMatching(/nobody could be told: cto has no channel; team: /),
    });
    team.answer = { status: 200 };
  });
});

describe('a step that persons have a part in', () => {
  it('waits since it began: who goes on after a death does not wait anew', async () => {
    const clock = new MovedClock('2026-03-01T15:00:00Z');
    const beganMs = clock.nowMs() - HOUR_MS;
    const context = { ...contextOf(bareWorkspace({}, { clock }), { do: 'wait', for: '1h' }), clock };
    expect((await wait.run({ ...context, beganMs })).summary).toBe('waited for 1h');
    const told: string[] = [];
    const ending = new AbortController();
    const tell = (line: string): void => {
      told.push(line);
      ending.abort(new Error('enough'));
    };
    const waiting = wait.run({ ...context, beganMs: beganMs + 1000, signal: ending.signal, tell });
    await expect(waiting).rejects.toThrow('enough');
    expect(told).toEqual(['1 s left']);
  });

  it('says by when the review is to be held, counted from the end, and how that is recorded', async () => {
    const clock = new MovedClock('2026-03-01T15:00:00Z');
    const due = async (more: object) =>
      review.run({ ...contextOf(bareWorkspace({}, { clock }), { do: 'review', ...more } as { do: 'review' }), clock });
    expect((await due({})).outputs['due']).toBe('2026-03-02T15:00:00.000Z');
    const { outputs, summary } = await due({ within: '90m' });
    expect([outputs['due'], summary]).toEqual([
      '2026-03-01T16:30:00.000Z',
      expect.stringContaining('holdfast review record incident-INC-1 --attended NAME'),
    ]);
    expect(SINCE_MS).toBeLessThan(clock.nowMs());
  });

  it('asks whose task it is, shows how it is done, and keeps what came of it for later steps', async () => {
    const told: string[] = [];
    const document = {
      ask: 'Patches are in',
      assignee: 'lead',
      instructions: 'Update it.\nRestart it.',
      checklist: ['it runs'],
    };
    const context = asked(contextOf(bareWorkspace(), { do: 'task', ...document }, { told }), [
      { by: 'anna', note: '3 of 4' },
    ]);
    const { outputs, summary } = await task.run(context);
    expect(context.questions).toEqual([{ what: 'task', question: 'Patches are in', of: ['lead'] }]);
    expect(told).toEqual(['Update it.', 'Restart it.', '[ ] it runs']);
    expect([outputs, summary]).toEqual([{ by: 'anna', note: '3 of 4' }, 'anna has done it: Patches are in (3 of 4)']);
  });
});
