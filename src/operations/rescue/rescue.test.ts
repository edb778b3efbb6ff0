import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { planWith } from '../../../test/support/plan.ts';
import { testDirectory } from '../../../test/support/repository.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import type { Group, Plan, Source as PlanSource, Repository } from '../../plan/index.ts';
import type { KitContent } from '../kit/kit-content.ts';
import type { OpenedRepository } from '../workspace.ts';
import type { RescueMember } from './bring-back.ts';
import { type Copy, chooseCopies } from './find-copies.ts';
import { judge, rescueExit } from './judge.ts';
import { newestPlan } from './newest-plan.ts';
import { recoveryOrder } from './order.ts';
import { rescuePlan, unconfirmedEndpoints } from './rescue-plan.ts';
import { earlierOf, readState, writeState } from './rescue-state.ts';

const HOUR_MS = 3_600_000;

function sourceOf(name: string, more: Partial<PlanSource> = {}): [string, PlanSource] {
  const common = { name, repository: 'main', objectives: { rpoMs: HOUR_MS }, validate: [] };
  return [name, { type: 'files', paths: ['/srv'], exclude: [], ...common, ...more } as PlanSource];
}

const group = (name: string, sources: string[]): [string, Group] => [name, { name, sources, validate: [] }];

describe('the order of a recovery', () => {
  it('is that of the groups, then what belongs to none, and each source once', () => {
    const sources = new Map(['a', 'b', 'c', 'd'].map((name) => sourceOf(name)));
    const groups = new Map([group('one', ['c', 'a']), group('two', ['a', 'b']), group('three', ['a', 'c'])]);
    expect(recoveryOrder({ sources, groups })).toEqual([
      { group: 'one', sources: ['c', 'a'] },
      { group: 'two', sources: ['b'] },
      { sources: ['d'] },
    ]);
  });
});

describe('the copy that a source is read from', () => {
  const s3 = { pathStyle: false };
  const archive = { from: 'main', sources: ['a'], isOffline: false };
  const plan = planWith({
    sources: new Map([sourceOf('a'), sourceOf('b')]),
    repositories: new Map([
      ['main', { name: 'main', store: '/main', password: 'p', s3 }],
      ['old', { name: 'old', store: '/old', password: 'p', s3, archive }],
    ]),
    mirrors: new Map([['second', { name: 'second', store: '/second', of: 'main', s3 }]]),
  });
  const copies = (reasons: Record<string, string>, epochs: Record<string, number> = {}): Copy[] =>
    ['main', 'old', 'second'].map((name) => ({
      ...{ name, place: `/${name}`, epoch: epochs[name] ?? 0 },
      ...(name !== 'main' && { of: 'main' }),
      ...(reasons[name] !== undefined && { reason: reasons[name] }),
    }));

  it('is its repository, a mirror where that is away, and an archive that has it where both are', () => {
    const chosen = (reasons: Record<string, string>) => Object.fromEntries(chooseCopies(plan, copies(reasons)));
    expect(chosen({})).toEqual({ a: 'main', b: 'main' });
    expect(chosen({ main: 'gone' })).toEqual({ a: 'second', b: 'second' });
    expect(chosen({ main: 'gone', second: 'gone' })).toEqual({ a: 'old' });
    expect(chosen({ main: 'gone', second: 'gone', old: 'gone' })).toEqual({});
  });

  it('is the mirror that was made the primary, also where the old primary answers', () => {
    expect(chooseCopies(plan, copies({}, { second: 1 })).get('a')).toBe('second');
  });
});

describe('the newest plan', () => {
  const text = (schedule: string): string =>
    JSON.stringify({
      ...{ version: 1, name: 'shop', repositories: { main: { store: '/main', password: { env: 'P' } } } },
      sources: { docs: { type: 'files', paths: ['/srv'], schedule } },
    });
  const madeAt = '2026-01-31T12:00:00.000Z';
  const kit = { madeAt, plan: { name: 'shop', text: text('daily'), sha256: '' } } as KitContent;
  const ledgerOf = (...revisions: [time: string, text: string][]) =>
    ({
      ledger: {
        events: async () =>
          revisions.map(([time, plan], at) => ({
            ...{ kind: 'plan.applied', time, actor: 'ada@db1' },
            body: { revision: at + 1, text: plan, sha256: plan, why: 'x' },
          })),
      },
    }) as unknown as OpenedRepository;

  it('is that of the ledger which has the newest, where that is newer than the kit', async () => {
    const [older, newer] = [
      ledgerOf(['2026-02-01T00:00:00Z', text('weekly')]),
      ledgerOf(['2026-02-02T00:00:00Z', text('monthly')]),
    ];
    const found = await newestPlan([newer, older], kit, '/');
    expect(found.plan?.sources.get('docs')?.schedule?.text).toBe('monthly');
    expect((await newestPlan([ledgerOf(['2026-01-01T00:00:00Z', text('hourly')])], kit, '/')).plan).toBeUndefined();
  });

  it('is that of the kit where this version cannot read a newer one, which is said', async () => {
    const unreadable = ledgerOf(['2026-02-01T00:00:00Z', '{"version":2}']);
    const { plan, from, notes } = await newestPlan([unreadable], kit, '/');
    expect([plan, from, notes]).toEqual([
      undefined,
      expect.stringContaining('the plan in the kit'),
      [expect.stringMatching(/revision 1.*cannot be read by this version/)],
    ]);
  });
});

describe('the plan of a rescue', () => {
  const reference = { env: 'SECRET' };
  const validate = [{ kind: 'exec' as const, name: 'own', exec: ['./check'] }];
  const sources = new Map([
    sourceOf('db', {
      type: 'postgres',
      method: 'physical',
      url: reference,
      standby: { name: 's', url: reference },
      validate,
    }),
    sourceOf('sessions', { type: 'redis', url: 'redis://living', stream: true } as Partial<PlanSource>),
    sourceOf('code', { type: 'git', url: reference } as Partial<PlanSource>),
  ]);
  const s3 = { pathStyle: false };
  const planned = { name: 'main', store: reference, password: reference, s3 };
  const plan = planWith({ sources, repositories: new Map([['main', planned]]) });
  const place = { kind: 's3', bucket: 'b', prefix: 'p', pathStyle: true, endpoint: 'https://s3.example' } as const;
  const repositories = [{ name: 'main', id: 'i', place, password: 'of the kit', key: 'k' }];
  const rescued = rescuePlan(plan, { repositories } as unknown as KitContent);

  it('opens the repositories where the kit has them, by the key of the kit', () => {
    expect(rescued.repositories.get('main')).toMatchObject({
      ...{ store: 's3://b/p', password: 'of the kit' },
      s3: { pathStyle: true, endpoint: 'https://s3.example' },
    });
  });

  it('runs no program and reads no file for a repository that the kit does not know', () => {
    const command: [string, ...string[]] = ['touch', '/tmp/was-run'];
    const newer = { name: 'newer', store: { command }, password: { file: '/etc/passwd' }, s3 };
    const mirrors = new Map([['copy', { name: 'copy', of: 'newer', store: { command }, s3 }]]);
    const given = planWith({
      repositories: new Map<string, Repository>([
        ['main', planned],
        ['newer', newer],
        ['own', { ...newer, name: 'own', password: reference }],
      ]),
      mirrors,
    });
    const seen = rescuePlan(given, { repositories } as unknown as KitContent);
    expect(JSON.stringify([...seen.repositories, ...seen.mirrors])).not.toMatch(/command|"file"/);
    expect(seen.repositories.get('newer')?.password).toEqual({ env: 'HOLDFAST_RESCUE_PASSWORD' });
    expect(seen.repositories.get('own')?.password).toEqual(reference);
  });

  it('reaches no endpoint that the ledger alone knows, until it is confirmed', () => {
    const command: [string, ...string[]] = ['touch', '/tmp/was-run'];
    const at = (name: string, endpoint: Repository['s3']['endpoint']): [string, Repository] => [
      name,
      {
        name,
        store: 's3://b/p',
        password: reference,
        s3: { pathStyle: true, region: { command }, kmsKeyId: { command }, endpoint: endpoint! },
      },
    ];
    const hostile = 'https://collects.example';
    const own = 'https://s3.example';
    const given = planWith({
      repositories: new Map([at('evil', hostile), at('asked', { command }), at('ours', own)]),
    });
    const kit = { repositories } as unknown as KitContent;
    expect([...unconfirmedEndpoints(given, kit, {})]).toEqual([
      ['evil', hostile],
      ['asked', 'a reference'],
    ]);
    const seen = rescuePlan(given, kit);
    expect(JSON.stringify([...seen.repositories.values()])).not.toMatch(/collects|command/);
    expect(seen.repositories.get('evil')?.store).toEqual({ env: 'HOLDFAST_RESCUE_STORE' });
    expect(seen.repositories.get('ours')).toMatchObject({ store: 's3://b/p', s3: { endpoint: own } });
    const variables = { HOLDFAST_RESCUE_ENDPOINT: `https://other.example ${hostile}` };
    expect([...unconfirmedEndpoints(given, kit, variables).keys()]).toEqual(['asked']);
    expect(rescuePlan(given, kit, variables).repositories.get('evil')).toMatchObject({ s3: { endpoint: hostile } });
  });

  it('has no address of what lives, no reference, and no program to run', () => {
    const text = JSON.stringify([...rescued.sources.values()]);
    expect(text).not.toMatch(/SECRET|living|\.\/check|standby/);
    expect(rescued.standbys.size + rescued.services.size).toBe(0);
    expect(rescued.maintenance).toBeUndefined();
  });
});

describe('what a rescue has brought back', () => {
  const directory = testDirectory();
  const at = '2026-01-31T12:00:00.000Z';
  const fresh = { plan: 'shop', at, startedAt: at };

  it('is known to the next run, with what came of its proof', async () => {
    const proof = { state: 'failed' as const, checksFailed: ['rows'] };
    const db = { target: '/back/db', from: 'main', snapshot: 's', time: at, bytes: 1, outcome: 'complete' as const };
    await writeState(directory, { version: 1, ...fresh, asked: at, begun: {}, sources: { db: { ...db, proof } } });
    // As `writeState` leaves it, where it is killed.
    writeFileSync(join(directory, '.holdfast-rescue.json.0123456789abcdef.part'), '{');
    const state = await readState(directory, { ...fresh, at: '2027-01-01T00:00:00.000Z' });
    expect(readdirSync(directory)).toEqual(['.holdfast-rescue.json']);
    expect([state.at, state.asked, earlierOf(state, 'db')]).toEqual([at, at, { ...db, proof }]);
  });

  it('is nothing of a source that nothing is written of, whatever that is called', () => {
    expect(earlierOf({ version: 1, ...fresh, begun: {}, sources: {} }, 'constructor')).toBeUndefined();
  });
});

describe('what a rescue came to', () => {
  const plan: Pick<Plan, 'objectives' | 'sources'> = planWith({
    objectives: { rtoMs: 2 * HOUR_MS },
    sources: new Map([sourceOf('a'), sourceOf('b')]),
  });
  const sinceMs = Date.parse('2026-01-31T12:00:00Z');
  const about = { stage: 1, target: '/back', isEarlier: false, bytes: 1, notes: [], problems: [] };
  const back = (source: string, more: object = {}): RescueMember =>
    ({ ...about, source, outcome: 'complete', time: '2026-01-31T11:30:00Z', ...more }) as RescueMember;
  const lost = (source: string): RescueMember =>
    ({ ...about, source, outcome: 'failed', error: new HoldfastError('no-repository', 'gone') }) as RescueMember;
  const outcomeOf = (members: RescueMember[], durationMs = HOUR_MS) => {
    const judged = judge(plan, members, { sinceMs, durationMs });
    return [judged.outcome, rescueExit({ ...judged, members }), judged.missed.length];
  };
  const proof = (state: string) => ({ proof: { state, checksFailed: ['rows'] } });

  it('is never better than the worst of it', () => {
    expect(outcomeOf([back('a'), back('b', proof('proven'))])).toEqual(['done', 0, 0]);
    expect(outcomeOf([back('a'), back('b')], 3 * HOUR_MS)).toEqual(['missed', 4, 1]);
    expect(outcomeOf([back('a'), back('b', { time: '2026-01-31T10:00:00Z' })])).toEqual(['missed', 4, 1]);
    expect(outcomeOf([back('a'), back('b', proof('failed'))])).toEqual(['missed', 4, 1]);
    expect(outcomeOf([back('a'), back('b', proof('not-provable'))])).toEqual(['partial', 3, 0]);
    expect(outcomeOf([back('a'), back('b', { unproven: 'the disk is full' })])).toEqual(['partial', 3, 0]);
    expect(outcomeOf([back('a'), back('b', { outcome: 'partial' })])).toEqual(['partial', 3, 0]);
    expect(outcomeOf([back('a'), lost('b')], 3 * HOUR_MS)).toEqual(['partial', 3, 1]);
    expect(outcomeOf([lost('a'), lost('b')])).toEqual(['failed', 10, 0]);
  });
});
