import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RULE_NAMES } from './alerts/rule-schema.ts';
import { loadPlan, parsePlan } from './load.ts';
import { formatProblem, PlanInvalidError } from './problems.ts';

const PLAN = `version: 1
name: shop
repositories:
  primary: { store: ./repository, password: { env: HOLDFAST_PASSWORD } }
sources:
  uploads: { type: files, paths: [/srv/uploads] }
`;

let directory: string;

beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'plan-')));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

function write(path: string, text: string | Uint8Array = PLAN): string {
  const whole = join(directory, path);
  mkdirSync(join(whole, '..'), { recursive: true });
  writeFileSync(whole, text);
  return whole;
}

async function problemsOf(options: { path?: string; cwd?: string }): Promise<string[]> {
  try {
    await loadPlan({ cwd: directory, env: {}, ...options });
    return [];
  } catch (error) {
    if (!(error instanceof PlanInvalidError)) throw error;
    return error.problems.map(formatProblem);
  }
}

describe('the plan is found', () => {
  test('here', async () => {
    const path = write('holdfast.yaml');
    const loaded = await loadPlan({ cwd: directory, env: {} });
    expect(loaded).toMatchObject({ path, directory, text: PLAN });
    expect(loaded.plan.directory).toBe(directory);
  });

  test('in a parent directory, past a directory of that name', async () => {
    const path = write('holdfast.yaml');
    write('a/holdfast.yaml/b/x');
    const loaded = await loadPlan({ cwd: join(directory, 'a', 'holdfast.yaml', 'b'), env: {} });
    expect(loaded.path).toBe(path);
  });

  test('by a link, whose directory relative paths start from: what it leads to may move, as it does in a ConfigMap', async () => {
    write('..2026/holdfast.yaml');
    mkdirSync(join(directory, 'mounted'));
    symlinkSync('../..2026/holdfast.yaml', join(directory, 'mounted', 'holdfast.yaml'));
    const { plan } = await loadPlan({ cwd: join(directory, 'mounted'), env: {} });
    expect(plan.directory).toBe(join(directory, 'mounted'));
  });

  test('by HOLDFAST_PLAN before what is here, and by its path before both', async () => {
    write('holdfast.yaml');
    write('b.yaml', PLAN.replace('shop', 'by-variable'));
    write('c.yaml', PLAN.replace('shop', 'by-path'));
    const env = { HOLDFAST_PLAN: 'b.yaml' };
    expect((await loadPlan({ cwd: directory, env })).plan.name).toBe('by-variable');
    expect((await loadPlan({ cwd: directory, env, path: 'c.yaml' })).plan.name).toBe('by-path');
    expect((await loadPlan({ cwd: directory, env: { HOLDFAST_PLAN: '' } })).plan.name).toBe('shop');
  });

  test('or the error says where it was looked for', async () => {
    await expect(loadPlan({ cwd: directory, env: {} })).rejects.toMatchObject({
      code: 'plan-not-found',
      exitCode: 2,
      message: 'there is no holdfast.yaml here or in a parent directory',
      hint: expect.stringContaining('--plan FILE'),
    });
    await expect(loadPlan({ cwd: directory, env: {}, path: 'x.yaml' })).rejects.toMatchObject({
      code: 'plan-not-found',
      message: `there is no plan at ${join(directory, 'x.yaml')}`,
    });
    await expect(loadPlan({ cwd: directory, env: {}, path: '.' })).rejects.toMatchObject({
      code: 'plan-not-found',
      message: `${directory} is no plan: it is a directory`,
    });
  });

  test('under a name that is almost right only by the hint', async () => {
    write('holdfast.yml');
    await expect(loadPlan({ cwd: directory, env: {} })).rejects.toMatchObject({
      code: 'plan-not-found',
      hint: 'Rename holdfast.yml to holdfast.yaml.',
    });
  });
});

describe('a file that is no plan', () => {
  test('larger than 1 MiB is not read to its end', async () => {
    const path = write('holdfast.yaml');
    truncateSync(path, 8 * 2 ** 30);
    expect(await problemsOf({})).toEqual(['holdfast.yaml:1:1: larger than 1 MiB; this is not a plan']);
  });

  test('of 1 MiB is still read', async () => {
    write('holdfast.yaml', `${PLAN}#${' '.repeat(2 ** 20 - PLAN.length - 1)}`);
    expect(await problemsOf({})).toEqual([]);
    write('holdfast.yaml', `${PLAN}#${' '.repeat(2 ** 20 - PLAN.length)}`);
    expect(await problemsOf({})).toHaveLength(1);
  });

  test.each([
    ['a zero byte', 'name: a\nx: \0\n', '2:4'],
    ['another control character', 'name: a\nxy\u0007\n', '2:3'],
    ['bytes that are no UTF-8', new Uint8Array([0x61, 0x3a, 0x0a, 0x62, 0xff]), '2:2'],
  ])('with %s is told at its place', async (_, content, place) => {
    write('holdfast.yaml', content);
    expect(await problemsOf({})).toEqual([`holdfast.yaml:${place}: not a text file in UTF-8`]);
  });

  test('that is empty', async () => {
    write('holdfast.yaml', '');
    expect(await problemsOf({})).toEqual([expect.stringContaining('holdfast.yaml:1:1: the plan is empty')]);
  });

  test('is called by the path that leads to it from here', async () => {
    const path = write('sub/holdfast.yaml', 'x: 1\n');
    expect((await problemsOf({ path: 'sub/holdfast.yaml' }))[0]).toMatch(/^sub\/holdfast.yaml:1:1: /);
    const below = join(directory, 'sub', 'deep');
    mkdirSync(below);
    expect((await problemsOf({ cwd: below }))[0]?.startsWith(`${path}:1:1: `)).toBe(true);
  });
});

test('a mark of the byte order and line ends of Windows are no problem', async () => {
  write('holdfast.yaml', `\ufeff${PLAN.replaceAll('\n', '\r\n')}`);
  expect(await problemsOf({})).toEqual([]);
});

test('the plan is ready to work with', async () => {
  write(
    'holdfast.yaml',
    `version: 1
name: shop
timezone: Europe/Berlin
objectives: { rpo: 26h, rto: 4h, proof: 1mo }
repositories:
  primary:
    store: ./repository
    password: { env: HOLDFAST_PASSWORD }
    capacity: { of: 5TB }
    limits: { upload: 20MB }
    prices: { reads: 0.0004 }
  locked: { store: s3://bucket/at, mirrorOf: primary, lock: { mode: compliance, for: 4w } }
sources:
  db:
    type: postgres
    url: { env: DATABASE_URL }
    schedule: daily at 02:00
    objectives: { rto: 1h }
    retention: { daily: 7, yearly: forever, within: 1y30d, tags: [kept] }
    validate:
      - { name: customers, sql: select true }
      - { name: newest, sql: select now(), within: 90s }
      - { name: own, exec: [./check] }
  uploads: { type: files, paths: [/srv//uploads/], exclude: ["*.tmp"] }
sandboxes:
  here: { type: local }
  proofs: { type: firestore, project: { env: PROOFS }, location: nam5, keep: 24h }
`,
  );
  const { plan } = await loadPlan({ cwd: directory, env: {} });
  const hourMs = 3_600_000;
  const objectives = { rpoMs: 26 * hourMs, rtoMs: 4 * hourMs, proofMs: 31 * 24 * hourMs };
  const {
    verifications,
    contacts,
    alerts,
    services,
    reports,
    reviews,
    upkeep,
    ledger,
    frameworks,
    runbooks,
    drills,
    ...protectedBy
  } = plan;
  expect(
    [verifications, contacts, services, reports, reviews, runbooks, drills].map((each) => [...each.values()]),
  ).toEqual(new Array(7).fill([]));
  expect([...alerts.rules.keys()]).toEqual(RULE_NAMES);
  expect(upkeep.prune.text).toBe('weekly on sunday at 04:30');
  expect(ledger).toEqual({});
  expect(frameworks).toEqual(['soc2', 'iso27001', 'hipaa', 'gdpr']);
  expect(protectedBy).toEqual({
    approvals: { twoPersons: [] },
    kit: { file: 'holdfast-kit.age' },
    history: [],
    version: 1,
    name: 'shop',
    timezone: 'Europe/Berlin',
    objectives,
    directory,
    standbys: new Map(),
    sandboxes: new Map<string, unknown>([
      ['here', { name: 'here', type: 'local' }],
      [
        'proofs',
        { name: 'proofs', type: 'firestore', project: { env: 'PROOFS' }, location: 'nam5', keepMs: 24 * hourMs },
      ],
    ]),
    groups: new Map(),
    mirrors: new Map([
      [
        'locked',
        {
          ...{ name: 'locked', store: 's3://bucket/at', of: 'primary', s3: { pathStyle: false } },
          lock: { mode: 'compliance', forMs: 28 * 24 * hourMs },
        },
      ],
    ]),
    repositories: new Map([
      [
        'primary',
        {
          ...{ name: 'primary', store: './repository', password: { env: 'HOLDFAST_PASSWORD' } },
          s3: { pathStyle: false },
          capacity: { ofBytes: 5e12, warnAt: 0.8 },
          limits: { upload: 20e6 },
          prices: { reads: 0.0004 },
        },
      ],
    ]),
    sources: new Map<string, unknown>([
      [
        'db',
        {
          name: 'db',
          type: 'postgres',
          url: { env: 'DATABASE_URL' },
          method: 'logical',
          repository: 'primary',
          objectives: { ...objectives, rtoMs: hourMs },
          schedule: { kind: 'cron', text: 'daily at 02:00', pattern: '0 2 * * *' },
          retention: { daily: 7, yearly: 'forever', within: { months: 12, ms: 720 * hourMs }, tags: ['kept'] },
          validate: [
            { kind: 'sql', name: 'customers', sql: 'select true' },
            { kind: 'sql-within', name: 'newest', sql: 'select now()', withinMs: 90_000 },
            { kind: 'exec', name: 'own', exec: ['./check'] },
          ],
        },
      ],
      [
        'uploads',
        {
          name: 'uploads',
          type: 'files',
          paths: ['/srv/uploads'],
          exclude: ['*.tmp'],
          repository: 'primary',
          objectives,
          validate: [],
        },
      ],
    ]),
  });
});

test('alerts, verifications and what is watched are ready to work with', () => {
  const { plan } = parsePlan(
    `version: 1
name: shop
repositories:
  primary: { store: ./repository, password: { env: HOLDFAST_PASSWORD } }
sources:
  db: { type: postgres, url: { env: DATABASE_URL } }
  uploads: { type: files, paths: [/srv/uploads] }
sandboxes: { here: { type: local } }
verification:
  - { name: daily, sources: "*", level: checked, schedule: daily at 05:00 }
  - { name: weekly, sources: [db], pick: random, from: 7d, schedule: weekly, sandbox: { default: here }, keep: 24h }
contacts:
  lead: { role: Lead, phone: "+1", channel: mail }
alerts:
  channels:
    mail: { type: email, to: [lead@shop.example], smtp: { env: SMTP_URL } }
    beat: { type: heartbeat, url: https://beat.example/ }
  routes: [{ to: mail, rules: [availability] }]
  escalation:
    - { after: 60m, notify: [lead], untilResolved: true }
    - { after: 0m, notify: [lead], severity: p1 }
  rules: { size-drop: { over: 30% }, duration: { over: 3h, severity: p1 }, drill-overdue: false }
services:
  api: { http: https://api.example/health, errorRate: { prometheus: https://metrics.example, query: x } }
reports: [{ kind: verification, schedule: weekly, to: [mail] }]
reviews: { audit: yearly }
upkeep: { prune: monthly }
`,
    { file: 'holdfast.yaml', directory: '/plans' },
  );
  expect(plan.verifications.map(({ schedule, ...rest }) => ({ ...rest, schedule: schedule.text }))).toEqual([
    {
      name: 'daily',
      sources: ['db', 'uploads'],
      pick: 'latest',
      level: 'checked',
      schedule: 'daily at 05:00',
      sandboxes: new Map(),
    },
    {
      ...{
        name: 'weekly',
        sources: ['db'],
        pick: 'random',
        fromMs: 7 * 86_400_000,
        level: 'proven',
        schedule: 'weekly',
      },
      ...{ sandboxes: new Map([['db', 'here']]), keepMs: 86_400_000 },
    },
  ]);
  expect(plan.contacts.get('lead')).toEqual({ id: 'lead', role: 'Lead', phone: '+1', channel: 'mail' });
  expect(plan.alerts.channels.get('beat')).toEqual({
    name: 'beat',
    type: 'heartbeat',
    url: 'https://beat.example/',
    everyMs: 60_000,
  });
  expect(plan.alerts.escalation.map(({ afterMs }) => afterMs)).toEqual([0, 3_600_000]);
  expect(plan.alerts.rules.has('drill-overdue')).toBe(false);
  expect(plan.alerts.rules.get('size-drop')).toEqual({ name: 'size-drop', severity: 'p1', overShare: 0.3 });
  expect(plan.alerts.rules.get('duration')).toEqual({ name: 'duration', severity: 'p1', overMs: 3 * 3_600_000 });
  expect(plan.alerts.rules.get('error-rate')).toEqual({
    name: 'error-rate',
    severity: 'p2',
    overShare: 0.01,
    forMs: 300_000,
  });
  expect(plan.services.get('api')).toMatchObject({ everyMs: 30_000, timeoutMs: 10_000 });
  expect([plan.reports[0]?.to, plan.reviews.get('audit')?.text, plan.upkeep.prune.text]).toEqual([
    ['mail'],
    'yearly',
    'monthly',
  ]);
});
