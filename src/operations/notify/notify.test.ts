import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { messageOf } from '../../../test/support/alert-messages.ts';
import { type HttpReceiver, startHttpReceiver } from '../../../test/support/channel-servers.ts';
import type { AlertMessage } from '../../alert/index.ts';
import { systemClock } from '../../foundation/clock.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import { noProgress } from '../../foundation/progress.ts';
import { adapters } from '../../main/adapters.ts';
import { planSchema } from '../../plan/schema.ts';
import { buildPlan } from '../../plan/view.ts';
import { type Environment, Workspace } from '../workspace.ts';
import { fallbackChannels } from './fallback.ts';
import { notify } from './notify.ts';

const raised = messageOf('raised');

describe('notify', () => {
  const servers: Record<string, HttpReceiver> = {};
  let recorded: { kind: string; body: unknown }[];
  let waits: number[];

  beforeAll(async () => {
    for (const name of ['pager', 'lead', 'team', 'users']) servers[name] = await startHttpReceiver();
  });
  afterAll(() => Promise.all(Object.values(servers).map(({ close }) => close())));
  beforeEach(() => {
    [recorded, waits] = [[], []];
    for (const server of Object.values(servers)) {
      server.requests.length = 0;
      server.answer = { status: 200 };
    }
  });

  const record = {
    append: async (kind: string, body: unknown) => {
      recorded.push({ kind, body });
    },
  };
  const options = {
    record,
    pause: async (ms: number) => {
      waits.push(ms);
    },
  };

  function workspace(change: Partial<Environment> = {}): Workspace {
    const webhook = (name: string) => ({ type: 'webhook', url: `${servers[name]!.url}/${name}` });
    const document = planSchema.parse({
      ...{ version: 1, name: 'omni', repositories: {}, sources: {} },
      contacts: {
        oncall: { role: 'On-call', channel: 'pager' },
        lead: { role: 'Lead', channel: 'lead' },
      },
      alerts: {
        channels: {
          users: webhook('users'),
          pager: webhook('pager'),
          beat: { type: 'heartbeat', url: servers['team']!.url },
          team: webhook('team'),
          lead: webhook('lead'),
          secret: { type: 'slack', webhook: { env: 'ABSENT' } },
        },
        routes: [{ to: 'users', rules: ['availability'] }],
        escalation: [
          { after: '0m', notify: ['oncall'] },
          { after: '30m', notify: ['lead'] },
        ],
      },
    });
    return new Workspace(
      { plan: buildPlan(document, '/') },
      {
        ...{ clock: systemClock, variables: {}, version: '0', signal: new AbortController().signal, adapters },
        progress: () => noProgress,
        ...change,
      },
    );
  }

  const told = (): string[] => Object.entries(servers).flatMap(([name, { requests }]) => requests.map(() => name));

  it('records what was delivered, on the first attempt', async () => {
    const [delivered] = await notify(workspace(), [{ channel: 'pager', message: raised }], options);
    expect(delivered).toEqual({ channel: 'pager', outcome: 'delivered', attempts: 1, instead: [] });
    expect(recorded).toEqual([
      {
        kind: 'alert.notified',
        body: {
          ...{ alerts: ['a1b2c3d4'], news: 'raised', channel: 'pager', reason: '0m, oncall' },
          ...{ attempts: 1, outcome: 'delivered' },
        },
      },
    ]);
    expect([told(), waits]).toEqual([['pager'], []]);
  });

  it('tries again up to three times within a minute, and waits as long as it is asked to', async () => {
    const { pager } = servers;
    pager!.answer = { status: 429, headers: { 'retry-after': '7' } };
    const pause = async (ms: number) => {
      waits.push(ms);
      if (waits.length === 2) pager!.answer = { status: 200 };
    };
    const [delivered] = await notify(workspace(), [{ channel: 'pager', message: raised }], { record, pause });
    expect(delivered).toMatchObject({ outcome: 'delivered', attempts: 3 });
    expect(waits).toEqual([7000, 7000]);
  });

  it('gives up after the third attempt, or at once where that cannot help, and tells the next on the ladder', async () => {
    servers['pager']!.answer = { status: 503 };
    const [delivered] = await notify(workspace(), [{ channel: 'pager', message: raised }], options);
    expect(delivered).toMatchObject({
      ...{ channel: 'pager', outcome: 'failed', attempts: 3, error: { code: 'channel-failed' } },
      instead: [{ channel: 'lead', outcome: 'delivered', attempts: 1 }],
    });
    expect(waits).toEqual([1000, 5000]);
    const body = JSON.parse(servers['lead']!.requests[0]!.body);
    expect(body.data.reason).toBe('0m, oncall; instead of pager');
    expect(recorded).toMatchObject([
      { body: { channel: 'pager', outcome: 'failed', attempts: 3, code: 'channel-failed' } },
      { body: { channel: 'lead', outcome: 'delivered', insteadOf: 'pager' } },
    ]);
    servers['pager']!.answer = { status: 400 };
    const [refused] = await notify(workspace(), [{ channel: 'pager', message: raised }], options);
    expect(refused).toMatchObject({ attempts: 1, outcome: 'failed' });
    servers['pager']!.answer = { status: 503, headers: { 'retry-after': '3600' } };
    const [away] = await notify(workspace(), [{ channel: 'pager', message: raised }], options);
    expect(away).toMatchObject({ attempts: 1, outcome: 'failed' });
  });

  it('claims no delivery where every channel refuses, and throws for none', async () => {
    for (const server of Object.values(servers)) server.answer = { status: 400 };
    const [delivered] = await notify(workspace(), [{ channel: 'pager', message: raised }], options);
    expect(delivered).toMatchObject({
      outcome: 'failed',
      instead: [
        { channel: 'lead', outcome: 'failed' },
        { channel: 'team', outcome: 'failed' },
        { channel: 'secret', outcome: 'failed', error: { code: 'secret-unavailable' } },
      ],
    });
    expect(recorded.map(({ body }) => (body as { outcome: string }).outcome)).toEqual(Array(4).fill('failed'));
    expect(servers['users']!.requests).toEqual([]);
  });

  it('tells nobody twice: neither who is told anyway, nor who was told instead before', async () => {
    servers['pager']!.answer = { status: 400 };
    const both = [
      { channel: 'pager', message: raised },
      { channel: 'lead', message: raised },
    ];
    const outcomes = await notify(workspace(), both, options);
    expect(outcomes.map(({ instead }) => instead.map(({ channel }) => channel))).toEqual([['team'], []]);
    expect(servers['lead']!.requests).toHaveLength(1);
    const again = [{ channel: 'pager', message: raised, fallsBack: false }];
    expect(await notify(workspace(), again, options)).toMatchObject([{ outcome: 'failed', instead: [] }]);
    const over = [{ channel: 'pager', message: messageOf('resolved', { state: 'resolved' }) }];
    expect(await notify(workspace(), over, options)).toMatchObject([{ outcome: 'failed', instead: [] }]);
  });

  it('keeps the order of what goes to one channel, and is not patient a second time', async () => {
    const kinds = ['raised', 'updated', 'resolved'] as const;
    const deliveries = kinds.map((kind) => ({ channel: 'lead', message: messageOf(kind), fallsBack: false }));
    await notify(workspace(), deliveries, options);
    const types = servers['lead']!.requests.map(({ body }) => JSON.parse(body).type);
    expect(types).toEqual(['alert.raised', 'alert.updated', 'alert.resolved']);
    servers['lead']!.answer = { status: 500 };
    const failed = await notify(workspace(), deliveries, options);
    expect(failed.map(({ attempts }) => attempts)).toEqual([3, 1, 1]);
  });

  it('delivers though nothing can be recorded, and says so', async () => {
    const append = () => Promise.reject(new HoldfastError('store-unreachable', 'no store'));
    const [delivered] = await notify(workspace(), [{ channel: 'pager', message: raised }], {
      ...options,
      record: { append },
    });
    expect(delivered).toMatchObject({ outcome: 'delivered', unrecorded: { code: 'store-unreachable' } });
  });

  it('says that a channel which the plan does not have failed', async () => {
    const [delivered] = await notify(workspace(), [{ channel: 'absent', message: raised, fallsBack: false }], options);
    expect(delivered).toMatchObject({ outcome: 'failed', error: { code: 'unknown-channel' } });
    const [beat] = await notify(workspace(), [{ channel: 'beat', message: raised, fallsBack: false }], options);
    expect(beat).toMatchObject({ outcome: 'failed', error: { code: 'channel-failed' }, attempts: 1 });
    expect(servers['team']!.requests).toEqual([]);
  });

  it('ends with the reason of the signal', async () => {
    const reason = new Error('enough');
    const stopped = workspace({ signal: AbortSignal.abort(reason) });
    await expect(notify(stopped, [{ channel: 'pager', message: raised }], options)).rejects.toBe(reason);
    expect(recorded).toEqual([]);
  });

  it('falls to the ladder, the contacts and what else there is, and to a narrow route for its rules alone', () => {
    const { plan } = workspace();
    const of = (failed: string, rules: AlertMessage['alerts'][number]['rule'][] = ['rpo-breach']): string[] =>
      fallbackChannels(plan, failed, { alerts: rules.flatMap((rule) => messageOf('raised', { rule }).alerts) });
    expect(of('pager')).toEqual(['lead', 'team', 'secret']);
    expect(of('lead')).toEqual(['pager', 'team', 'secret']);
    expect(of('users', ['availability'])).toEqual(['pager', 'lead', 'team', 'secret']);
    expect(of('pager', ['availability'])).toEqual(['lead', 'users', 'team', 'secret']);
    expect(of('pager', ['availability', 'latency'])).toEqual(['lead', 'team', 'secret']);
  });
});
