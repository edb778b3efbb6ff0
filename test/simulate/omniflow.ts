/** The first playbook: an application on Firestore, backed up every night. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { check } from '../../src/operations/index.ts';
import { startFirestore } from '../support/firestore.ts';
import { flipBytes } from './damage.ts';
import { review } from './people.ts';
import { runbookOf } from './runbook.ts';
import type { Failure, Scenario } from './scenario.ts';
import { upkeepOf } from './upkeep.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, type World } from './world.ts';

const COLLECTIONS = [
  'companies',
  'users',
  'leads',
  'contacts',
  'campaigns',
  'deals',
  'activities',
  'automations',
  'apiConfigurations',
];

/** In each collection. */
const DOCUMENTS = 8;

export async function omniflow(world: World, startMs: number): Promise<Scenario> {
  const firestore = await startFirestore();
  const server = firestore.server;
  if (server === undefined) throw new Error('a simulated year needs a server whose clock can be moved');
  server.createDatabase('projects/omniflow-proofs/databases/(default)');
  const repository = join(world.directory, 'omniflow');
  const plan = `version: 1
name: omniflow
objectives: { rpo: 26h, rto: 4h, proof: 15d }
repositories:
  primary: { store: ${repository}, password: { env: HOLDFAST_PASSWORD } }
  archive:
    store: ${repository}-archive
    password: { env: HOLDFAST_ARCHIVE_PASSWORD }
    copies: { from: primary, sources: [crm], schedule: weekly on sunday at 03:00 }
    retention: { weekly: 4, monthly: 12, yearly: forever }
sources:
  crm:
    type: firestore
    project: ${firestore.project}
    emulator: ${firestore.host}
    collections: [${COLLECTIONS.join(', ')}]
    schedule: daily at 02:00
    retention: { daily: 7, weekly: 4, monthly: 12, yearly: forever }
    validate:
      - { name: there are companies, collection: companies, count: { atLeast: 1 } }
sandboxes:
  proofs: { type: firestore, project: omniflow-proofs }
verification:
  - { name: daily, sources: "*", pick: latest, level: checked, schedule: daily at 05:00 }
  - { name: weekly, sources: [crm], pick: random, from: 7d, level: proven, schedule: weekly on monday at 06:00, sandbox: proofs }
runbooks: { database-corruption: ${runbookOf('crm')} }
drills: [{ runbooks: "*", schedule: monthly }]
reviews: { strategy: monthly, audit: yearly }
reports: [{ kind: verification, schedule: weekly on monday at 08:00, to: [lead-mail] }]
${world.alerting}`;
  let written = 0;
  const document = (number: number) => ({ n: { integerValue: String(number) }, t: { stringValue: `text ${number}` } });
  const live = async (nowMs: number): Promise<void> => {
    server.advance(Math.max(0, nowMs - server.nowMicros() / 1000));
    const isNight = new Date(nowMs).getUTCHours() === 1 && new Date(nowMs).getUTCMinutes() === 30;
    if (written > 0 && !isNight) return;
    const documents = COLLECTIONS.flatMap((collection) => {
      const some = written === 0 ? Array.from({ length: DOCUMENTS }, (_, index) => index) : [written % DOCUMENTS];
      return some.map((each) => [`${collection}/d${each}`, document(written + each)] as const);
    });
    written++;
    await firestore.write(Object.fromEntries(documents));
  };
  const { HOLDFAST_PASSWORD, HOLDFAST_ARCHIVE_PASSWORD } = world.variables;
  return {
    ...{ name: 'omniflow', timezone: 'UTC', plan, live, wrongIn, close: () => firestore.close() },
    repositories: {
      primary: { directory: repository, password: HOLDFAST_PASSWORD },
      archive: { directory: `${repository}-archive`, password: HOLDFAST_ARCHIVE_PASSWORD },
    },
    failures: failuresOf(world, {
      startMs,
      repository,
      deny: (isDenied) => (isDenied ? server.denied.add('RunQuery') : server.denied.delete('RunQuery')),
    }),
    kept: [
      { repository: 'primary', source: 'crm', retention: { daily: 7, weekly: 4, monthly: 12, yearly: 'forever' } },
      { repository: 'archive', source: 'crm', retention: { weekly: 4, monthly: 12, yearly: 'forever' } },
    ],
    tasks: {
      'backup:crm': { at: '02:00' },
      'verify:daily': { at: '05:00' },
      'verify:weekly': { at: '06:00', weekday: 1 },
      'archive:archive': { at: '03:00', weekday: 0 },
      'report:verification': { at: '08:00', weekday: 1 },
      'drill:database-corruption-1': { at: '00:00', dayOfMonth: 1 },
      ...upkeepOf('primary', 'archive'),
    },
    reviews: {
      strategy: { at: '00:00', dayOfMonth: 1 },
      audit: { at: '00:00', dayOfMonth: 1, months: [0] },
    },
  };
}

/** Every collection is there, with all of its documents. */
function wrongIn(_source: string, restored: string): string | undefined {
  for (const collection of COLLECTIONS) {
    const place = join(restored, 'data', 'documents', collection);
    const lines = readdirSync(place).flatMap((name) => readFileSync(join(place, name), 'utf8').trim().split('\n'));
    if (lines.length !== DOCUMENTS) return `${collection} has ${lines.length} documents`;
  }
  return undefined;
}

function failuresOf(
  world: World,
  { startMs, repository, deny }: { startMs: number; repository: string; deny(isDenied: boolean): unknown },
): Failure[] {
  const firstNight = Math.ceil(startMs / DAY_MS) * DAY_MS + 2 * HOUR_MS;
  const night = (number: number): number => firstNight + number * DAY_MS;
  const denied = (number: number, hours: number): Failure => ({
    name: `nobody may read the documents from night ${number} on`,
    ...{ fromMs: night(number) - HOUR_MS / 2, untilMs: night(number) + hours * HOUR_MS },
    ...{ begin: () => void deny(true), end: () => void deny(false) },
    alert: { rule: 'backup-failed', subject: 'crm', severity: 'p2' },
    also: ['rpo-breach crm'],
    stops: ['backup:crm'],
  });
  let putRight = (): void => {};
  const damaged = (number: number): Failure => ({
    name: `a bit of each pack is flipped in night ${number}`,
    ...{ fromMs: night(number) + 2.5 * HOUR_MS, untilMs: night(number) + 5 * HOUR_MS },
    begin: () => {
      putRight = flipBytes(repository);
    },
    async end(workspace) {
      putRight();
      await check(workspace, { repositories: ['primary'], readData: true, readHeaders: false });
    },
    alert: { rule: 'verification-failed', subject: 'crm', severity: 'p1' },
    also: ['repository-unreachable primary', 'upkeep-failed'],
    // On a Sunday the prune is due with it, and removes nothing from what it cannot read.
    stops: ['prune:primary'],
  });
  return [
    { ...denied(3, 2), acknowledgedAfterMs: 10 * MINUTE_MS },
    {
      ...denied(6, 5),
      // What refuses is tried again within seconds, which are real ones.
      closelyMs: 10 * MINUTE_MS,
      name: 'the pager takes nothing while nobody may read the documents',
      begin: () => {
        deny(true);
        world.pager.answer = { status: 500 };
      },
      end: () => {
        deny(false);
        world.pager.answer = { status: 202, body: '{"status":"success"}' };
      },
      alert: { rule: 'channel-failed', subject: 'pager', severity: 'p2' },
      also: ['backup-failed crm', 'rpo-breach crm'],
    },
    damaged(9),
    {
      name: 'the review of the strategy is forgotten in February',
      ...{ fromMs: Date.UTC(2025, 1, 1), untilMs: Date.UTC(2025, 1, 3, 12) },
      begin() {},
      end: (workspace) => review(workspace, 'strategy'),
      alert: { rule: 'review-overdue', subject: 'strategy', severity: 'p3' },
    },
    denied(90, 26),
    { ...damaged(200), acknowledgedAfterMs: 10 * MINUTE_MS },
    denied(340, 2),
  ];
}
